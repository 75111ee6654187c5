//! Brackets that open and close.

use super::{Kind, Open, Scanner, is_word};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::guard::{Change, MAX_DEPTH};

impl Scanner<'_> {
    pub(super) fn enter(&mut self, kind: Kind) {
        if kind == Kind::Brace && self.mending.is_some_and(|found| found.unclosed) {
            self.block_in_brackets();
        }
        if self.depth() >= MAX_DEPTH {
            self.refuse(kind.open().len(), "brackets nest");
            return;
        }
        self.open.push(Open { kind, at: self.at, string: self.at, indent: self.indent, body: None, loose: self.loose });
        self.at += kind.open().len();
    }

    /// `->` follows parentheses, and never stands within them.
    pub(super) fn arrow(&mut self) {
        if self.mending.is_some_and(|found| found.unclosed) {
            while self.open.last().is_some_and(|open| open.kind == Kind::Paren) {
                self.unclosed_here(self.at);
            }
        }
        self.at += 2;
    }

    pub(super) fn enter_hole(&mut self, string: usize, block: bool) {
        self.enter(Kind::Hole { block });
        if let Some(open) = self.open.last_mut() {
            open.string = string;
        }
    }

    /// `if f(x {`: a brace behind an operand begins a block, so brackets before it on the line are not closed.
    pub(super) fn block_in_brackets(&mut self) {
        let before = self.byte_before(self.at);
        if !is_word(before) && !matches!(before, b')' | b']' | b'"' | b'>') {
            return;
        }
        while let Some(open) = self.open.last().copied() {
            let inside = self.slice(open.at, self.at);
            if !matches!(open.kind, Kind::Paren | Kind::Bracket) || inside.contains('\n') || inside.contains("match") {
                break;
            }
            self.unclosed_here(self.at);
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.open.len() + self.loose.angles + self.loose.words
    }

    /// The innermost bracket is closed.
    pub(super) fn pop(&mut self) {
        if let Some(open) = self.open.pop() {
            self.loose = open.loose;
        }
    }

    pub(super) fn refuse(&mut self, width: usize, what: &str) {
        let span = Span::new(self.file, self.at, self.at + width);
        self.refused = Some(
            Diagnostic::new(Code::TOO_DEEP, span, format!("{what} deeper than {MAX_DEPTH} levels"))
                .help("name the inner parts with `let`, or move them into a `fn`, `flow` or `type`"),
        );
    }

    pub(super) fn leave_brace(&mut self) {
        match self.open.last() {
            Some(Open { kind: Kind::Hole { block }, string, .. }) => {
                let (block, start) = (*block, *string);
                if self.byte(self.at + 1) != b'}' {
                    self.half_closed_hole();
                }
                self.pop();
                self.at += if self.byte(self.at + 1) == b'}' { 2 } else { 1 };
                self.string(start, block);
            }
            _ => self.leave(Kind::Brace),
        }
    }

    /// `{{ x }`: one brace short.
    pub(super) fn half_closed_hole(&mut self) {
        self.problems.unclosed = true;
        if self.mending.is_some() {
            let span = Span::new(self.file, self.at, self.at + 1);
            self.diagnostics.push(Diagnostic::new(Code::UNCLOSED, span, "a hole ends with `}}`, found one `}`").fix(
                "add `}`",
                span.after(),
                "}",
            ));
            self.insert(self.at + 1, "}");
        }
    }

    pub(super) fn leave(&mut self, kind: Kind) {
        if self.mending.is_some() && kind == Kind::Brace {
            self.close_by_layout();
        }
        if self.open.last().is_some_and(|open| open.kind == kind) {
            if self.is_extra_brace(kind) {
                self.stray(kind);
            } else {
                self.pop();
            }
            self.at += 1;
            return;
        }
        // A bracket in a hole does not close one outside of it.
        let hole = self.open.iter().rposition(|open| matches!(open.kind, Kind::Hole { .. })).map_or(0, |at| at + 1);
        let inside = self.open.get(hole..).unwrap_or_default();
        match inside.iter().rposition(|open| open.kind == kind) {
            Some(place) => {
                self.problems.unclosed = true;
                while self.open.len() > hole + place + 1 {
                    self.unclosed_here(self.at);
                }
                self.pop();
            }
            None if kind != Kind::Brace && inside.last().is_some_and(|open| open.kind != Kind::Brace) => {
                self.wrong_kind(kind);
            }
            None => self.stray(kind),
        }
        self.at += 1;
    }

    /// `[1, 2)`: another bracket was meant.
    pub(super) fn wrong_kind(&mut self, kind: Kind) {
        self.problems.stray = true;
        let Some(open) = self.open.pop() else { return };
        if self.mending.is_some() {
            let span = Span::new(self.file, self.at, self.at + 1);
            let right = open.kind.close();
            self.diagnostics.push(
                Diagnostic::new(Code::UNCLOSED, span, format!("expected `{right}`, found `{}`", kind.close()))
                    .label(Span::new(self.file, open.at, open.at + 1), format!("`{}` is opened here", open.kind.open()))
                    .suggest(format!("replace `{}` with `{right}`", kind.close()), span, right),
            );
            self.changes.push(Change { start: self.at, end: self.at + 1, text: right.to_owned() });
        }
    }

    /// A bracket that closes nothing.
    pub(super) fn stray(&mut self, kind: Kind) {
        self.problems.stray = true;
        if self.mending.is_some() {
            let span = Span::new(self.file, self.at, self.at + 1);
            let close = kind.close();
            self.diagnostics.push(
                Diagnostic::new(Code::UNCLOSED, span, format!("nothing is open that `{close}` would close")).suggest(
                    format!("remove `{close}`"),
                    span,
                    "",
                ),
            );
            self.blank(self.at, self.at + 1);
        }
    }

    /// The innermost open bracket is not closed: it is reported, and closed behind the last token before an offset.
    pub(super) fn unclosed_here(&mut self, before: usize) {
        self.problems.unclosed = true;
        let Some(open) = self.open.pop() else { return };
        if self.mending.is_none() {
            return;
        }
        let at = self.token_end(before);
        let (opens, closes) = (open.kind.open(), open.kind.close());
        let place = Span::new(self.file, at, at);
        let opened = Span::new(self.file, open.at, open.at + opens.len());
        self.diagnostics.push(
            Diagnostic::new(Code::UNCLOSED, place, format!("this `{opens}` is not closed: expected `{closes}`"))
                .here(format!("expected `{closes}`"))
                .label(opened, format!("`{opens}` is opened here"))
                .suggest(format!("add `{closes}`"), place, closes),
        );
        self.insert(at, closes);
    }
}
