//! Strings and numbers: escapes, holes, dedented blocks, durations.

use super::ast::{Expr, ExprKind, Literal, Name, TemplatePart};
use super::parse::{Builder, Pair, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::types::Text;

impl Builder<'_> {
    /// A string literal as an expression: a literal where it has no holes.
    pub(super) fn string(&mut self, pair: Pair<'_>) -> Expr {
        let span = self.span(&pair);
        let mut parts = self.string_parts(pair);
        let kind = match parts.as_mut_slice() {
            [] => ExprKind::Literal(Literal::String(Text::default())),
            [TemplatePart::Text(text)] => ExprKind::Literal(Literal::String(std::mem::take(text))),
            _ => ExprKind::Template(parts),
        };
        Expr { id: self.fresh(), span, kind }
    }

    /// A string that may not have holes; reports those it has.
    pub(super) fn plain_string(&mut self, pair: Pair<'_>) -> Option<Text> {
        let span = self.span(&pair);
        match self.string(pair).kind {
            ExprKind::Literal(Literal::String(text)) => Some(text),
            _ => {
                let message = "this string must be plain text, without `{{ }}`";
                self.report(Diagnostic::new(Code::SYNTAX, span, message).here("has a hole"));
                None
            }
        }
    }

    /// A field's name: a word, or a string without holes.
    pub(super) fn field_name(&mut self, pair: Pair<'_>) -> Name {
        if pair.as_rule() == Rule::word {
            return self.name(&pair);
        }
        let span = self.span(&pair);
        Name { text: self.plain_string(pair).unwrap_or_default(), span }
    }

    fn string_parts(&mut self, pair: Pair<'_>) -> Vec<TemplatePart> {
        let raw = pair.as_str();
        if pair.as_rule() == Rule::raw_string {
            let text = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
            return vec![TemplatePart::Text(Text::new(text))];
        }
        let block = matches!(pair.as_rule(), Rule::block_string | Rule::plain_block);
        let dedent = if block { Dedent::of(&pair) } else { Dedent::default() };
        let quotes = if block { 3 } else { 1 };
        let (start, end) = (pair.start() + quotes, pair.end() - quotes);
        let mut parts = Vec::new();
        let mut text = String::new();
        for part in pair.into_inner() {
            let at = part.start();
            let piece = part.as_str();
            match part.as_rule() {
                Rule::hole => {
                    if !text.is_empty() {
                        parts.push(TemplatePart::Text(Text::new(&text)));
                        text.clear();
                    }
                    let hole = self.hole(part);
                    parts.push(TemplatePart::Hole(hole));
                }
                Rule::stray_hole => {
                    let span = self.span(&part);
                    parts.push(TemplatePart::Hole(self.error_expr(span)));
                }
                Rule::no_close => self.missing(&part),
                Rule::string_escape | Rule::block_escape => self.escape(piece, at, &mut text),
                _ if block => dedent.push(piece, at, (start, end), &mut text),
                _ => text.push_str(piece),
            }
        }
        if !text.is_empty() {
            parts.push(TemplatePart::Text(Text::new(&text)));
        }
        parts
    }

    fn hole(&mut self, pair: Pair<'_>) -> Expr {
        let span = self.span(&pair);
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => value = Some(self.expr(part)),
                _ => self.missing(&part),
            }
        }
        value.unwrap_or_else(|| self.error_expr(span))
    }

    fn escape(&mut self, escape: &str, at: usize, text: &mut String) {
        match escape {
            "\\n" => text.push('\n'),
            "\\t" => text.push('\t'),
            "\\r" => text.push('\r'),
            "\\\"" => text.push('"'),
            "\\\\" => text.push('\\'),
            "\\{{" => text.push_str("{{"),
            _ => match escape.strip_prefix("\\u{").and_then(unicode) {
                Some(c) => text.push(c),
                None => self.bad_escape(escape, at),
            },
        }
    }

    fn bad_escape(&mut self, escape: &str, at: usize) {
        let span = self.span_of(at, at + escape.len());
        let bare = escape.get(1..).unwrap_or_default();
        let diagnostic = if escape.starts_with("\\u") {
            Diagnostic::new(Code::BAD_ESCAPE, span, format!("`{escape}` is no character"))
                .help("write the character's number in hexadecimal: `\\u{1F600}`")
        } else {
            Diagnostic::new(Code::BAD_ESCAPE, span, format!("`{}` is no escape", escape.trim_end()))
                .help(
                    "there are `\\n`, `\\t`, `\\r`, `\\\"`, `\\\\`, `\\u{1F600}` and `\\{{`; `'…'` takes text as it is",
                )
                .suggest("write the backslash twice", span, format!("\\\\{bare}"))
        };
        self.report(diagnostic);
    }

    /// The value of a number or duration; 0 where it has none.
    pub(super) fn number(&mut self, pair: &Pair<'_>, negative: bool) -> Literal {
        let span = self.span(pair);
        match number(pair.as_str(), negative) {
            Ok(value) => value,
            Err(why) => {
                self.report(Diagnostic::new(Code::BAD_LITERAL, span, why));
                Literal::Int(0)
            }
        }
    }
}

