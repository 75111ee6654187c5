//! A tree with its comments as canonical text: 4 spaces, lines of 120 characters, one layout whatever the author's was,
//! save for blank lines (up to one is kept) and for where long chains of methods are broken.

mod comments;
mod doc;
mod exprs;
mod items;
mod literals;
mod stmts;
mod types;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{FileId, SourceFile, Span};
use crate::syntax::ast::{Comment, File};
use crate::syntax::{NodeIds, parse};
use doc::WIDTH;

/// The canonical text of a file.
///
/// # Errors
/// The syntax errors, where there are any: what cannot be read is not formatted.
pub fn format(source: &SourceFile) -> Result<String, Vec<Diagnostic>> {
    let parsed = parse(source, FileId::default(), &mut NodeIds::default());
    if parsed.diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error) {
        return Err(parsed.diagnostics);
    }
    Ok(format_tree(&parsed.file, source.text()))
}

/// The canonical text of a tree without syntax errors. `text` is what it was parsed from: numbers and strings are spelled
/// as they are there. A tree that was built by other means has empty spans, and its literals are spelled from their
/// values.
pub fn format_tree(file: &File, text: &str) -> String {
    let mut printer = Printer { text, comments: &file.comments, next: 0, in_hole: false, kept: Vec::new() };
    printer.file(file).render(WIDTH)
}

/// Builds the document of a tree; comments are taken up in the order of the text.
struct Printer<'a> {
    text: &'a str,
    comments: &'a [Comment],
    /// The first comment that is not yet printed.
    next: usize,
    /// Whether what is printed stands in a string's hole: on one line.
    in_hole: bool,
    /// What was copied from the source, its comments included.
    kept: Vec<Span>,
}

impl<'a> Printer<'a> {
    fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.range()).unwrap_or_default()
    }

    fn between(&self, start: u32, end: u32) -> &'a str {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }
}
