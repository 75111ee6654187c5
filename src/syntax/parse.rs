//! The entry: from text to pairs to a tree. [`Builder`] walks the pairs; each construct's part of it is a file beside
//! this one (`items`, `types`, `stmts`, `actions`, `patterns`, `exprs`, `strings`), and what is missing is told by
//! `expected`.

use pest::Parser as _;

use super::ast::{Comment, File, Name, NodeId};
use super::guard::{self, Mended};
use super::{NodeIds, Parsed};
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
    if scan.refused {
        return Parsed { file: File { items: Vec::new(), comments: Vec::new() }, diagnostics: scan.diagnostics };
    }
    let mended = scan.mended.as_ref();
    let used = vec![false; scan.comments.len()];
    let mut builder = Builder {
        text: mended.map_or(source.text(), |mended| &mended.text),
        original: source.text(),
        mended,
        file,
        ids,
        comments: scan.comments,
        used,
        links: 0,
        diagnostics: scan.diagnostics,
    };
    bound_work();
    let items = match grammar::Grammar::parse(Rule::file, builder.text) {
        Ok(mut pairs) => pairs.next().map(|pair| builder.file(pair)).unwrap_or_default(),
        Err(why) => {
            builder.unparsed(&why);
            Vec::new()
        }
    };
    let comments = builder.free_comments();
    let mut diagnostics = builder.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    Parsed { file: File { items, comments }, diagnostics }
}

/// Bounds how often pest may try a rule in one parse: recovering from strings that hold each other's quotes can cost
/// exponentially. A whole mebibyte of honest source stays below it. The limit is pest's, for the whole process.
fn bound_work() {
    const MOST: usize = 48_000_000;
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| pest::set_call_limit(std::num::NonZeroUsize::new(MOST)));
}

/// Builds the tree from pairs. Offsets of pairs are those of the text that was parsed; spans are those of the original,
/// which differs only where brackets were mended.
pub(super) struct Builder<'a> {
    text: &'a str,
    original: &'a str,
    mended: Option<&'a Mended>,
    file: FileId,
    ids: &'a mut NodeIds,
    /// Every comment by its offsets, and whether it documents something.
    comments: Vec<(u32, u32)>,
    used: Vec<bool>,
    /// How many links the deepest chain has so far, those of the chains that stand in it included.
    pub(super) links: usize,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    pub(super) fn fresh(&mut self) -> NodeId {
        self.ids.fresh()
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The span in the original of offsets of the text that was parsed.
    pub(super) fn span_of(&self, start: usize, end: usize) -> Span {
        match self.mended {
            None => Span::new(self.file, start, end),
            Some(mended) => Span::new(self.file, mended.original(start), mended.original(end)),
        }
    }

    /// Where a pair stands, the white space and comments after its last token left out.
    pub(super) fn span(&self, pair: &Pair<'_>) -> Span {
        let span = pair.as_span();
        self.span_of(span.start(), self.trim(span.start(), span.end()))
    }

    /// The original text under a span.
    pub(super) fn slice(&self, span: Span) -> &'a str {
        self.original.get(span.range()).unwrap_or_default()
    }

    /// The text that was parsed, from an offset on.
    pub(super) fn rest(&self, at: usize) -> &'a str {
        self.text.get(at..).unwrap_or_default()
    }

    /// The text that was parsed between two offsets.
    pub(super) fn between(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The text that was parsed, up to the last token before an offset.
    pub(super) fn before(&self, at: usize) -> &'a str {
        self.text.get(..self.trim(0, at)).unwrap_or_default()
    }

    /// Whether what stands at an offset was mended, so that it is told already.
    pub(super) fn is_mended(&self, at: usize) -> bool {
        self.mended.is_some_and(|mended| mended.is_inserted(at))
    }

    /// The end of the last token between two offsets.
    pub(super) fn trim(&self, start: usize, mut end: usize) -> usize {
        let bytes = self.text.as_bytes();
        loop {
            while end > start && bytes.get(end - 1).is_some_and(u8::is_ascii_whitespace) {
                end -= 1;
            }
            match self.comments.binary_search_by_key(&end, |comment| comment.1 as usize).map(|at| self.comments.get(at))
            {
                Ok(Some(comment)) if comment.0 as usize >= start => end = comment.0 as usize,
                _ => return end,
            }
        }
    }

    /// The offset of the next token from an offset on.
    pub(super) fn skip_trivia(&self, mut at: usize) -> usize {
        loop {
            let rest = self.rest(at);
            at += rest.len() - rest.trim_start().len();
            match self.comments.binary_search_by_key(&at, |comment| comment.0 as usize) {
                Ok(comment) => at = self.comments.get(comment).map_or(at, |comment| comment.1 as usize),
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

    /// The documentation right before a pair; its comments are then no longer free.
    pub(super) fn doc(&mut self, pair: &Pair<'_>) -> Option<String> {
        let mut before = pair.as_span().start();
        let end = self.comments.partition_point(|comment| comment.1 as usize <= before);
        let mut first = end;
        while let Some(&(start, stop)) = first.checked_sub(1).and_then(|at| self.comments.get(at)) {
            let text = self.text.get(start as usize..stop as usize).unwrap_or_default();
            let gap = self.text.get(stop as usize..before).unwrap_or_default();
            if !text.starts_with("///") || text.starts_with("////") || !is_one_break(gap) || self.trails(start) {
                break;
            }
            before = start as usize;
            first -= 1;
        }
        if first == end {
            return None;
        }
        let mut lines = Vec::with_capacity(end - first);
        for at in first..end {
            if let (Some(used), Some(&(start, stop))) = (self.used.get_mut(at), self.comments.get(at)) {
                *used = true;
                let text = self.text.get(start as usize..stop as usize).unwrap_or_default();
                let line = text.strip_prefix("///").unwrap_or(text);
                lines.push(line.strip_prefix(' ').unwrap_or(line).trim_end());
            }
        }
        Some(lines.join("\n"))
    }

    /// Whether something else stands before a comment on its line.
    fn trails(&self, comment: u32) -> bool {
        let before = self.text.get(..comment as usize).unwrap_or_default();
        !before.rsplit('\n').next().unwrap_or_default().trim().is_empty()
    }

    /// The comments that document nothing.
    fn free_comments(&self) -> Vec<Comment> {
        let free = self.comments.iter().zip(&self.used).filter(|(_, used)| !**used);
        free.map(|(&(start, end), _)| Comment { span: self.span_of(start as usize, end as usize) }).collect()
    }

    /// The grammar takes every text; what it cannot take is beyond the limits of its recursion.
    fn unparsed(&mut self, why: &pest::error::Error<Rule>) {
        let at = match why.location {
            pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
        };
        let span = self.span_of(at, at);
        self.report(
            Diagnostic::new(Code::TOO_DEEP, span, "this is too tangled to be read")
                .help("look for a string or a `{{` before this that is not closed"),
        );
    }
}

/// At most one line break and no blank line.
fn is_one_break(gap: &str) -> bool {
    gap.trim().is_empty() && gap.bytes().filter(|b| *b == b'\n').count() <= 1
}
