//! The tree of a source file. Every node that the checker says something about carries a [`NodeId`], dense within one
//! analysis, so that what is known of it lives in side tables. Long chains (`a + b + c`, `x.y.z()`, `else if`) are
//! flat, so that neither building nor dropping the tree recurses along them.

mod actions;
mod exprs;
mod items;
mod patterns;
mod stmts;
mod types;

pub use actions::{Action, ActionKind, Arg, Call, Catch, Clause, ClauseKind, For, If, Match, Range, Repeat, Step, Try};
pub use exprs::{
    Expr, ExprKind, ExprMatch, Lambda, ListItem, Postfix, PostfixKind, PrefixOp, RecordField, TemplatePart,
};
pub use items::{Annotation, FlowDecl, FnBody, FnDecl, Item, ItemKind, Param, TestDecl, ToolDecl, TypeDecl, Use};
pub use patterns::{MatchArm, Pattern, PatternField, PatternKind};
pub use stmts::{Block, LetField, LetPattern, Mock, MockAnswer, MockArgs, Stmt, StmtKind};
pub use types::{TypeExpr, TypeExprKind, TypeField};

use crate::source::Span;
use crate::types::Text;

/// Identifies a node within one analysis (all files of a program share the numbering).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A file's tree.
#[derive(Clone, Debug)]
pub struct File {
    /// Its items in order.
    pub items: Vec<Item>,
    /// Its comments in order, doc comments (`///`) left out where they document something.
    pub comments: Vec<Comment>,
}

/// A comment that documents nothing.
#[derive(Clone, Debug)]
pub struct Comment {
    /// From `//` to the end of the line.
    pub span: Span,
}

/// A name where it is declared or used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: Text,
    /// Where it stands.
    pub span: Span,
}

/// A documentation comment: its lines without `///` and one blank, joined by newlines.
pub type Doc = Option<String>;

/// The value of a literal without holes.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    String(Text),
    /// A duration in milliseconds.
    Duration(i64),
}
