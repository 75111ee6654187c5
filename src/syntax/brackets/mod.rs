//! Brackets and strings, lexed without the grammar. A first look only says whether they match. Where they do not, a
//! second one mends them, by the layout where that is telling: a block whose lines are over is missing its `}` where
//! they end, not at the end of the file.

mod layout;
mod loose;
mod nesting;
mod strings;

use super::guard::Change;
use crate::diagnostic::Diagnostic;
use crate::source::FileId;

/// Which kinds of mistakes a text has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Problems {
    /// Something is opened and not closed.
    unclosed: bool,
    /// Something is closed that is not open.
    stray: bool,
    /// Quotes of a typesetter.
    quotes: bool,
}

/// What a first look finds.
pub(super) struct Look {
    pub(super) comments: Vec<(u32, u32)>,
    pub(super) problems: Problems,
    pub(super) refused: Option<Diagnostic>,
}

/// Looks whether brackets and strings match.
pub(super) fn look(text: &str, file: FileId) -> Look {
    let mut scanner = Scanner::new(text, file, None);
    scanner.run();
    Look { comments: scanner.comments, problems: scanner.problems, refused: scanner.refused }
}

/// Mends a text whose brackets or strings do not match.
pub(super) fn mend(text: &str, file: FileId, problems: Problems) -> (Vec<Change>, Vec<Diagnostic>) {
    let mut scanner = Scanner::new(text, file, Some(problems));
    scanner.run();
    (scanner.changes, scanner.diagnostics)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Paren,
    Bracket,
    Brace,
    /// `{{` in a string of one line, or of several.
    Hole {
        block: bool,
    },
}

impl Kind {
    fn open(self) -> &'static str {
        match self {
            Kind::Paren => "(",
            Kind::Bracket => "[",
            Kind::Brace => "{",
            Kind::Hole { .. } => "{{",
        }
    }

    fn close(self) -> &'static str {
        match self {
            Kind::Paren => ")",
            Kind::Bracket => "]",
            Kind::Brace => "}",
            Kind::Hole { .. } => "}}",
        }
    }
}

/// An open bracket.
#[derive(Clone, Copy, Debug)]
struct Open {
    kind: Kind,
    at: usize,
    /// Where the string of a hole starts.
    string: usize,
    /// How far its line is indented.
    indent: usize,
    /// How far the first line after it is indented.
    body: Option<usize>,
    /// What nested without brackets where it was opened.
    loose: Loose,
}

/// How deep what needs no brackets nests.
#[derive(Clone, Copy, Debug, Default)]
struct Loose {
    /// Type arguments.
    angles: usize,
    /// `then if`, `+ if`, `try try`.
    words: usize,
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    file: FileId,
    at: usize,
    open: Vec<Open>,
    comments: Vec<(u32, u32)>,
    problems: Problems,
    refused: Option<Diagnostic>,
    /// What a first look found, when this is the second.
    mending: Option<Problems>,
    /// How far the current line is indented; kept while mending.
    indent: usize,
    /// What nests without brackets, beside `open`.
    loose: Loose,
    changes: Vec<Change>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, file: FileId, mending: Option<Problems>) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            file,
            at: 0,
            open: Vec::new(),
            comments: Vec::new(),
            problems: Problems::default(),
            refused: None,
            mending,
            indent: 0,
            loose: Loose::default(),
            changes: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn starts_with(&self, token: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(token.as_bytes()))
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn line_end(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
    }

    fn run(&mut self) {
        if self.mending.is_some() {
            self.new_line(0);
        }
        self.rest();
        if self.refused.is_none() {
            self.end();
        }
    }

    /// The text from here on, unless it is refused.
    fn rest(&mut self) {
        while self.at < self.bytes.len() && self.refused.is_none() {
            self.code();
        }
    }

    /// One token outside of strings.
    fn code(&mut self) {
        match self.byte(self.at) {
            b'"' => {
                let start = self.at;
                let block = self.starts_with("\"\"\"");
                self.at += if block { 3 } else { 1 };
                self.string(start, block);
            }
            b'\'' => self.raw_string(),
            b'/' if self.byte(self.at + 1) == b'/' => {
                let end = self.line_end(self.at);
                self.comments.push((self.at as u32, end as u32));
                self.at = end;
            }
            b'(' => self.enter(Kind::Paren),
            b'[' => self.enter(Kind::Bracket),
            b'{' => self.enter(Kind::Brace),
            b')' => self.leave(Kind::Paren),
            b']' => self.leave(Kind::Bracket),
            b'}' => self.leave_brace(),
            b'\n' => self.line_break(),
            b'-' if self.byte(self.at + 1) == b'>' => self.arrow(),
            b'<' | b'>' => self.angle(),
            b't' | b'i' | b'e' => self.word(),
            0xE2 => self.typeset_quote(),
            _ => self.at += 1,
        }
    }

    fn line_break(&mut self) {
        if let Some(hole) = self.open.iter().position(|open| open.kind == Kind::Hole { block: false }) {
            self.unclosed_hole(hole);
            return;
        }
        if self.loose.angles > 0 && !matches!(self.byte_before(self.at), b'<' | b',' | b'|') {
            // Type arguments end with the line, save where more must follow: what is left were comparisons.
            self.loose.angles = self.open.last().map_or(0, |open| open.loose.angles);
        }
        self.at += 1;
        if self.mending.is_some() {
            self.new_line(self.at);
        }
    }

    /// What is open at the end of the text.
    fn end(&mut self) {
        if let Some(hole) = self.open.iter().position(|open| matches!(open.kind, Kind::Hole { .. })) {
            self.unclosed_hole(hole);
            self.rest();
        }
        // Of several blocks that run to the end, the innermost is the one whose `}` was forgotten.
        let mut told = false;
        while let Some(open) = self.open.last() {
            if told && open.kind == Kind::Brace {
                let close = open.kind.close();
                self.open.pop();
                let at = self.token_end(self.bytes.len());
                self.insert(at, close);
            } else {
                told |= open.kind == Kind::Brace;
                self.unclosed_here(self.bytes.len());
            }
        }
    }

    /// The end of the last token before an offset.
    fn token_end(&self, before: usize) -> usize {
        let mut end = before;
        loop {
            while end > 0 && self.byte(end - 1).is_ascii_whitespace() {
                end -= 1;
            }
            match self.comments.binary_search_by_key(&end, |comment| comment.1 as usize) {
                Ok(found) => end = self.comments.get(found).map_or(0, |comment| comment.0 as usize),
                Err(_) => return end,
            }
        }
    }

    /// The last byte of the last token before an offset.
    fn byte_before(&self, before: usize) -> u8 {
        self.token_end(before).checked_sub(1).map_or(0, |at| self.byte(at))
    }

    fn insert(&mut self, at: usize, text: &str) {
        if self.mending.is_some() {
            self.changes.push(Change { start: at, end: at, text: text.to_owned() });
        }
    }

    fn blank(&mut self, start: usize, end: usize) {
        let text = self.slice(start, end).bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
        self.changes.push(Change { start, end, text });
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
