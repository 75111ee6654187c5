//! What is wrong, shown: diagnostics before a run, and the failure of one.

use std::fmt::Write;

use clap::ValueEnum;
use console::Style;

use super::output::{columns, count, err, folded, out, out_raw, paint, watched};
use crate::diagnostic::{self, Code, Diagnostic, Severity, render};
use crate::program::Program;
use crate::run::RunError;
use crate::source::{FileId, Sources, Span};
use crate::value::ErrorKind;

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: the lines in question, with the characters marked.
    #[default]
    Human,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of a GitHub workflow.
    Github,
}

/// Writes diagnostics: for people to standard error, for programs to standard output.
pub(super) fn diagnostics(list: &[Diagnostic], sources: &Sources, format: Format) {
    match format {
        Format::Human => {
            for diagnostic in list {
                err(human(diagnostic, sources).trim_end_matches('\n'));
                err("");
            }
        }
        Format::Json => out(pretty(&diagnostic::json(list, sources))),
        Format::Sarif => out(pretty(&diagnostic::sarif(list, sources))),
        Format::Github => out_raw(diagnostic::github(list, sources)),
    }
}

/// `2 errors and 1 warning in 3 files`, in the colour it deserves.
pub(super) fn tally(list: &[Diagnostic], files: usize) -> String {
    let style = match list.iter().map(Diagnostic::severity).max() {
        Some(Severity::Error) => paint().red().bold(),
        Some(Severity::Warning) => paint().yellow(),
        None => paint().green(),
    };
    format!("{} in {}", style.apply_to(diagnostic::summary(list)), count(files, "file"))
}

/// JSON on several lines.
pub(super) fn pretty(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

fn human(diagnostic: &Diagnostic, sources: &Sources) -> String {
    // Without a terminal there is no width to fit, and compilers' plain form is what tools and logs read best.
    if !watched() && !console::colors_enabled_stderr() {
        return render::plain(diagnostic, sources);
    }
    let look = render::Look { width: columns(), color: console::colors_enabled_stderr(), unicode: true };
    render::graphical(diagnostic, sources, look)
}

/// Why a run failed: the step, its path, the kind, the attempts, and the place in the source.
/// `what` failed where it was no step: `the flow`.
pub(super) fn failure(error: &RunError, what: &str, title: Option<&str>, program: &Program) -> String {
    let mut text = String::new();
    let head = if error.step.is_empty() && error.kind == ErrorKind::Interrupted {
        "the run stopped".to_owned()
    } else if error.step.is_empty() {
        format!("{what} failed")
    } else {
        let title =
            title.filter(|title| !error.step.ends_with(title)).map(|title| format!(" ({title})")).unwrap_or_default();
        format!("step `{}`{title} failed", error.step)
    };
    let head = format!("{} {head}: {}", paint().red().bold().apply_to("✗"), error.message.trim_end());
    text.push_str(&if watched() { folded(&head, columns()) } else { head });
    text.push('\n');
    let dim = paint().dim();
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(text, "  {} {value}", dim.apply_to(format!("{name:<9}")));
    };
    if !error.step.is_empty() {
        fact("path", &error.step);
    }
    fact("kind", &kind(error));
    if error.attempts > 1 {
        fact("attempts", &error.attempts.to_string());
    }
    if !error.details.is_null() {
        fact("details", &console::truncate_str(&error.details.to_json_text(), 400, "…"));
    }
    if let Some(span) = error.span {
        text.push_str(&excerpt(&program.source_files(), span, &dim));
    }
    text
}

fn kind(error: &RunError) -> String {
    let hint = if error.retryable { " (trying again may help)" } else { "" };
    format!("{}{hint}", error.kind)
}

/// The place of a span and its line, the characters marked.
pub(super) fn excerpt(sources: &Sources, span: Span, dim: &Style) -> String {
    let mut text = String::new();
    let Some(file) = sources.get(span.file) else { return text };
    let at = file.position(span.start);
    let end = file.position(span.end);
    let _ = writeln!(text, "  {} {}", dim.apply_to("at       "), sources.locate(span));
    let gutter = " ".repeat(at.line.to_string().len());
    // What does not fit into a terminal's width is left out, so that the marks stay beneath their characters.
    let line = file.line(at.line).trim_end();
    let room = if watched() { columns().saturating_sub(gutter.len() + 6).max(20) } else { usize::MAX };
    let shown = console::truncate_str(line, room, "…");
    let column = at.column as usize - 1;
    let stop = if end.line == at.line { end.column as usize - 1 } else { line.chars().count() };
    let stop = stop.min(room.max(column + 1));
    let indent: String = line.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let marks = paint().red().apply_to("^".repeat(stop.saturating_sub(column).max(1))).to_string();
    let bar = dim.apply_to("|").to_string();
    let _ = writeln!(text, "   {gutter} {bar}");
    let _ = writeln!(text, "   {} {bar} {shown}", dim.apply_to(at.line));
    let _ = writeln!(text, "   {gutter} {bar} {indent}{marks}");
    text
}

/// Diagnostics of several analyses as one, over one set of files: a file that several of them read is reported once.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) sources: Sources,
    pub(super) list: Vec<Diagnostic>,
    seen: std::collections::HashSet<(String, Code, u32, u32)>,
}

impl Gathered {
    /// Takes over what an analysis found.
    pub(super) fn add(&mut self, sources: &Sources, list: &[Diagnostic]) {
        let ids: Vec<FileId> = sources.iter().map(|(_, file)| self.sources.add(file.clone())).collect();
        let moved = |span: Span| Span { file: ids.get(span.file.0 as usize).copied().unwrap_or_default(), ..span };
        for diagnostic in list {
            let file = sources.get(diagnostic.span.file).map_or("", |file| file.name());
            let key = (file.to_owned(), diagnostic.code, diagnostic.span.start, diagnostic.span.end);
            if !self.seen.insert(key) {
                continue;
            }
            let mut diagnostic = diagnostic.clone();
            diagnostic.span = moved(diagnostic.span);
            for label in &mut diagnostic.labels {
                label.span = moved(label.span);
            }
            for edit in diagnostic.fixes.iter_mut().flat_map(|fix| &mut fix.edits) {
                edit.span = moved(edit.span);
            }
            self.list.push(diagnostic);
        }
    }

    /// Whether anything stops a program from running.
    pub(super) fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
    }
}
