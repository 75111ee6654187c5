//! Words for what was expected and what was found.

use super::parse::{Builder, Pair, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// What a mark of the grammar's last section stands for.
fn words(rule: Rule) -> &'static str {
    match rule {
        Rule::no_expr => "an expression",
        Rule::no_name => "a name",
        Rule::no_type => "a type",
        Rule::no_string => "a string",
        Rule::no_block => "`{`",
        Rule::no_params | Rule::no_args => "`(`",
        Rule::no_action => "a call or a block",
        Rule::no_call => "a call",
        Rule::no_pattern => "a pattern",
        Rule::no_answer => "`=>` or `fails`",
        Rule::no_eq => "`=`",
        Rule::no_colon => "`:`",
        Rule::no_in => "`in`",
        Rule::no_from => "`from`",
        Rule::no_max => "`max` and a number",
        Rule::no_then => "`then`",
        Rule::no_else => "`else`",
        Rule::no_arrow => "`=>`",
        Rule::no_item => "`flow`, `fn`, `type`, `tool` or `test`",
        Rule::skip_to_brace => "`,` or `}`",
        Rule::skip_to_paren => "`,` or `)`",
        Rule::skip_to_bracket => "`,` or `]`",
        Rule::skip_to_hole => "`}}`",
        Rule::no_comma => "`,`",
        Rule::no_angle => "`,` or `>`",
        Rule::no_close => "a closing bracket",
        _ => "something else",
    }
}

impl<'a> Builder<'a> {
    /// Reports a mark; pairs that mark nothing are passed over.
    pub(super) fn missing(&mut self, mark: &Pair<'_>) {
        let what = words(mark.as_rule());
        let at = mark.start();
        if what == "something else" {
            return;
        }
        let place = self.place(at);
        if mark.as_rule() == Rule::no_comma {
            self.missing_comma(at, place);
            return;
        }
        let Some(diagnostic) = self.expectation(at, place, what) else { return };
        let returns = mark.as_rule() == Rule::no_expr && self.token_before(at) == Some("return");
        self.report(if returns {
            diagnostic.suggest("return `null`", place.before(), " null").help("a `return` always has a value")
        } else {
            diagnostic
        });
    }

    /// Of several commas missing on one line only the first is told: the line is probably no list at all.
    fn missing_comma(&mut self, at: usize, place: Span) {
        let told = self.diagnostics.last().is_some_and(|last| {
            let between = Span { start: last.span.start, end: place.start.max(last.span.start), ..place };
            last.message.starts_with("expected `,`") && !self.slice(between).contains('\n')
        });
        if told {
            return;
        }
        let behind = self.trim(0, at);
        let behind = self.span_of(behind, behind);
        if let Some(diagnostic) = self.expectation(at, place, "`,`") {
            self.report(diagnostic.suggest("add `,`", behind, ","));
        }
    }

    /// Reports that `what` was expected at an offset, unless something was already reported there.
    pub(super) fn expected(&mut self, at: usize, what: &str) {
        let place = self.place(at);
        if let Some(diagnostic) = self.expectation(at, place, what) {
            self.report(diagnostic);
        }
    }

    /// Where a missing thing is told: at the token that stands in its place, or, where that begins another line, behind
    /// the last one.
    fn place(&self, at: usize) -> Span {
        let (end, at) = (self.trim(0, at), self.skip_trivia(at));
        if end > 0 && self.between(end, at).contains('\n') {
            return self.span_of(end, end);
        }
        self.found(at).0
    }

    fn expectation(&self, at: usize, place: Span, what: &str) -> Option<Diagnostic> {
        let told = |known: &Diagnostic| known.span == place || known.span.after() == place;
        if self.is_mended(at) || self.diagnostics.iter().rev().take(8).any(told) {
            return None;
        }
        let before = match self.token_before(at) {
            Some(token) => format!(" after `{token}`"),
            None => String::new(),
        };
        let (_, found) = self.found(self.skip_trivia(at));
        let diagnostic = Diagnostic::new(Code::SYNTAX, place, format!("expected {what}{before}, found {found}"));
        Some(diagnostic.here(format!("expected {what}")))
    }

    /// The token at an offset, and words for it.
    pub(super) fn found(&self, at: usize) -> (Span, String) {
        let rest = self.rest(at);
        let length = token_length(rest);
        let span = self.span_of(at, at + length);
        match rest.get(..length) {
            None | Some("") => (span, "the end of the file".to_owned()),
            Some(token) if token.len() > 40 => (span, "this".to_owned()),
            Some(token) => (span, format!("`{token}`")),
        }
    }

    /// The last token before an offset, if it is short enough to be quoted.
    fn token_before(&self, at: usize) -> Option<&'a str> {
        let text = self.before(at);
        let last = text.chars().next_back()?;
        let start = if last.is_ascii_alphanumeric() || last == '_' {
            text.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |found| found + 1)
        } else if last == '"' || last == '\'' {
            return None;
        } else {
            let pair = text.len().checked_sub(2).and_then(|start| text.get(start..));
            let width = if matches!(pair, Some("=>" | "==" | "!=" | "<=" | ">=" | "??" | "?." | ".." | "->" | "{{")) {
                2
            } else {
                last.len_utf8()
            };
            text.len() - width
        };
        text.get(start..).filter(|token| token.len() <= 30)
    }
}

/// How long the token at the start of a text is.
fn token_length(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    if first.is_alphanumeric() || first == '_' {
        return text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    }
    if first == '"' || first == '\'' {
        let rest = text.get(1..).unwrap_or_default();
        return rest.find([first, '\n']).map_or(text.len(), |end| end + 2).min(text.len());
    }
    let wide = ["...", "===", "!==", "=>", "==", "!=", "<=", ">=", "??", "?.", "..", "->", "&&", "||", "}}", "{{"];
    wide.iter().find(|token| text.starts_with(**token)).map_or(first.len_utf8(), |token| token.len())
}
