//! Strings and numbers, spelled as they are in the source. Holes are laid out anew; a `"""` string moves to where it
//! stands, its value unchanged.

use super::Printer;
use super::doc::Doc;
use crate::source::Span;
use crate::syntax::ast::{Comment, Expr, ExprKind, Literal, TemplatePart};

/// A piece of a string literal's source.
enum Piece {
    /// Text as it is spelled.
    Text(String),
    /// A hole with its braces.
    Hole(String),
}

impl<'a> Printer<'a> {
    /// A string, with or without holes.
    pub(super) fn string(&mut self, expr: &'a Expr) -> Doc {
        let source = self.slice(expr.span);
        let holes: Vec<&'a Expr> = match &expr.kind {
            ExprKind::Template(parts) => parts.iter().filter_map(hole).collect(),
            _ => Vec::new(),
        };
        if !source.starts_with(['"', '\'']) {
            return self.spelled(expr);
        }
        if !source.starts_with("\"\"\"") {
            let pieces =
                if holes.is_empty() { vec![Piece::Text(source.to_owned())] } else { self.pieces(expr.span, 1, &holes) };
            let text: String = pieces
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) | Piece::Hole(text) => text,
                })
                .collect();
            return Doc::text(text);
        }
        if self.in_hole {
            return Doc::text(source);
        }
        let pieces = self.pieces(expr.span, 3, &holes);
        block_string(&pieces)
    }

    /// Text and holes between the quotes; for strings of one line, the quotes too.
    fn pieces(&mut self, span: Span, quotes: u32, holes: &[&'a Expr]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let block = quotes == 3;
        let mut at = if block { span.start + quotes } else { span.start };
        let end = if block { span.end.saturating_sub(quotes) } else { span.end };
        for hole in holes {
            let open = hole_start(self.between(at, end)).map_or(end, |found| at + found as u32);
            pieces.push(Piece::Text(self.between(at, open).to_owned()));
            at = self.hole_end(hole.span.end, end);
            pieces.push(Piece::Hole(self.hole(hole, Span { start: open, end: at, ..span })));
        }
        pieces.push(Piece::Text(self.between(at, end).to_owned()));
        pieces
    }

    /// Where a hole whose expression ends at an offset is closed.
    fn hole_end(&self, mut at: u32, limit: u32) -> u32 {
        while at < limit {
            let rest = self.between(at, limit);
            if rest.starts_with("}}") {
                return at + 2;
            }
            let comment = self.comments.binary_search_by_key(&at, |comment| comment.span.start);
            at = match comment.ok().and_then(|found| self.comments.get(found)) {
                Some(comment) => comment.span.end,
                None => at + rest.chars().next().map_or(1, char::len_utf8) as u32,
            };
        }
        limit
    }

    fn hole(&mut self, value: &'a Expr, span: Span) -> String {
        let within = |comment: &Comment| span.start <= comment.span.start && comment.span.start < span.end;
        if self.comments.iter().skip(self.next).take_while(|comment| comment.span.start < span.end).any(within) {
            // With a comment in it, a hole stays as it is.
            self.kept.push(span);
            return self.slice(span).to_owned();
        }
        // Comments that stand before the string are none of the hole's.
        let next = std::mem::replace(&mut self.next, self.comments.len());
        let nested = std::mem::replace(&mut self.in_hole, true);
        let doc = self.expr(value);
        self.in_hole = nested;
        self.next = next;
        braces(doc.flat_text().as_str())
    }

    /// A literal without a source, spelled from its value.
    fn spelled(&mut self, expr: &'a Expr) -> Doc {
        match &expr.kind {
            ExprKind::Literal(literal) => Doc::text(spell(literal)),
            ExprKind::Template(parts) => {
                let mut text = String::from("\"");
                for (at, part) in parts.iter().enumerate() {
                    match part {
                        TemplatePart::Text(part) => {
                            let before_hole = matches!(parts.get(at + 1), Some(TemplatePart::Hole(_)));
                            text.push_str(&escape(part, before_hole));
                        }
                        TemplatePart::Hole(value) => text.push_str(&self.hole(value, value.span)),
                    }
                }
                text.push('"');
                Doc::text(text)
            }
            _ => Doc::nil(),
        }
    }

    /// A literal as it is spelled in the source.
    pub(super) fn literal(&self, literal: &Literal, span: Span) -> Doc {
        let source = self.slice(span);
        if source.is_empty() { Doc::text(spell(literal)) } else { Doc::text(tight(source)) }
    }
}

