//! The entry: from text to pairs to a tree, one item at a time, so that what the pairs take is small and stays at hand.
//! [`Builder`] walks the pairs; each construct's part of it is a file beside
//! this one (`items`, `types`, `stmts`, `actions`, `patterns`, `exprs`, `strings`), and what is missing is told by
//! `expected`.

use pest::Parser as _;

use super::ast::{Comment, File, Item, Name, NodeId};
use super::guard::{self, Mended};
use super::items::Items;
use super::pairs::Tree;
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

pub(super) use super::pairs::{Pair, Pairs};
pub(super) use grammar::{Grammar, Rule};

/// Parses a file: always a tree, and every syntax error in the order of the text.
pub(super) fn parse(source: &SourceFile, file: FileId, ids: &mut NodeIds) -> Parsed {
    let scan = guard::scan(source.text(), file);
    if scan.refused {
        return Parsed { file: File { items: Vec::new(), comments: Vec::new() }, diagnostics: scan.diagnostics };
    }
    let mended = scan.mended.as_ref();
    let text = mended.map_or(source.text(), |mended| &mended.text);
    let code = guard::without_comments(text, &scan.comments);
    let used = vec![false; scan.comments.len()];
    let mut builder = Builder {
        code: &code,
        text,
        original: source.text(),
        mended,
        file,
        ids,
        comments: scan.comments,
        used,
        links: 0,
        diagnostics: scan.diagnostics,
    };
    let items = builder.items();
    let comments = builder.free_comments();
    let mut diagnostics = builder.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    Parsed { file: File { items, comments }, diagnostics }
}

/// Builds the tree from pairs. Offsets of pairs are those of the text that was parsed; spans are those of the original,
/// which differs only where brackets were mended.
pub(super) struct Builder<'a> {
    /// The text that was parsed: comments are blank in it.
    code: &'a str,
    /// The same with its comments.
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
    /// Parses the parts of the text, one after the other.
    fn items(&mut self) -> Vec<Item> {
        let mut items = Items::default();
        let mut tree = Tree::new(self.code);
        let mut at = self.skip_trivia(0);
        while at < self.code.len() {
            match Grammar::parse(Rule::part, self.rest(at)) {
                Ok(pairs) => {
                    let Some(part) = tree.lay_out(pairs, at) else { break };
                    self.part(part, &mut items);
                    at = part.end();
                }
                Err(why) => {
                    self.unparsed(at, &why);
                    break;
                }
            }
        }
        items.list
    }

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
            // What was blanked may have been a character of several bytes.
            Some(mended) => Span::new(
                self.file,
                self.original.floor_char_boundary(mended.original(start)),
                self.original.ceil_char_boundary(mended.original(end)),
            ),
        }
    }

    /// Where a pair stands, the white space and comments after its last token left out.
    pub(super) fn span(&self, pair: &Pair<'_>) -> Span {
        self.span_of(pair.start(), self.trim(pair.start(), pair.end()))
    }

    /// The original text under a span.
    pub(super) fn slice(&self, span: Span) -> &'a str {
        self.original.get(span.range()).unwrap_or_default()
    }

    /// The text that was parsed, from an offset on.
    pub(super) fn rest(&self, at: usize) -> &'a str {
        self.code.get(at..).unwrap_or_default()
    }

    /// The text that was parsed between two offsets.
    pub(super) fn between(&self, start: usize, end: usize) -> &'a str {
        self.code.get(start..end).unwrap_or_default()
    }

    /// The text that was parsed, up to the last token before an offset.
    pub(super) fn before(&self, at: usize) -> &'a str {
        self.code.get(..self.trim(0, at)).unwrap_or_default()
    }

    /// Whether what stands at an offset was mended, so that it is told already.
    pub(super) fn is_mended(&self, at: usize) -> bool {
        self.mended.is_some_and(|mended| mended.is_inserted(at))
    }

    /// The end of the last token between two offsets.
    pub(super) fn trim(&self, start: usize, end: usize) -> usize {
        let bytes = self.code.as_bytes().get(start..end).unwrap_or_default();
        start + bytes.trim_ascii_end().len()
    }

    /// The offset of the next token from an offset on.
    pub(super) fn skip_trivia(&self, at: usize) -> usize {
        let rest = self.rest(at);
        at + (rest.len() - rest.trim_ascii_start().len())
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
        let mut before = pair.start();
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

    /// Whether a comment belongs to what stands before it on its line. What opens a list or a block has its comments below.
    fn trails(&self, comment: u32) -> bool {
        let before = self.text.get(..comment as usize).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default().trim_end();
        !line.is_empty() && !line.ends_with(['(', '{', '['])
    }

    /// The comments that document nothing.
    fn free_comments(&self) -> Vec<Comment> {
        let free = self.comments.iter().zip(&self.used).filter(|(_, used)| !**used);
        free.map(|(&(start, end), _)| Comment { span: self.span_of(start as usize, end as usize) }).collect()
    }

    /// The grammar takes every text; what it cannot take is beyond the limits of its recursion.
    fn unparsed(&mut self, from: usize, why: &pest::error::Error<Rule>) {
        let at = match why.location {
            pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => from + at,
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
