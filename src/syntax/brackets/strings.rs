//! Strings, their holes, and the quotes of a typesetter.

use super::{Kind, Scanner};
use crate::diagnostic::{Code, Diagnostic, Edit, Fix};
use crate::source::Span;

impl Scanner<'_> {
    /// The inside of a string that starts at an offset, up to its end or its next hole.
    pub(super) fn string(&mut self, start: usize, block: bool) {
        while self.at < self.bytes.len() {
            match self.byte(self.at) {
                b'\\' if self.starts_with("\\{{") => self.at += 3,
                b'\\' if self.byte(self.at + 1) == b'\n' && !block => self.at += 1,
                b'\\' => self.at += 2,
                b'{' if self.byte(self.at + 1) == b'{' => return self.enter_hole(start, block),
                b'"' if !block => {
                    self.at += 1;
                    return;
                }
                b'\n' if !block => return self.unclosed_string(start, "\""),
                b'"' if self.starts_with("\"\"\"") => {
                    self.at += 3;
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.bytes.len();
        if block { self.unclosed_block(start) } else { self.unclosed_string(start, "\"") }
    }

    pub(super) fn raw_string(&mut self) {
        let start = self.at;
        let rest = self.bytes.get(start + 1..).unwrap_or_default();
        let length = rest.iter().position(|b| matches!(b, b'\'' | b'\n')).unwrap_or(rest.len());
        self.at = start + 1 + length;
        if self.byte(self.at) == b'\'' {
            self.at += 1;
        } else {
            self.unclosed_string(start, "'");
        }
    }

    /// A string whose line is over.
    pub(super) fn unclosed_string(&mut self, start: usize, quote: &'static str) {
        self.problems.unclosed = true;
        if let Some(hole) = self.open.iter().position(|open| open.kind == Kind::Hole { block: false }) {
            self.unclosed_hole(hole);
            return;
        }
        if self.mending.is_none() {
            return;
        }
        let line = self.slice(start + 1, self.at);
        // Brackets and a brace at the line's end were rather meant to stand behind the string.
        let mut kept = line.trim_end();
        if let Some(before) = kept.strip_suffix(" {") {
            kept = before;
        } else if !self.open.is_empty() {
            kept = kept.trim_end_matches([')', ']', '}', ',', ' ']);
        }
        let end = start + 1 + kept.len();
        let from = self.open.iter().rfind(|open| matches!(open.kind, Kind::Hole { .. }));
        let message = if from.is_some() { "the string in this hole is not closed" } else { "the string is not closed" };
        self.insert(end, quote);
        let span = Span::new(self.file, start, end);
        self.diagnostics.push(
            Diagnostic::new(Code::UNCLOSED, span, message)
                .here(format!("expected `{quote}` before the line ends"))
                .help("a string of several lines stands between `\"\"\"`")
                .suggest(format!("add `{quote}`"), span.after(), quote),
        );
        self.at = end;
    }

    /// A `"""` that nothing closes: all that follows is its text.
    pub(super) fn unclosed_block(&mut self, start: usize) {
        self.problems.unclosed = true;
        if self.mending.is_none() {
            return;
        }
        if let Some(hole) = self.open.iter().position(|open| matches!(open.kind, Kind::Hole { .. })) {
            self.unclosed_hole(hole);
            return;
        }
        self.forget_since(start + 1);
        let span = Span::new(self.file, start, start + 3);
        self.diagnostics.push(Diagnostic::new(Code::UNCLOSED, span, "this `\"\"\"` is not closed"));
        let end = self.bytes.len();
        self.blank(start + 3, end);
        self.insert(end, "\"\"\"");
        // What is still open was swallowed by the string.
        while let Some(open) = self.open.pop() {
            self.insert(end, open.kind.close());
        }
    }

    /// Takes back what was found from an offset on: it is looked at anew.
    pub(super) fn forget_since(&mut self, at: usize) {
        while self.changes.pop_if(|change| change.start >= at).is_some() {}
        while self.diagnostics.pop_if(|known| known.span.start as usize >= at).is_some() {}
        while self.comments.pop_if(|comment| comment.0 as usize >= at).is_some() {}
    }

    /// A hole that its string's line, or the text, ends in. It becomes blank text, up to the next quote.
    pub(super) fn unclosed_hole(&mut self, place: usize) {
        self.problems.unclosed = true;
        let Some(hole) = self.open.get(place).copied() else { return };
        if self.mending.is_none() {
            self.open.truncate(place);
            self.at += usize::from(self.byte(self.at) == b'\n');
            return;
        }
        self.forget_since(hole.at);
        let block = hole.kind == Kind::Hole { block: true };
        let quote = if block { "\"\"\"" } else { "\"" };
        let limit = if block { self.bytes.len() } else { self.line_end(hole.at) };
        let found = self.slice(hole.at, limit).find(quote).map(|found| hole.at + found);
        let span = Span::new(self.file, hole.at, hole.at + 2);
        let diagnostic =
            Diagnostic::new(Code::UNCLOSED, span, "this `{{` is not closed").here("expected `}}` after the expression");
        let diagnostic = match found {
            Some(end) if !block => diagnostic.suggest("add `}}`", Span::new(self.file, end, end), "}}"),
            _ => diagnostic.help("write `\\{{` for two braces"),
        };
        self.diagnostics.push(diagnostic);
        self.open.truncate(place);
        let end = found.unwrap_or(limit);
        self.blank(hole.at, end);
        if found.is_none() {
            self.insert(end, quote);
        }
        self.at = end + if found.is_some() { quote.len() } else { 0 };
    }

    /// `“text”` and `‘text’`.
    pub(super) fn typeset_quote(&mut self) {
        let quote = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some('“' | '”' | '„') => "\"",
            Some('‘' | '’' | '‚') => "'",
            _ => {
                self.at += 1;
                return;
            }
        };
        self.problems.quotes = true;
        let start = self.at;
        let line = self.slice(start + 3, self.line_end(start));
        let Some(length) = line.find(['”', '“', '’', '‘']) else {
            self.at += 3;
            if self.mending.is_some() {
                self.blank(start, start + 3);
                let span = Span::new(self.file, start, start + 3);
                self.diagnostics.push(Diagnostic::new(
                    Code::SYNTAX,
                    span,
                    "strings stand between straight quotes `\"`",
                ));
            }
            return;
        };
        let end = start + 3 + length;
        self.at = end + 3;
        if self.mending.is_none() {
            return;
        }
        let (open, close) = (Span::new(self.file, start, start + 3), Span::new(self.file, end, end + 3));
        let edits = vec![Edit { span: open, text: quote.to_owned() }, Edit { span: close, text: quote.to_owned() }];
        self.diagnostics.push(
            Diagnostic::new(Code::SYNTAX, open.to(close), "strings stand between straight quotes `\"`").with_fix(Fix {
                title: "use straight quotes".to_owned(),
                edits,
                safe: true,
            }),
        );
        self.blank(start, end + 3);
        if let Some(last) = self.changes.last_mut() {
            // The text itself is not worth keeping: what is wrong is told.
            last.text = format!("{quote}{}{quote}", " ".repeat(end + 1 - start));
        }
    }
}
