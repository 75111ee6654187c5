//! Why a test failed, with both sides of what was compared.

use std::fmt::{Display, Write};

use similar::{ChangeTag, TextDiff};

use super::super::output::paint_out;
use super::super::report;
use crate::program::Program;
use crate::run::testing::TestFailure;
use crate::source::{Sources, Span};
use crate::value::Value;

/// A value longer than this is compared line by line.
const SHORT: usize = 60;

/// The failure, indented beneath its test.
pub(super) fn show(failure: &TestFailure, program: &Program) -> String {
    let sources = program.source_files();
    let mut text = String::new();
    match failure {
        TestFailure::Assert { span, sides } => {
            let _ = writeln!(text, "assert failed: {}", one_line(sources.slice(*span)));
            text.push_str(&place(&sources, *span));
            if let Some((left, right)) = sides {
                text.push_str(&compare(left, right));
            }
        }
        TestFailure::Unmocked { tool, path, args, span } => {
            let _ = writeln!(text, "`{tool}` was called without a mock that fits, by step `{path}`");
            text.push_str(&place(&sources, *span));
            text.push_str(&fact("with", args.to_json_text()));
            text.push_str(&fact("help", format!("add `mock {tool}(_) => …` to the test")));
        }
        TestFailure::Failed(error) => text.push_str(&report::failure(error, "the test", None, program)),
    }
    indent(text.trim_end())
}

fn place(sources: &Sources, span: Span) -> String {
    report::excerpt(sources, span, &paint_out().dim())
}

/// A line beneath the place, in its columns.
fn fact(name: &str, value: impl Display) -> String {
    format!("  {} {value}\n", paint_out().dim().apply_to(format!("{name:<9}")))
}

fn one_line(expression: &str) -> String {
    expression.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Both values; where they are long, what differs.
fn compare(left: &Value, right: &Value) -> String {
    let (red, green) = (paint_out().red(), paint_out().green());
    let (a, b) = (left.to_json_text(), right.to_json_text());
    let lines = |value: &Value| value.as_str().is_some_and(|text| text.contains('\n'));
    if a.len().max(b.len()) <= SHORT && !lines(left) && !lines(right) {
        return fact("left", red.apply_to(a)) + fact("right", green.apply_to(b)).as_str();
    }
    let (a, b) = (long(left), long(right));
    let mut text = format!("  {} {}\n", red.apply_to("- left"), green.apply_to("+ right"));
    let diff = TextDiff::from_lines(&a, &b);
    for (at, group) in diff.grouped_ops(3).iter().enumerate() {
        if at > 0 {
            text.push_str("    ⋮\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches('\n');
            let line = match change.tag() {
                ChangeTag::Delete => red.apply_to(format!("- {line}")).to_string(),
                ChangeTag::Insert => green.apply_to(format!("+ {line}")).to_string(),
                ChangeTag::Equal => format!("  {line}"),
            };
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// A text as its lines, anything else as JSON with the fields of records in order of name, so that only what differs
/// is shown.
fn long(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return format!("{text}\n");
    }
    let mut json = serde_json::Value::from(value);
    json.sort_all_objects();
    format!("{}\n", report::pretty(&json))
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("      {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}
