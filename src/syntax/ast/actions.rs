//! Steps, the actions they take, and their clauses.

use super::{Block, Expr, MatchArm, Name, NodeId, TypeExpr};
use crate::source::Span;

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Identifies it and the local it declares.
    pub id: NodeId,
    /// From `step` to its last clause.
    pub span: Span,
    /// Its name, where it has one.
    pub name: Option<Name>,
    /// Its title: a string literal, maybe with holes.
    pub title: Option<Expr>,
    /// What it does.
    pub action: Action,
    /// Its clauses, in the order written.
    pub clauses: Vec<Clause>,
}

/// A call or a block form.
#[derive(Clone, Debug)]
pub struct Action {
    /// Identifies it.
    pub id: NodeId,
    /// The whole action, clauses left out.
    pub span: Span,
    /// What it is.
    pub kind: ActionKind,
}

/// The forms of actions.
#[derive(Clone, Debug)]
pub enum ActionKind {
    /// A call of a tool or flow.
    Call(Call),
    /// `parallel { step … }`
    Parallel(Block),
    /// `race { step … }`
    Race(Block),
    /// `for …` and `parallel for …`
    For(Box<For>),
    /// `repeat …`
    Repeat(Box<Repeat>),
    /// `do { … }`
    Do(Block),
    /// `if … { } else if … { } else { }`
    If(Box<If>),
    /// `match v { pattern => { } }`
    Match(Box<Match>),
    /// `try X`, `try { } catch err { } finally { }`
    Try(Box<Try>),
    /// Text that is no action; a diagnostic says why.
    Error,
}

/// A call of a tool or flow, where effects are allowed.
#[derive(Clone, Debug)]
pub struct Call {
    /// Identifies it.
    pub id: NodeId,
    /// From the callee to the closing parenthesis.
    pub span: Span,
    /// The dotted name of a tool, or the name of a flow, as one name.
    pub callee: Name,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// The parentheses.
    pub args_span: Span,
}

/// An argument.
#[derive(Clone, Debug)]
pub struct Arg {
    /// The whole argument.
    pub span: Span,
    /// `name:`
    pub name: Option<Name>,
    /// Its value.
    pub value: Expr,
}

/// A loop over a list.
#[derive(Clone, Debug)]
pub struct For {
    /// `parallel for`
    pub parallel: bool,
    /// Identifies the item's local.
    pub item_id: NodeId,
    /// The item's name.
    pub item: Name,
    /// Identifies the index's local.
    pub index_id: NodeId,
    /// The index's name.
    pub index: Option<Name>,
    /// The list.
    pub list: Expr,
    /// `limit n`
    pub limit: Option<Expr>,
    /// Its body.
    pub body: Block,
}

/// A loop with a bound.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// `max n`
    pub max: Expr,
    /// `every D`, `every A..B`
    pub every: Option<Range>,
    /// Its body.
    pub body: Block,
}

/// `A` or `A..B` of durations.
#[derive(Clone, Debug)]
pub struct Range {
    /// `A`
    pub from: Expr,
    /// `B`
    pub to: Option<Expr>,
}

/// A conditional of statements.
#[derive(Clone, Debug)]
pub struct If {
    /// `if c { }`, `else if c { }` …, at least one.
    pub branches: Vec<(Expr, Block)>,
    /// `else { }`
    pub otherwise: Option<Block>,
}

/// A match of statements.
#[derive(Clone, Debug)]
pub struct Match {
    /// What is matched.
    pub value: Expr,
    /// Its arms.
    pub arms: Vec<MatchArm<Block>>,
}

/// A guarded action.
#[derive(Clone, Debug)]
pub struct Try {
    /// What is tried: a call or a block form; `try { }` is a [`ActionKind::Do`] of the block.
    pub action: Action,
    /// `catch err { }`
    pub catch: Option<Catch>,
    /// `finally { }`
    pub finally: Option<Block>,
}

/// What is done with a failure.
#[derive(Clone, Debug)]
pub struct Catch {
    /// Identifies the error's local.
    pub id: NodeId,
    /// The error's name, where it has one.
    pub name: Option<Name>,
    /// Its body.
    pub body: Block,
}

/// A clause of a step.
#[derive(Clone, Debug)]
pub struct Clause {
    /// The whole clause.
    pub span: Span,
    /// What it says.
    pub kind: ClauseKind,
}

/// The clauses.
#[derive(Clone, Debug)]
pub enum ClauseKind {
    /// `as T`
    As(TypeExpr),
    /// `retry N backoff A..B on "timeout", …`
    Retry {
        /// `N`
        count: Expr,
        /// `backoff A..B`
        backoff: Option<Range>,
        /// `on …`: kinds with their spans.
        on: Vec<Name>,
    },
    /// `timeout D`
    Timeout(Expr),
    /// `else expr`
    Else(Expr),
    /// `when cond`
    When(Expr),
    /// `undo call`
    Undo(Call),
    /// `key expr`
    Key(Expr),
}
