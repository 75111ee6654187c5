//! A look over the text before the grammar sees it: its size, its nesting, its comments, and whether its brackets and
//! strings are closed. Recursive descent meets deep input with the stack, so what is too deep is refused here; and
//! where brackets do not match, they are reported and mended here, so that the grammar only ever meets matching ones
//! and one forgotten `}` is one error.

use std::borrow::Cow;

use super::brackets::{self, Problems};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// The largest file that is read, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting of brackets, holes, type arguments, and of `then if` and `try try`, which nest without brackets.
pub(super) const MAX_DEPTH: usize = 64;

/// How many links (`.f`, `[i]`, `.m()`, `as T`) may follow one another, those of chains within chains added up: what comes
/// after the tree nests them.
pub(super) const MAX_LINKS: usize = 64;

/// What a look over a text finds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Comments, from `//` to the end of the line, in order; offsets of the text to parse.
    pub(super) comments: Vec<(u32, u32)>,
    /// What is wrong with its size, depth, brackets and strings.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The text to parse in place of the original, where brackets were mended.
    pub(super) mended: Option<Mended>,
    /// Whether it must not be parsed at all.
    pub(super) refused: bool,
}

/// A text whose brackets match, and the way back to the original.
#[derive(Debug, Default)]
pub(super) struct Mended {
    /// The text.
    pub(super) text: String,
    /// What was inserted: where in this text, and how many bytes.
    inserted: Vec<(usize, usize)>,
}

/// A change to a text: what stands at `start..end` is replaced.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) start: usize,
    pub(super) end: usize,
    /// As long as what it replaces, or an insertion.
    pub(super) text: String,
}

impl Mended {
    /// Applies changes that do not overlap. Those at one place keep their order.
    pub(super) fn new(original: &str, mut changes: Vec<Change>) -> Self {
        changes.sort_by_key(|change| change.start);
        let mut this = Self::default();
        let mut at = 0;
        for change in changes {
            if change.start < at {
                continue;
            }
            this.text.push_str(original.get(at..change.start).unwrap_or_default());
            if change.start == change.end {
                this.inserted.push((this.text.len(), change.text.len()));
            }
            this.text.push_str(&change.text);
            at = change.end;
        }
        this.text.push_str(original.get(at..).unwrap_or_default());
        this
    }

    /// The offset in the original text of an offset in this one.
    pub(super) fn original(&self, offset: usize) -> usize {
        let mut before = 0;
        for (at, length) in &self.inserted {
            if *at >= offset {
                break;
            }
            before += (*length).min(offset - at);
        }
        offset - before
    }

    /// Whether something was inserted at an offset of this text.
    pub(super) fn is_inserted(&self, offset: usize) -> bool {
        self.inserted.iter().any(|(at, length)| (*at..at + length).contains(&offset))
    }
}

/// Looks over a text.
pub(super) fn scan(text: &str, file: FileId) -> Scan {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, and at most {MAX_BYTES} are read", text.len());
        let refusal = Diagnostic::new(Code::TOO_LARGE, Span::new(file, 0, 0), message)
            .help("split it into several files and import them with `use`");
        return refused(refusal);
    }
    let first = brackets::look(text, file);
    if let Some(refusal) = first.refused {
        return refused(refusal);
    }
    if first.problems == Problems::default() {
        return Scan { comments: first.comments, ..Scan::default() };
    }
    let (changes, diagnostics) = brackets::mend(text, file, first.problems);
    let mended = Mended::new(text, changes);
    let second = brackets::look(&mended.text, file);
    // The grammar is only linear on brackets that match: what could not be mended is not parsed.
    let refused = second.refused.is_some() || second.problems != Problems::default() || diagnostics.is_empty();
    if refused && diagnostics.is_empty() {
        let span = Span::new(file, 0, 0);
        let diagnostics = vec![Diagnostic::new(Code::UNCLOSED, span, "the brackets of this file do not match")];
        return Scan { diagnostics, refused, ..Scan::default() };
    }
    Scan { comments: second.comments, diagnostics, mended: Some(mended), refused }
}

/// The text with its comments made blank, all offsets kept: the grammar knows none.
pub(super) fn without_comments<'a>(text: &'a str, comments: &[(u32, u32)]) -> Cow<'a, str> {
    if comments.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    for &(start, end) in comments {
        code.push_str(text.get(at..start as usize).unwrap_or_default());
        code.extend(std::iter::repeat_n(' ', (end - start) as usize));
        at = end as usize;
    }
    code.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(code)
}

fn refused(diagnostic: Diagnostic) -> Scan {
    Scan { diagnostics: vec![diagnostic], refused: true, ..Scan::default() }
}
