//! The entry: from text to pairs to a tree. [`Builder`] walks the pairs; each construct's part of it is a file beside
//! this one (`items`, `types`, `stmts`, `actions`, `patterns`, `exprs`, `strings`), and what is missing is told by
//! `expected`.

use pest::Parser as _;

use super::ast::{Comment, File, Name, NodeId};
use super::{NodeIds, Parsed, guard};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, SourceFile, Span};
use crate::types::Text;

#[allow(missing_docs, clippy::missing_errors_doc)]
mod grammar {
    /// The parser that pest derives from the grammar.
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/flow.pest"]
    pub(in crate::syntax) struct Grammar;
}

pub(super) use grammar::Rule;

pub(super) type Pair<'i> = pest::iterators::Pair<'i, Rule>;

/// Parses a file: always a tree, and every syntax error in the order of the text.
pub(super) fn parse(source: &SourceFile, file: FileId, ids: &mut NodeIds) -> Parsed {
    let scan = guard::scan(source.text(), file);
    let comments: Vec<Span> =
        scan.comments.iter().map(|&(start, end)| Span::new(file, start as usize, end as usize)).collect();
    if let Some(refused) = scan.refused {
        return Parsed { file: File { items: Vec::new(), comments: Vec::new() }, diagnostics: vec![refused] };
    }
    let used = vec![false; comments.len()];
    let mut builder = Builder { text: source.text(), file, ids, comments, used, diagnostics: Vec::new() };
    let items = match grammar::Grammar::parse(Rule::file, source.text()) {
        Ok(mut pairs) => pairs.next().map(|pair| builder.file(pair)).unwrap_or_default(),
        Err(why) => {
            builder.unparsed(&why);
            Vec::new()
        }
    };
    let Builder { comments, used, mut diagnostics, .. } = builder;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    let comments = comments.into_iter().zip(used).filter(|(_, used)| !used).map(|(span, _)| Comment { span }).collect();
    Parsed { file: File { items, comments }, diagnostics }
}

/// Builds the tree from pairs.
pub(super) struct Builder<'a> {
    pub(super) text: &'a str,
    pub(super) file: FileId,
    ids: &'a mut NodeIds,
    /// Every comment, and whether it documents something.
    pub(super) comments: Vec<Span>,
    pub(super) used: Vec<bool>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Builder<'_> {
    pub(super) fn fresh(&mut self) -> NodeId {
        self.ids.fresh()
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Where a pair stands, the white space and comments after its last token left out.
    pub(super) fn span(&self, pair: &Pair<'_>) -> Span {
        let span = pair.as_span();
        Span::new(self.file, span.start(), self.trim(span.start(), span.end()))
    }

    /// From the start of one span to the end of what was read last.
    pub(super) fn trim(&self, start: usize, mut end: usize) -> usize {
        let bytes = self.text.as_bytes();
        loop {
            while end > start && bytes.get(end - 1).is_some_and(u8::is_ascii_whitespace) {
                end -= 1;
            }
            let after = self.comments.partition_point(|comment| (comment.end as usize) < end);
            match self.comments.get(after) {
                Some(comment) if comment.end as usize == end && comment.start as usize >= start => {
                    end = comment.start as usize;
                }
                _ => return end,
            }
        }
    }

    /// The offset of the next token from an offset on.
    pub(super) fn skip_trivia(&self, mut at: usize) -> usize {
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            at += rest.len() - rest.trim_start().len();
            match self.comments.binary_search_by_key(&at, |comment| comment.start as usize) {
                Ok(comment) => at = self.comments.get(comment).map_or(at, |comment| comment.end as usize),
                Err(_) => return at,
            }
        }
    }

    /// A pair that is one word.
    pub(super) fn name(&self, pair: &Pair<'_>) -> Name {
        Name { text: Text::new(pair.as_str()), span: self.span(pair) }
    }

    /// The name that stands where none was written.
    pub(super) fn no_name(&self, pair: &Pair<'_>) -> Name {
        Name { text: Text::default(), span: self.span(pair) }
    }

    /// The documentation right before an offset, and marks its comments as used.
    pub(super) fn doc(&mut self, start: usize) -> Option<String> {
        let end = self.comments.partition_point(|comment| (comment.end as usize) <= start);
        let mut first = end;
        let mut before = start;
        while let Some(comment) = first.checked_sub(1).and_then(|at| self.comments.get(at)) {
            let text = self.text.get(comment.range()).unwrap_or_default();
            let gap = self.text.get(comment.end as usize..before).unwrap_or_default();
            if !text.starts_with("///") || text.starts_with("////") || !is_one_break(gap) || self.trails(*comment) {
                break;
            }
            before = comment.start as usize;
            first -= 1;
        }
        if first == end {
            return None;
        }
        let mut lines = Vec::with_capacity(end - first);
        for at in first..end {
            if let (Some(used), Some(comment)) = (self.used.get_mut(at), self.comments.get(at)) {
                *used = true;
                let line = self.text.get(comment.range()).unwrap_or_default().trim_start_matches("///");
                lines.push(line.strip_prefix(' ').unwrap_or(line).trim_end());
            }
        }
        Some(lines.join("\n"))
    }

    /// Whether something else stands before a comment on its line.
    fn trails(&self, comment: Span) -> bool {
        let before = self.text.get(..comment.start as usize).unwrap_or_default();
        !before.rsplit('\n').next().unwrap_or_default().trim().is_empty()
    }

    /// The grammar takes every text; what it cannot take is beyond the limits of its recursion.
    fn unparsed(&mut self, why: &pest::error::Error<Rule>) {
        let at = match why.location {
            pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
        };
        let span = Span::new(self.file, at, at);
        self.report(Diagnostic::new(Code::TOO_DEEP, span, "this is nested too deep to be read"));
    }
}

/// At most one line break and no blank line.
fn is_one_break(gap: &str) -> bool {
    gap.trim().is_empty() && gap.bytes().filter(|b| *b == b'\n').count() <= 1
}
