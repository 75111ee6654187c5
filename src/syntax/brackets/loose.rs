//! What nests without brackets: type arguments, `then if`, `+ if` and `try try`.

use super::{Scanner, is_word};
use crate::syntax::guard::MAX_DEPTH;

impl<'a> Scanner<'a> {
    pub(super) fn angle(&mut self) {
        let before = self.at.checked_sub(1).map_or(0, |at| self.byte(at));
        if self.byte(self.at) == b'>' {
            let base = self.open.last().map_or(0, |open| open.loose.angles);
            self.loose.angles = self.loose.angles.saturating_sub(1).max(base);
        } else if is_word(before) {
            self.loose.angles += 1;
            if self.depth() > MAX_DEPTH {
                self.refuse(1, "type arguments nest");
            }
        }
        self.at += 1;
    }

    /// `then if`, `+ if` and `try try`, which nest, and `else`, which ends an `if`; other words are passed over.
    pub(super) fn word(&mut self) {
        let start = self.at;
        self.at += 1;
        if start.checked_sub(1).is_some_and(|before| is_word(self.byte(before))) {
            return;
        }
        let rest = self.bytes.get(start..).unwrap_or_default();
        let is = |word: &str| rest.starts_with(word.as_bytes()) && !rest.get(word.len()).is_some_and(|b| is_word(*b));
        if is("else") {
            if self.byte_before(start) != b'.' {
                let base = self.open.last().map_or(0, |open| open.loose.words);
                self.loose.words = self.loose.words.saturating_sub(1).max(base);
            }
        } else if (is("if") && self.nests_if(start)) || (is("try") && self.word_before(start) == "try") {
            self.loose.words += 1;
            if self.depth() > MAX_DEPTH {
                self.at = start;
                self.refuse(2, "this nests");
            }
        }
    }

    /// Whether an `if` stands within another expression without brackets.
    pub(super) fn nests_if(&self, start: usize) -> bool {
        let end = self.token_end(start);
        let before = self.bytes.get(..end).unwrap_or_default();
        match before {
            [.., b'=', b'>'] => false,
            [.., b'=' | b'!' | b'<' | b'>', b'='] => true,
            [.., b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'?' | b'&' | b'|'] => true,
            _ => matches!(self.word_before(start), "then" | "if" | "and" | "or" | "in"),
        }
    }

    /// The word before an offset.
    pub(super) fn word_before(&self, start: usize) -> &'a str {
        let end = self.token_end(start);
        let before = self.bytes.get(..end).unwrap_or_default();
        let length = before.iter().rev().take(8).take_while(|b| is_word(**b)).count();
        self.slice(end - length, end)
    }
}
