//! Items: what stands at the top of a file.

use super::{Arg, Block, Doc, Expr, Name, NodeId, TypeExpr};
use crate::source::Span;
use crate::types::Text;

/// A declaration at the top of a file.
#[derive(Clone, Debug)]
pub struct Item {
    /// The whole item, from its annotations to its last character, doc comment left out.
    pub span: Span,
    /// Its documentation.
    pub doc: Doc,
    /// Annotations before it.
    pub annotations: Vec<Annotation>,
    /// What it declares.
    pub kind: ItemKind,
}

/// What an item declares.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// `use { A, b } from "./x.flow"`
    Use(Use),
    /// `type Page = { … }`
    Type(TypeDecl),
    /// `tool crm.find(…) -> T`
    Tool(ToolDecl),
    /// `fn slug(…) -> T = expr` or `{ … }`
    Fn(FnDecl),
    /// `flow name(…) -> T { … }`
    Flow(FlowDecl),
    /// `test "…" { … }`
    Test(TestDecl),
    /// Text that is no item; a diagnostic says why.
    Error,
}

/// `@name(args)`
#[derive(Clone, Debug)]
pub struct Annotation {
    /// From `@` to the closing parenthesis.
    pub span: Span,
    /// The name without `@`.
    pub name: Name,
    /// Its arguments.
    pub args: Vec<Arg>,
}

/// An import.
#[derive(Clone, Debug)]
pub struct Use {
    /// The names it brings in.
    pub names: Vec<Name>,
    /// The path as written.
    pub path: Text,
    /// The path's literal.
    pub path_span: Span,
}

/// A type declaration.
#[derive(Clone, Debug)]
pub struct TypeDecl {
    /// Its name.
    pub name: Name,
    /// What it stands for.
    pub ty: TypeExpr,
}

/// A tool declaration.
#[derive(Clone, Debug)]
pub struct ToolDecl {
    /// The namespace and the tool's name, as one dotted name (`crm.find`).
    pub name: Name,
    /// Type parameters.
    pub generics: Vec<Name>,
    /// Parameters.
    pub params: Vec<Param>,
    /// What it gives; null where left out.
    pub result: Option<TypeExpr>,
}

/// A pure function.
#[derive(Clone, Debug)]
pub struct FnDecl {
    /// Its name.
    pub name: Name,
    /// Parameters.
    pub params: Vec<Param>,
    /// What it gives; inferred where left out.
    pub result: Option<TypeExpr>,
    /// Its body.
    pub body: FnBody,
}

/// A function's body.
#[derive(Clone, Debug)]
pub enum FnBody {
    /// `= expr`
    Expr(Expr),
    /// `{ … }` of `let`, `if`, `match`, `return`, `fail`
    Block(Block),
}

/// A flow.
#[derive(Clone, Debug)]
pub struct FlowDecl {
    /// Its name.
    pub name: Name,
    /// Parameters.
    pub params: Vec<Param>,
    /// What it gives; inferred where left out.
    pub result: Option<TypeExpr>,
    /// Its body.
    pub body: Block,
}

/// A test.
#[derive(Clone, Debug)]
pub struct TestDecl {
    /// Its title.
    pub title: Text,
    /// The title's literal.
    pub title_span: Span,
    /// Its body.
    pub body: Block,
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Identifies the local it declares.
    pub id: NodeId,
    /// The whole parameter.
    pub span: Span,
    /// Its documentation.
    pub doc: Doc,
    /// Its name.
    pub name: Name,
    /// `name?: T`
    pub optional: bool,
    /// Its type.
    pub ty: TypeExpr,
    /// `= default`
    pub default: Option<Expr>,
}
