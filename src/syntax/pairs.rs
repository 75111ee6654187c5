//! The pairs of one part of a file, laid out flat. They are walked a lot: a pair here is two words that are copied,
//! where one of pest's counts references and looks ahead over its siblings.

use super::parse::Rule;

/// The pairs of a part, each before those inside it.
pub(super) struct Tree<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    /// The pairs that have not ended while the tree is laid out.
    open: Vec<usize>,
}

struct Node {
    rule: Rule,
    start: u32,
    end: u32,
    /// Where the pairs inside it begin and end in the tree.
    inner: (u32, u32),
}

impl<'a> Tree<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, nodes: Vec::new(), open: Vec::new() }
    }

    /// Lays out what was parsed of the text from an offset on; gives the first pair of it. What was here before is gone.
    pub(super) fn lay_out(&mut self, pairs: pest::iterators::Pairs<'_, Rule>, from: usize) -> Option<Pair<'_>> {
        self.nodes.clear();
        for token in pairs.tokens() {
            let count = self.nodes.len();
            match token {
                pest::Token::Start { rule, pos } => {
                    let start = (from + pos.pos()) as u32;
                    self.nodes.push(Node { rule, start, end: start, inner: (count as u32 + 1, 0) });
                    self.open.push(count);
                }
                pest::Token::End { pos, .. } => {
                    if let Some(node) = self.open.pop().and_then(|at| self.nodes.get_mut(at)) {
                        node.end = (from + pos.pos()) as u32;
                        node.inner.1 = count as u32;
                    }
                }
            }
        }
        self.nodes.first().map(|node| Pair { tree: self, node })
    }
}

/// A rule of the grammar and the text it took.
#[derive(Clone, Copy)]
pub(super) struct Pair<'t> {
    tree: &'t Tree<'t>,
    node: &'t Node,
}

impl<'t> Pair<'t> {
    pub(super) fn as_rule(&self) -> Rule {
        self.node.rule
    }

    pub(super) fn as_str(&self) -> &'t str {
        self.tree.text.get(self.start()..self.end()).unwrap_or_default()
    }

    /// Where it begins in the text that was parsed.
    pub(super) fn start(&self) -> usize {
        self.node.start as usize
    }

    /// Where it ends there, white space that it took included.
    pub(super) fn end(&self) -> usize {
        self.node.end as usize
    }

    /// A list with room for what its pairs become: trees are large, and a list that grows by itself takes four at least.
    pub(super) fn list<T>(self) -> Vec<T> {
        Vec::with_capacity(self.into_inner().count())
    }

    /// The pairs directly inside it.
    pub(super) fn into_inner(self) -> Pairs<'t> {
        let (at, end) = self.node.inner;
        Pairs { tree: self.tree, at, end }
    }
}

/// The pairs directly inside one.
#[derive(Clone)]
pub(super) struct Pairs<'t> {
    tree: &'t Tree<'t>,
    at: u32,
    end: u32,
}

impl<'t> Iterator for Pairs<'t> {
    type Item = Pair<'t>;

    fn next(&mut self) -> Option<Pair<'t>> {
        if self.at >= self.end {
            return None;
        }
        let node = self.tree.nodes.get(self.at as usize)?;
        self.at = node.inner.1;
        Some(Pair { tree: self.tree, node })
    }
}