fn hole(part: &TemplatePart) -> Option<&Expr> {
    match part {
        TemplatePart::Hole(value) => Some(value),
        TemplatePart::Text(_) => None,
    }
}

/// A sign and its number without white space between; other literals as they are.
fn tight(source: &str) -> String {
    match source.strip_prefix('-') {
        Some(number) => format!("-{}", number.trim_start()),
        None => source.to_owned(),
    }
}

/// A hole's text in its braces, apart from braces of its own.
fn braces(text: &str) -> String {
    if text.starts_with('{') || text.ends_with('}') { format!("{{{{ {text} }}}}") } else { format!("{{{{{text}}}}}") }
}

/// Where the first hole of a string's text opens.
fn hole_start(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        at += match byte {
            b'\\' if rest.starts_with(b"\\{{") => 3,
            b'\\' => 2,
            b'{' if rest.starts_with(b"{{") => return Some(at),
            _ => 1,
        };
    }
    None
}

/// A literal from its value.
pub(super) fn spell(literal: &Literal) -> String {
    match literal {
        Literal::Null => "null".to_owned(),
        Literal::Bool(value) => value.to_string(),
        Literal::Int(value) => value.to_string(),
        Literal::Float(value) => format!("{value:?}"),
        Literal::String(text) => format!("\"{}\"", escape(text, false)),
        Literal::Duration(millis) => spell_duration(*millis),
    }
}

fn spell_duration(millis: i64) -> String {
    const UNITS: [(&str, i64); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let (unit, size) = UNITS.into_iter().find(|(_, size)| millis % size == 0 && millis != 0).unwrap_or(("ms", 1));
    format!("{}{unit}", millis / size)
}

/// Text as it stands between quotes.
pub(super) fn escape(text: &str, before_hole: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '{' if chars.next_if_eq(&'{').is_some() => out.push_str("\\{{"),
            '{' if before_hole && chars.peek().is_none() => out.push_str("\\u{7B}"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:X}}}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// A `"""` string: its lines one level deeper, the closing quotes beside them.
fn block_string(pieces: &[Piece]) -> Doc {
    let width = closing_indent(pieces);
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    for piece in pieces {
        match piece {
            Piece::Hole(text) => current.push_str(text),
            Piece::Text(text) => {
                for (at, line) in text.split('\n').enumerate() {
                    if at > 0 {
                        lines.push(std::mem::take(&mut current).trim_end_matches('\r').to_owned());
                        let indent = line.bytes().take(width).take_while(|b| matches!(b, b' ' | b'\t')).count();
                        current.push_str(line.get(indent..).unwrap_or_default());
                    } else {
                        current.push_str(line);
                    }
                }
            }
        }
    }
    // Where the closing quotes move to a line of their own, a carriage return before them would be part of its break.
    let text = current.trim_end_matches('\r');
    lines.push(format!("{text}{}", "\\r".repeat(current.len() - text.len())));
    if lines.len() > 1 && lines.first().is_some_and(|line| line.trim_matches([' ', '\t', '\r']).is_empty()) {
        lines.remove(0);
    }
    let own_line = matches!(pieces.last(), Some(Piece::Text(text)) if text.rsplit_once('\n').is_some_and(|(_, last)| last.trim().is_empty()));
    if own_line {
        lines.pop();
    }
    let mut parts = vec![Doc::text("\"\"\"")];
    for line in lines {
        parts.extend([Doc::hard_line(), Doc::text(line)]);
    }
    parts.extend([Doc::hard_line(), Doc::text("\"\"\"")]);
    Doc::concat(parts).nest()
}

/// How far the closing quotes are indented, where they stand on a line of their own.
fn closing_indent(pieces: &[Piece]) -> usize {
    match pieces.last() {
        Some(Piece::Text(text)) => match text.rsplit_once('\n') {
            Some((_, last)) if last.trim().is_empty() => last.len(),
            _ => 0,
        },
        _ => 0,
    }
}
