//! Reserved words.

use super::ast::Name;
use super::parse::Builder;
use crate::diagnostic::{Code, Diagnostic};

/// Words that name values: reserved, yet expressions.
const VALUES: [&str; 7] = ["true", "false", "null", "input", "prev", "run", "secrets"];

/// Words that begin or join something.
const KEYWORDS: [&str; 30] = [
    "let", "var", "set", "step", "if", "then", "else", "match", "for", "in", "parallel", "race", "repeat", "do", "try",
    "catch", "finally", "yield", "return", "fail", "emit", "break", "continue", "mock", "assert", "and", "or", "not",
    "is", "as",
];

/// Whether a word begins or joins something, so that it cannot be an expression.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// Whether a word cannot be declared.
pub fn is_reserved(word: &str) -> bool {
    VALUES.contains(&word) || is_keyword(word)
}

/// Whether a word begins a statement.
pub(super) fn begins_statement(word: &str) -> bool {
    is_keyword(word)
        && !matches!(word, "then" | "else" | "in" | "catch" | "finally" | "and" | "or" | "not" | "is" | "as")
}

impl Builder<'_> {
    /// Reports a reserved word that is declared as a name.
    pub(super) fn check_declared(&mut self, name: &Name) {
        if is_reserved(&name.text) {
            let word = &name.text;
            self.report(
                Diagnostic::new(
                    Code::RESERVED_WORD,
                    name.span,
                    format!("`{word}` is a reserved word and cannot be a name"),
                )
                .suggest(format!("call it `{word}_`"), name.span, format!("{word}_")),
            );
        }
    }
}