/// The character of `1F600}`.
fn unicode(rest: &str) -> Option<char> {
    let digits = rest.strip_suffix('}')?;
    if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
}

const UNITS: [(&str, i64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The value of a number or duration as written, or what is wrong with it.
fn number(text: &str, negative: bool) -> Result<Literal, String> {
    let split = unit_start(text);
    let (digits, unit) = text.split_at(split);
    let plain = digits.replace('_', "");
    let sign = if negative { "-" } else { "" };
    let is_float = plain.contains(['.', 'e', 'E']);
    if digits.ends_with('_') || digits.contains("__") {
        return Err(format!("`{text}` is no number: `_` stands between digits"));
    }
    if unit.is_empty() && is_float {
        return match format!("{sign}{plain}").parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Literal::Float(value)),
            _ => Err(format!("`{sign}{text}` is too large for a float")),
        };
    }
    if unit.is_empty() {
        return match format!("{sign}{plain}").parse::<i64>() {
            Ok(value) => Ok(Literal::Int(value)),
            Err(_) => Err(format!("`{sign}{text}` does not fit an int of 64 bits")),
        };
    }
    let Some((_, size)) = UNITS.iter().find(|(known, _)| *known == unit) else {
        return Err(format!("`{text}` is no number: there is no unit `{unit}`, only `ms`, `s`, `m`, `h` and `d`"));
    };
    if is_float {
        return Err(format!("`{text}` is no duration: write a whole number of a smaller unit"));
    }
    let millis = format!("{sign}{plain}").parse::<i64>().ok().and_then(|count| count.checked_mul(*size));
    millis.map(Literal::Duration).ok_or_else(|| format!("`{sign}{text}` is too long for a duration"))
}

/// Where what follows the digits begins. An exponent belongs to the digits.
fn unit_start(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' | b'_' | b'.' => at += 1,
            b'e' | b'E' if digit(at + 1) || (matches!(bytes.get(at + 1), Some(b'+' | b'-')) && digit(at + 2)) => {
                at += 2;
            }
            _ => break,
        }
    }
    at
}

/// How a `"""` string loses its first and last line break and its indentation.
#[derive(Default)]
struct Dedent {
    /// The closing quotes' indentation.
    width: usize,
    /// Whether the opening quotes end their line.
    first_break: usize,
    /// Where the last line break before the closing quotes is; the string's end where they follow other text.
    last_break: usize,
}

impl Dedent {
    fn of(pair: &Pair<'_>) -> Self {
        let all = pair.as_str();
        let start = pair.start() + 3;
        let inner = all.get(3..all.len().saturating_sub(3)).unwrap_or_default();
        let first = inner.len() - inner.trim_start_matches([' ', '\t', '\r']).len();
        let first_break =
            if inner.get(first..).is_some_and(|rest| rest.starts_with('\n')) { start + first + 1 } else { start };
        let mut this = Self { width: 0, first_break, last_break: start + inner.len() };
        if let Some(last) = inner.rfind('\n') {
            let indent = inner.get(last + 1..).unwrap_or_default();
            if indent.trim().is_empty() {
                this.width = indent.len();
                let before = inner.get(..last).unwrap_or_default();
                this.last_break = (start + before.trim_end_matches('\r').len()).max(first_break);
            }
        }
        this
    }

    /// Adds a piece of text that starts at an offset of the file, without what dedenting takes off.
    fn push(&self, piece: &str, at: usize, inner: (usize, usize), text: &mut String) {
        let from = self.first_break.max(inner.0).saturating_sub(at).min(piece.len());
        let to = self.last_break.saturating_sub(at).clamp(from, piece.len());
        let Some(kept) = piece.get(from..to) else { return };
        let mut line_start = at + from == self.first_break && self.first_break > inner.0;
        for line in kept.split_inclusive('\n') {
            let line = if line_start { line.get(indent(line, self.width)..).unwrap_or_default() } else { line };
            match line.strip_suffix('\n') {
                // However many carriage returns stand before it, it is one line break.
                Some(line) => {
                    text.push_str(line.trim_end_matches('\r'));
                    text.push('\n');
                }
                None => text.push_str(line),
            }
            line_start = true;
        }
    }
}

/// How many bytes of white space at the start of a line are taken off.
fn indent(line: &str, width: usize) -> usize {
    line.bytes().take(width).take_while(|b| matches!(b, b' ' | b'\t')).count()
}
