//! Comments and blank lines: lists of things, each with the comments before it and behind it.

use super::Printer;
use super::doc::Doc;
use crate::source::Span;

/// What a line of a list is: an element or a comment of its own, with whether a blank line stands before it.
pub(super) struct Line {
    pub(super) blank: bool,
    pub(super) doc: Doc,
    /// A comment, which takes no comma.
    pub(super) comment: bool,
}

impl<'a> Printer<'a> {
    /// The comments that start before an offset, each as a line. Those that do not stand at `home` or behind it are moved,
    /// and document nothing where they come to, as they did where they stood.
    pub(super) fn comments_before(&mut self, offset: u32, home: u32, last: &mut u32, lines: &mut Vec<Line>) {
        while let Some(comment) = self.comments.get(self.next).filter(|comment| comment.span.start < offset) {
            self.next += 1;
            if self.kept.iter().any(|kept| kept.range().contains(&(comment.span.start as usize))) {
                continue;
            }
            let blank = self.has_blank(*last, comment.span.start);
            let text = self.slice(comment.span).trim_end();
            let doc = match text.strip_prefix("///") {
                Some(rest) if comment.span.start < home && !rest.starts_with('/') => Doc::text(format!("//{rest}")),
                _ => Doc::text(text),
            };
            lines.push(Line { blank, doc, comment: true });
            *last = comment.span.end;
        }
    }

    /// The comment that stands behind an element on its line.
    fn comment_behind(&mut self, last: &mut u32) -> Doc {
        let Some(comment) = self.comments.get(self.next) else { return Doc::nil() };
        let gap = self.between(*last, comment.span.start);
        if comment.span.start < *last || gap.contains('\n') || !gap.trim_matches([' ', '\t', '\r', ',']).is_empty() {
            return Doc::nil();
        }
        self.next += 1;
        *last = comment.span.end;
        Doc::suffix(self.slice(comment.span).trim_end())
    }

    /// Whether a blank line stands between two offsets.
    fn has_blank(&self, start: u32, end: u32) -> bool {
        let gap = self.between(start, end);
        let lines: Vec<&str> = gap.split('\n').collect();
        // The first is the rest of a line, the last the start of one.
        lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default().iter().any(|line| line.trim().is_empty())
    }

    /// Elements as lines, with their comments, from an opening offset to a closing one.
    pub(super) fn lines<T>(
        &mut self,
        elements: &'a [T],
        inside: (u32, u32),
        span: impl Fn(&T) -> Span,
        mut print: impl FnMut(&mut Self, &'a T) -> Doc,
    ) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let (open, close) = inside;
        let mut last = open;
        for element in elements {
            let span = span(element);
            self.comments_before(span.start, open, &mut last, &mut lines);
            let blank = self.has_blank(last, span.start);
            let doc = print(self, element);
            // What stood within the element, where no list of its own took it up, moves before it.
            let mut within = Vec::new();
            self.comments_before(span.end, u32::MAX, &mut last, &mut within);
            let moved = !within.is_empty();
            for (at, line) in within.into_iter().enumerate() {
                lines.push(Line { blank: blank && at == 0, ..line });
            }
            last = span.end.max(last);
            let behind = self.comment_behind(&mut last);
            lines.push(Line { blank: blank && !moved, doc: Doc::concat([doc, behind]), comment: false });
        }
        self.comments_before(close, open, &mut last, &mut lines);
        if let Some(first) = lines.first_mut() {
            first.blank = false;
        }
        lines
    }

    /// Where a bracket that closes something stands, from the end of what it holds on.
    pub(super) fn closing(&self, mut at: u32, bracket: u8) -> u32 {
        while let Some(byte) = self.text.as_bytes().get(at as usize) {
            if *byte == bracket {
                return at;
            }
            let comment = self.comments.binary_search_by_key(&at, |comment| comment.span.start).ok();
            at = comment.and_then(|found| self.comments.get(found)).map_or(at + 1, |comment| comment.span.end);
        }
        at
    }

    /// Elements between brackets, parted by commas: flat where they fit, else one a line with a comma behind each.
    pub(super) fn commas(&mut self, open: &'static str, lines: Vec<Line>, close: &'static str, padded: bool) -> Doc {
        if lines.is_empty() {
            return Doc::text(format!("{open}{close}"));
        }
        let edge = || if padded { Doc::line() } else { Doc::soft_line() };
        let mut inside = vec![edge()];
        let elements = lines.iter().filter(|line| !line.comment).count();
        let mut seen = 0;
        for (at, line) in lines.into_iter().enumerate() {
            if at > 0 {
                inside.push(if line.blank { Doc::if_broken(Doc::blank_line(), Doc::line()) } else { Doc::line() });
            }
            if line.comment {
                inside.extend([line.doc, Doc::break_here()]);
                continue;
            }
            seen += 1;
            inside.push(line.doc);
            inside.push(if seen < elements { Doc::text(",") } else { Doc::if_broken(Doc::text(","), Doc::nil()) });
        }
        Doc::concat([Doc::text(open), Doc::concat(inside).nest(), edge(), Doc::text(close)]).group()
    }

    /// Lines of a block, one below the other.
    pub(super) fn stack(lines: Vec<Line>) -> Doc {
        let mut parts = Vec::with_capacity(lines.len() * 2);
        for (at, line) in lines.into_iter().enumerate() {
            if at > 0 {
                parts.push(if line.blank { Doc::blank_line() } else { Doc::hard_line() });
            }
            parts.push(line.doc);
        }
        Doc::concat(parts)
    }

    /// The documentation above something.
    pub(super) fn doc_comment(doc: Option<&str>) -> Doc {
        let Some(doc) = doc else { return Doc::nil() };
        let lines = doc.split('\n').map(|line| {
            let text = if line.is_empty() { "///".to_owned() } else { format!("/// {line}") };
            Doc::concat([Doc::text(text), Doc::hard_line()])
        });
        Doc::concat(lines.collect::<Vec<_>>())
    }
}
