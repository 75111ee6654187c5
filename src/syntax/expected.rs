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
        Rule::no_close => "a closing bracket",
        _ => "something else",
    }
}

impl Builder<'_> {
    /// Reports a mark; pairs that mark nothing are passed over.
    pub(super) fn missing(&mut self, mark: &Pair<'_>) {
        let what = words(mark.as_rule());
        if what != "something else" {
            self.expected(mark.as_span().start(), what);
        }
    }

    /// Reports that `what` was expected at an offset, unless something was already reported there.
    pub(super) fn expected(&mut self, at: usize, what: &str) {
        let (found, label) = self.found(at);
        if self.diagnostics.iter().rev().take(8).any(|known| known.span == found) {
            return;
        }
        let before = match self.token_before(at) {
            Some(token) => format!(" after `{token}`"),
            None => String::new(),
        };
        let diagnostic = Diagnostic::new(Code::SYNTAX, found, format!("expected {what}{before}, found {label}"));
        self.report(diagnostic.here(format!("expected {what}")));
    }

    /// The token at an offset, and words for it.
    pub(super) fn found(&self, at: usize) -> (Span, String) {
        let rest = self.text.get(at..).unwrap_or_default();
        let length = token_length(rest);
        let span = Span::new(self.file, at, at + length);
        match rest.get(..length) {
            None | Some("") => (span, "the end of the file".to_owned()),
            Some(token) if token.len() > 40 => (span, "this".to_owned()),
            Some(token) => (span, format!("`{token}`")),
        }
    }

    /// The last token before an offset, if it is short enough to be quoted.
    fn token_before(&self, at: usize) -> Option<&str> {
        let end = self.trim(0, at);
        let text = self.text.get(..end)?;
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
