//! Diagnostics as GitHub Actions workflow commands, which annotate the lines of a pull request
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use std::fmt::Write;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;

/// One `::error file=…,line=…,col=…::message` for each diagnostic, each on a line of its own.
pub fn github(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        let Some(file) = sources.get(diagnostic.span.file) else { continue };
        let (start, end) = (file.position(diagnostic.span.start), file.position(diagnostic.span.end));
        let command = match diagnostic.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut message = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            let _ = write!(message, "\n{help}");
        }
        let _ = write!(out, "::{command} file={},line={},col={}", property(file.name()), start.line, start.column);
        let _ = write!(out, ",endLine={}", end.line);
        // GitHub takes an end column only where the annotation is of one line.
        if end.line == start.line {
            let _ = write!(out, ",endColumn={}", end.column);
        }
        let _ = writeln!(out, ",title={}::{}", property(diagnostic.code.id), data(&message));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
