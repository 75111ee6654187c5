//! Patterns and the arms of matches.

use super::{Expr, Literal, Name, NodeId, TypeExpr};
use crate::source::Span;

/// An arm of a match.
#[derive(Clone, Debug)]
pub struct MatchArm<Body> {
    /// The whole arm.
    pub span: Span,
    /// What it takes; several stand for any of them.
    pub patterns: Vec<Pattern>,
    /// `if cond`
    pub guard: Option<Expr>,
    /// What it gives.
    pub body: Body,
}

/// A pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Identifies it, and the local that a name binds.
    pub id: NodeId,
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: PatternKind,
}

/// The forms of patterns.
#[derive(Clone, Debug)]
pub enum PatternKind {
    /// `_`
    Any,
    /// A name, which binds.
    Bind(Name),
    /// A literal with its sign: null, bool, int, float, string without holes, duration.
    Literal(Literal),
    /// `is T`
    Is(TypeExpr),
    /// `{ state: "ready", url }`
    Record(Vec<PatternField>),
    /// Text that is no pattern; a diagnostic says why.
    Error,
}

/// A field of a record pattern.
#[derive(Clone, Debug)]
pub struct PatternField {
    /// The field's name.
    pub name: Name,
    /// What it must be; a bare name binds it, as `name: name` would (the pattern is then a [`PatternKind::Bind`] of
    /// the same span).
    pub pattern: Pattern,
}
