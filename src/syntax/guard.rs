//! A quick look over the text before the grammar sees it: size, nesting, brackets that do not match, and where the
//! comments are. Recursive descent meets deep input with the stack, so what is too deep is refused here.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};

/// The largest file that is read, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting of brackets and holes.
pub(super) const MAX_DEPTH: usize = 64;

/// What a scan finds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Comments, from `//` to the end of the line, in order.
    pub(super) comments: Vec<(u32, u32)>,
    /// Why the text must not be parsed at all.
    pub(super) refused: Option<Diagnostic>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Paren,
    Bracket,
    Brace,
    /// `{{` in a string of one line or of several.
    Hole {
        block: bool,
    },
}

/// Looks over a text.
pub(super) fn scan(text: &str, file: FileId) -> Scan {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, and at most {MAX_BYTES} are read", text.len());
        let refused = Diagnostic::new(Code::TOO_LARGE, Span::new(file, 0, 0), message)
            .help("split it into several files and import them with `use`");
        return Scan { comments: Vec::new(), refused: Some(refused) };
    }
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, open: Vec::new(), found: Scan::default(), file };
    scanner.code();
    scanner.found
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Open>,
    found: Scan,
    file: FileId,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn starts_with(&self, text: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text.as_bytes()))
    }

    fn code(&mut self) {
        while self.at < self.bytes.len() && self.found.refused.is_none() {
            match self.peek(0) {
                b'"' if self.starts_with("\"\"\"") => {
                    self.at += 3;
                    self.string(true);
                }
                b'"' => {
                    self.at += 1;
                    self.string(false);
                }
                b'\'' => {
                    let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
                    let length = rest.iter().position(|b| matches!(b, b'\'' | b'\n')).unwrap_or(rest.len());
                    self.at += length + 2;
                }
                b'/' if self.peek(1) == b'/' => {
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                    self.found.comments.push((self.at as u32, (self.at + length) as u32));
                    self.at += length;
                }
                b'(' => self.enter(Open::Paren, 1),
                b'[' => self.enter(Open::Bracket, 1),
                b'{' => self.enter(Open::Brace, 1),
                b')' => self.leave(Open::Paren),
                b']' => self.leave(Open::Bracket),
                b'}' => match self.open.last() {
                    Some(Open::Hole { block }) if self.peek(1) == b'}' => {
                        let block = *block;
                        self.open.pop();
                        self.at += 2;
                        self.string(block);
                    }
                    _ => self.leave(Open::Brace),
                },
                _ => self.at += 1,
            }
        }
    }

    /// The inside of a string, up to its end or its next hole.
    fn string(&mut self, block: bool) {
        while self.at < self.bytes.len() {
            match self.peek(0) {
                b'\\' if self.starts_with("\\{{") => self.at += 3,
                b'\\' => self.at += 2,
                b'{' if self.peek(1) == b'{' => return self.enter(Open::Hole { block }, 2),
                b'"' if !block => {
                    self.at += 1;
                    return;
                }
                b'\n' if !block => return,
                b'"' if self.starts_with("\"\"\"") => {
                    self.at += 3;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    fn enter(&mut self, open: Open, width: usize) {
        if self.open.len() == MAX_DEPTH {
            let span = Span::new(self.file, self.at, self.at + width);
            let refused =
                Diagnostic::new(Code::TOO_DEEP, span, format!("brackets nest deeper than {MAX_DEPTH} levels"))
                    .help("name the inner parts with `let`, or move them into a `fn` or `flow`");
            self.found.refused = Some(refused);
            return;
        }
        self.open.push(open);
        self.at += width;
    }

    fn leave(&mut self, open: Open) {
        if self.open.last() == Some(&open) {
            self.open.pop();
        }
        self.at += 1;
    }
}
