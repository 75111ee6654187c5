//! Expressions.

use super::{Arg, Call, Literal, MatchArm, Name, NodeId, TypeExpr};
use crate::source::Span;
use crate::types::{BinaryOp, Text};

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Identifies it.
    pub id: NodeId,
    /// Where it stands, parentheses around it left out.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// The forms of expressions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A literal; a string without holes is one.
    Literal(Literal),
    /// A string with holes, escapes resolved and dedented.
    Template(Vec<TemplatePart>),
    /// A name: a local, `input`, `prev`, `run`, `secrets`, a type's name as its schema, or `calls`.
    Name(Text),
    /// `[a, ...b]`
    List(Vec<ListItem>),
    /// `{ a: 1, b, ...c }`
    Record(Vec<RecordField>),
    /// `x => e`, `(a, b) => e`
    Lambda(Box<Lambda>),
    /// `( e )`: kept so that a formatter need not guess.
    Paren(Box<Expr>),
    /// A chain of prefix operators, outermost first, on one operand: `not not x`, `- x`.
    Prefix(Vec<(PrefixOp, Span)>, Box<Expr>),
    /// Operators of one level, left to right: `a + b - c`. Comparisons, `in`, and `is` hold exactly one; `??` is
    /// right to left.
    Binary(Box<Expr>, Vec<(BinaryOp, Span, Expr)>),
    /// `x is T`
    Is(Box<Expr>, TypeExpr),
    /// `x as T as U`: each with the id of its result.
    As(Box<Expr>, Vec<(NodeId, TypeExpr)>),
    /// What follows an expression: `.f ?.f [i] .m(args)`, left to right.
    Postfix(Box<Expr>, Vec<Postfix>),
    /// `f(args)`: a pure function by its name, `calls(tool)`, or a tool or flow by mistake (one dotted name).
    Call(Box<Call>),
    /// `if c then a else if d then b else e`
    If {
        /// Conditions with their values, at least one.
        branches: Vec<(Expr, Expr)>,
        /// The value else.
        otherwise: Box<Expr>,
    },
    /// `match v { pattern => e, … }`
    Match(Box<ExprMatch>),
    /// A type that is no expression too, as an argument: `check(list<int>)`, `check(Page?)`. A type that is just a name
    /// is a [`ExprKind::Name`].
    Type(TypeExpr),
    /// Text that is no expression; a diagnostic says why.
    Error,
}

/// A part of a string.
#[derive(Clone, Debug)]
pub enum TemplatePart {
    /// Text, escapes resolved.
    Text(Text),
    /// `{{ expr }}`
    Hole(Expr),
}

/// An item of a list literal.
#[derive(Clone, Debug)]
pub enum ListItem {
    /// A value.
    Value(Expr),
    /// `...list`
    Spread(Expr),
}

/// A field of a record literal.
#[derive(Clone, Debug)]
pub enum RecordField {
    /// `name: value`; a bare `name` has a [`ExprKind::Name`] of the same span as its value.
    Value(Name, Expr),
    /// `...record`
    Spread(Expr),
    /// `...` in a mock's answer: sample values for what is left out.
    Fill(Span),
}

/// A lambda.
#[derive(Clone, Debug)]
pub struct Lambda {
    /// Its parameters, each with the id of its local.
    pub params: Vec<(NodeId, Name)>,
    /// Its value.
    pub body: Expr,
}

/// A match as an expression.
#[derive(Clone, Debug)]
pub struct ExprMatch {
    /// What is matched.
    pub value: Expr,
    /// Its arms.
    pub arms: Vec<MatchArm<Expr>>,
}

/// Something after an expression.
#[derive(Clone, Debug)]
pub struct Postfix {
    /// Identifies the value so far.
    pub id: NodeId,
    /// From the dot or bracket to its end.
    pub span: Span,
    /// `?.`: null where what stands before is null, and the rest of the chain is then skipped.
    pub optional: bool,
    /// What it is.
    pub kind: PostfixKind,
}

/// The forms of what follows an expression.
#[derive(Clone, Debug)]
pub enum PostfixKind {
    /// `.name`, also a method without parentheses
    Field(Name),
    /// `.name(args)`
    Method(Name, Vec<Arg>),
    /// `[index]`
    Index(Expr),
}

/// A prefix operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixOp {
    /// `not`
    Not,
    /// `-`
    Neg,
}
