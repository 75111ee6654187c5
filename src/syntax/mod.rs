//! From text to a tree. Parsing always gives a tree *and* every syntax error, in words a person uses.

pub mod ast;

mod actions;
mod brackets;
mod expected;
mod exprs;
mod guard;
mod items;
mod pairs;
mod parse;
mod patterns;
mod stmts;
mod strings;
mod types;
mod words;
#[cfg(test)]
mod work;

pub use words::is_reserved;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, SourceFile};
use ast::{File, NodeId};

/// Hands out node ids, dense across the files of one analysis.
#[derive(Debug, Default)]
pub struct NodeIds {
    next: u32,
}

impl NodeIds {
    /// A new id.
    pub fn fresh(&mut self) -> NodeId {
        let id = NodeId(self.next);
        self.next += 1;
        id
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.next as usize
    }
}

/// A tree and what is wrong with the text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The tree; where the text is wrong, it has error nodes.
    pub file: File,
    /// Every syntax error, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a file. The tree is whole even where the text is wrong: what cannot be read is an error node.
pub fn parse(source: &SourceFile, id: FileId, ids: &mut NodeIds) -> Parsed {
    parse::parse(source, id, ids)
}
