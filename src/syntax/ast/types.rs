//! Types as written.

use super::{Doc, Name, NodeId};
use crate::source::Span;
use crate::types::Literal;

/// A type as written.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// Identifies it.
    pub id: NodeId,
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: TypeExprKind,
}

/// The forms of types.
#[derive(Clone, Debug)]
pub enum TypeExprKind {
    /// `string`, `Page`, `list<T>`: a name and its arguments.
    Name {
        /// The name.
        name: Name,
        /// What stands in `<…>`.
        args: Vec<TypeExpr>,
    },
    /// A literal: a string without holes, an int with its sign, a bool. `null` is a [`TypeExprKind::Name`].
    Literal(Literal),
    /// `{ a: T, b?: U }`
    Record(Vec<TypeField>),
    /// `A | B`, at least two.
    Union(Vec<TypeExpr>),
    /// `T?`
    Optional(Box<TypeExpr>),
    /// Text that is no type; a diagnostic says why.
    Error,
}

/// A field of a record type.
#[derive(Clone, Debug)]
pub struct TypeField {
    /// The whole field.
    pub span: Span,
    /// Its documentation.
    pub doc: Doc,
    /// Its name; quoted ones without quotes.
    pub name: Name,
    /// `name?: T`
    pub optional: bool,
    /// Its type.
    pub ty: TypeExpr,
}
