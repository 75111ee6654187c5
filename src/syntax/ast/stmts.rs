//! Statements, and the mocks of tests.

use super::{Action, Expr, Name, NodeId, PatternField, Step, TypeExpr};
use crate::source::Span;

/// Statements between braces.
#[derive(Clone, Debug)]
pub struct Block {
    /// Identifies it.
    pub id: NodeId,
    /// From `{` to `}`.
    pub span: Span,
    /// The `}`; empty where there is none.
    pub close: Span,
    /// Its statements.
    pub stmts: Vec<Stmt>,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// Identifies it: the local that a `var` or plain `let` declares, the block statement for its path.
    pub id: NodeId,
    /// The whole statement.
    pub span: Span,
    /// Documentation before it; belongs to steps.
    pub kind: StmtKind,
}

/// The forms of statements.
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `let name: T = expr`, `let { a, b } = record`
    Let {
        /// What it binds.
        pattern: LetPattern,
        /// The declared type.
        ty: Option<TypeExpr>,
        /// The value.
        value: Expr,
    },
    /// `var name: T = expr`
    Var {
        /// Its name.
        name: Name,
        /// The declared type.
        ty: Option<TypeExpr>,
        /// The first value.
        value: Expr,
    },
    /// `set name = expr`
    Set {
        /// Identifies the use of the name.
        id: NodeId,
        /// The var.
        name: Name,
        /// Its new value.
        value: Expr,
    },
    /// `step …`
    Step(Step),
    /// A block form standing as a statement: `if for parallel race repeat do try match`.
    Block(Action),
    /// `yield expr`
    Yield(Expr),
    /// `yield step call(…)`: an unnamed step.
    YieldStep(Step),
    /// `return expr`
    Return(Expr),
    /// `return step call(…)`: an unnamed step.
    ReturnStep(Step),
    /// `fail expr`, `fail expr details expr`
    Fail {
        /// A message or a caught error.
        value: Expr,
        /// `details`
        details: Option<Expr>,
    },
    /// `emit expr`
    Emit(Expr),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `mock tool(pattern) => expr` and so on.
    Mock(Mock),
    /// `assert expr`
    Assert(Expr),
    /// Text that is no statement; a diagnostic says why.
    Error,
}

/// What a `let` binds.
#[derive(Clone, Debug)]
pub enum LetPattern {
    /// A name; the local is identified by the statement.
    Name(Name),
    /// `{ a, b: c }`: fields of a record.
    Record(Vec<LetField>),
}

/// A field that a `let` takes from a record.
#[derive(Clone, Debug)]
pub struct LetField {
    /// Identifies the local it declares.
    pub id: NodeId,
    /// The field's name.
    pub field: Name,
    /// The local's name: the same, or what stands after the colon.
    pub name: Name,
}

/// A mock of a tool, in a test.
#[derive(Clone, Debug)]
pub struct Mock {
    /// Identifies it.
    pub id: NodeId,
    /// The tool's dotted name.
    pub tool: Name,
    /// Which calls it answers.
    pub args: MockArgs,
    /// `after D`
    pub after: Option<Expr>,
    /// What it answers.
    pub answer: MockAnswer,
}

/// Which calls a mock answers.
#[derive(Clone, Debug)]
pub enum MockArgs {
    /// `()` and `(_)`: all.
    Any,
    /// A record pattern of named arguments.
    Record(Vec<PatternField>),
}

/// What a mock answers.
#[derive(Clone, Debug)]
pub enum MockAnswer {
    /// `=> expr`
    Value(Expr),
    /// `fails "kind"`
    Fails(Name),
}
