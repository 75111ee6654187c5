//! Brackets and strings, lexed without the grammar. A first look only says whether they match. Where they do not, a
//! second one mends them, by the layout where that is telling: a block whose lines are over is missing its `}` where
//! they end, not at the end of the file.

use super::guard::{Change, MAX_DEPTH};
use super::words;
use crate::diagnostic::{Code, Diagnostic, Edit, Fix};
use crate::source::{FileId, Span};

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

    // ── strings ──

    /// The inside of a string that starts at an offset, up to its end or its next hole.
    fn string(&mut self, start: usize, block: bool) {
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

    fn raw_string(&mut self) {
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
    fn unclosed_string(&mut self, start: usize, quote: &'static str) {
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
    fn unclosed_block(&mut self, start: usize) {
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
    fn forget_since(&mut self, at: usize) {
        while self.changes.pop_if(|change| change.start >= at).is_some() {}
        while self.diagnostics.pop_if(|known| known.span.start as usize >= at).is_some() {}
        while self.comments.pop_if(|comment| comment.0 as usize >= at).is_some() {}
    }

    /// A hole that its string's line, or the text, ends in. It becomes blank text, up to the next quote.
    fn unclosed_hole(&mut self, place: usize) {
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
    fn typeset_quote(&mut self) {
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

    // ── brackets ──

    fn enter(&mut self, kind: Kind) {
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
    fn arrow(&mut self) {
        if self.mending.is_some_and(|found| found.unclosed) {
            while self.open.last().is_some_and(|open| open.kind == Kind::Paren) {
                self.unclosed_here(self.at);
            }
        }
        self.at += 2;
    }

    fn enter_hole(&mut self, string: usize, block: bool) {
        self.enter(Kind::Hole { block });
        if let Some(open) = self.open.last_mut() {
            open.string = string;
        }
    }

    /// `if f(x {`: a brace behind an operand begins a block, so brackets before it on the line are not closed.
    fn block_in_brackets(&mut self) {
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

    fn depth(&self) -> usize {
        self.open.len() + self.loose.angles + self.loose.words
    }

    /// The innermost bracket is closed.
    fn pop(&mut self) {
        if let Some(open) = self.open.pop() {
            self.loose = open.loose;
        }
    }

    fn refuse(&mut self, width: usize, what: &str) {
        let span = Span::new(self.file, self.at, self.at + width);
        self.refused = Some(
            Diagnostic::new(Code::TOO_DEEP, span, format!("{what} deeper than {MAX_DEPTH} levels"))
                .help("name the inner parts with `let`, or move them into a `fn`, `flow` or `type`"),
        );
    }

    fn leave_brace(&mut self) {
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
    fn half_closed_hole(&mut self) {
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

    fn leave(&mut self, kind: Kind) {
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
    fn wrong_kind(&mut self, kind: Kind) {
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
    fn stray(&mut self, kind: Kind) {
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
    fn unclosed_here(&mut self, before: usize) {
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

    // ── layout, looked at while mending only ──

    /// A line begins: notes its indentation, and closes what its layout says is over.
    fn new_line(&mut self, start: usize) {
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
    fn close_by_layout(&mut self) {
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
    fn is_extra_brace(&self, kind: Kind) -> bool {
        let Some(open) = self.open.last() else { return false };
        kind == Kind::Brace
            && self.mending.is_some_and(|found| found.stray)
            && self.begins_line()
            && open.body.is_some_and(|body| body > open.indent && self.indent >= body)
    }

    /// Whether only white space stands before the current offset on its line.
    fn begins_line(&self) -> bool {
        let before = self.bytes.get(..self.at).unwrap_or_default();
        let first = before.iter().rev().find(|b| !matches!(b, b' ' | b'\t' | b'\r'));
        first.is_none_or(|b| *b == b'\n')
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

    // ── what nests without brackets ──

    fn angle(&mut self) {
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
    fn word(&mut self) {
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
    fn nests_if(&self, start: usize) -> bool {
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
    fn word_before(&self, start: usize) -> &'a str {
        let end = self.token_end(start);
        let before = self.bytes.get(..end).unwrap_or_default();
        let length = before.iter().rev().take(8).take_while(|b| is_word(**b)).count();
        self.slice(end - length, end)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
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
