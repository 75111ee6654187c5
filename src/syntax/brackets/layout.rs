//! What the layout of lines says of the brackets that are open; looked at while mending only.

use super::{Kind, Open, Scanner};
use crate::syntax::words;

impl Scanner<'_> {
    /// A line begins: notes its indentation, and closes what its layout says is over.
    pub(super) fn new_line(&mut self, start: usize) {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let indent = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let first = self.byte(start + indent);
        if matches!(first, b'\n' | b'\r' | 0) || (first == b'/' && self.byte(start + indent + 1) == b'/') {
            return;
        }
        self.indent = indent;
        if !matches!(first, b'}' | b')' | b']')
            && let Some(open) = self.open.last_mut()
            && open.body.is_none()
        {
            open.body = Some(indent);
        }
        if self.mending.is_some_and(|found| found.unclosed) && begins(self.slice(start + indent, self.line_end(start)))
        {
            while let Some(open) = self.open.last().copied() {
                let over = match open.kind {
                    Kind::Hole { .. } => false,
                    // A body that was never indented says nothing.
                    Kind::Brace => indent <= open.indent && open.body.is_some_and(|body| body > open.indent),
                    _ => indent <= open.indent,
                };
                if !over {
                    break;
                }
                self.unclosed_here(start);
            }
        }
    }

    /// A `}` that begins a line and stands further out than the block it would close closes an outer one.
    pub(super) fn close_by_layout(&mut self) {
        if !self.mending.is_some_and(|found| found.unclosed) || !self.begins_line() {
            return;
        }
        let fits = |open: &Open| open.kind == Kind::Brace && open.indent == self.indent;
        if !self.open.iter().any(fits) {
            return;
        }
        while let Some(open) = self.open.last().copied() {
            if open.kind != Kind::Brace || open.indent <= self.indent {
                break;
            }
            self.unclosed_here(self.at);
        }
    }

    /// Whether a `}` stands further in than the block it would close, so that it is one too many.
    pub(super) fn is_extra_brace(&self, kind: Kind) -> bool {
        let Some(open) = self.open.last() else { return false };
        kind == Kind::Brace
            && self.mending.is_some_and(|found| found.stray)
            && self.begins_line()
            && open.body.is_some_and(|body| body > open.indent && self.indent >= body)
    }

    /// Whether only white space stands before the current offset on its line.
    pub(super) fn begins_line(&self) -> bool {
        let before = self.bytes.get(..self.at).unwrap_or_default();
        let first = before.iter().rev().find(|b| !matches!(b, b' ' | b'\t' | b'\r'));
        first.is_none_or(|b| *b == b'\n')
    }
}

/// Whether a line begins a statement or an item.
fn begins(line: &str) -> bool {
    let word = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    let after = line.get(word.len()..).unwrap_or_default();
    match word {
        "flow" | "fn" | "type" | "tool" => after.starts_with(' '),
        "test" => after.trim_start().starts_with('"'),
        "use" => after.trim_start().starts_with('{'),
        "" => line.starts_with('@'),
        _ => words::begins_statement(word) && !after.starts_with([':', ',', '.']),
    }
}
