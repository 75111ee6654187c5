//! `flowc fmt`: the one way a file is laid out.

use std::fmt::Write;
use std::path::PathBuf;

use similar::{ChangeTag, TextDiff};

use super::files;
use super::output::{Status, count, err, misused, out_raw};
use super::report::{self, Format};
use crate::format::format;
use crate::source::{SourceFile, Sources};

/// Lay files out in the one canonical way; every comment stays.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Files and folders to lay out; `-` is standard input, written to standard output
    #[arg(value_name = "FILE", default_value = ".")]
    files: Vec<PathBuf>,
    /// Write nothing; show what would change, and exit with 1 where something would
    #[arg(long)]
    check: bool,
}

/// What became of a file.
enum Outcome {
    Same,
    Changed,
    Broken,
    Unwritable,
}

pub(super) fn fmt(args: &Args) -> Status {
    let files = match files::read_all(&args.files) {
        Ok(files) => files,
        Err(why) => return misused(why),
    };
    let outcomes: Vec<Outcome> = files.iter().map(|file| lay_out(file, args.check)).collect();
    let number = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
    let changed = number(|outcome| matches!(outcome, Outcome::Changed));
    let broken = number(|outcome| matches!(outcome, Outcome::Broken));
    let verb = if args.check { "to lay out" } else { "laid out" };
    let mut said = match changed {
        0 => format!("{} in order", count(files.len() - broken, "file")),
        some => format!("{} {verb}, {} in order", count(some, "file"), files.len() - broken - some),
    };
    if broken > 0 {
        said = format!("{said}, {broken} with syntax errors");
    }
    err(said);
    if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Unwritable)) {
        return Status::Misused;
    }
    if broken > 0 || (args.check && changed > 0) { Status::Failed } else { Status::Fine }
}

fn lay_out(file: &SourceFile, check: bool) -> Outcome {
    let text = match format(file) {
        Ok(text) => text,
        Err(list) => {
            report::diagnostics(&list, &Sources::of(file.clone()), Format::Human);
            return Outcome::Broken;
        }
    };
    let same = text == file.text();
    if check {
        if !same {
            out_raw(diff(file, &text));
        }
    } else if file.name() == files::STDIN {
        out_raw(&text);
    } else if !same && let Err(why) = std::fs::write(file.name(), &text) {
        misused(format_args!("`{}` cannot be written: {why}", file.name()));
        return Outcome::Unwritable;
    }
    if same { Outcome::Same } else { Outcome::Changed }
}

/// What would change, as a unified diff.
fn diff(file: &SourceFile, text: &str) -> String {
    let paint = super::output::paint_out;
    let changes = TextDiff::from_lines(file.text(), text);
    let mut shown = format!(
        "{}\n{}\n",
        paint().bold().apply_to(format!("--- {}", file.name())),
        paint().bold().apply_to(format!("+++ {}", file.name()))
    );
    for hunk in changes.unified_diff().context_radius(2).iter_hunks() {
        let _ = writeln!(shown, "{}", paint().cyan().apply_to(hunk.header()));
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            let line = match change.tag() {
                ChangeTag::Delete => paint().red().apply_to(format!("-{line}")).to_string(),
                ChangeTag::Insert => paint().green().apply_to(format!("+{line}")).to_string(),
                ChangeTag::Equal => format!(" {line}"),
            };
            let _ = writeln!(shown, "{line}");
        }
    }
    shown
}
