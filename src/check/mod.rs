//! Types, names and effects of a tree. Expected types flow down, inferred types flow up; what is found out lives in
//! side tables keyed by node id ([`Checked`]), from which a program is lowered and an editor answers.

mod aftermath;
mod annotation;
mod block;
mod budget;
mod call;
mod clause;
mod context;
mod effects;
mod exits;
mod expr;
mod fit;
mod flow;
mod items;
mod lambda;
mod lints;
mod literal;
mod matches;
mod method;
mod names;
mod narrow;
mod operator;
mod postfix;
mod record;
mod step;
mod stmt;
mod table;
mod template;
mod tests;
mod types;
mod walk;

pub use table::Table;

use std::sync::Arc;

use rustc_hash::FxHashMap;

pub(crate) use clause::{Clauses, RetryClause};

use crate::builtins::MethodRef;
use crate::check::context::Checker;
use crate::diagnostic::Diagnostic;
use crate::source::FileId;
use crate::syntax::ast::{self, NodeId};
use crate::types::{Catalog, Signature, Text, Type};

/// A file of a program, as the checker takes it.
#[derive(Debug)]
pub struct Unit {
    /// Its id; the program's own file is 0.
    pub id: FileId,
    /// Its tree.
    pub tree: ast::File,
    /// The file that each of its `use` items names, by the item's index; none where it could not be loaded.
    pub imports: FxHashMap<usize, FileId>,
}

/// An item by its file and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ItemRef {
    /// Its file.
    pub file: FileId,
    /// Its place among the file's items.
    pub index: u32,
}

/// What a name or call stands for.
#[derive(Clone, Debug)]
pub enum Resolution {
    /// A local (parameter, let, var, step, loop variable, lambda parameter, pattern name, caught error), by the id it
    /// was declared with.
    Local(NodeId),
    /// A pure function.
    Function(ItemRef),
    /// A flow.
    Flow(ItemRef),
    /// A tool, from the catalog or a declaration.
    Tool(Arc<Signature>),
    /// `input`
    Input,
    /// `run`
    Run,
    /// `prev`, after a plain step: the outcome of a step that succeeded with the value of this local.
    PrevSuccess(NodeId),
    /// `prev`, after a `try`: the value of the step, by the id of its local.
    PrevValue(NodeId),
    /// `secrets.NAME`, on the id of the postfix that names it.
    Secret(Text),
    /// A type's name as its JSON Schema.
    Schema(Type),
    /// A built-in method, on the id of its postfix (also one without parentheses).
    Method(MethodRef),
    /// `x.check(T)`, on the id of its postfix.
    CheckMethod(Type),
    /// A field, on the id of its postfix: its place in the static record type, 0 where that is unknown.
    Field(u32),
    /// `calls(tool)`, on the id of the call.
    Calls(Arc<Signature>),
}

/// What the checker knows.
#[derive(Debug, Default)]
pub struct Checked {
    /// What is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The type of every expression and postfix, of every local by its declaration's id, of every action, step (its
    /// value), and the meaning of every type expression, by node id. [`Type::Error`] where unknown.
    pub types: Vec<Type>,
    /// What names, calls and postfixes stand for.
    pub resolutions: Table<Resolution>,
    /// Expressions whose value must be converted when it crosses over to a wider type, with that type.
    pub coercions: Table<Type>,
    /// For each call (of a tool, flow, function or method; methods by the id of the postfix): for each parameter, the
    /// index of the argument that fills it.
    pub arguments: Table<Vec<Option<u32>>>,
    /// For each step whose action calls a tool or has `as`: the type the action's result must fit (generics bound).
    pub results: Table<Type>,
    /// The result type of each flow and function, declared or inferred.
    pub returns: FxHashMap<ItemRef, Type>,
    /// For each record literal with `...` fill in a mock: the type whose fields are to be sampled.
    pub fills: Table<Type>,
}

impl Checked {
    /// The type of a node; [`Type::Error`] where it is not known.
    pub fn ty(&self, id: NodeId) -> &Type {
        self.types.get(id.0 as usize).unwrap_or(&Type::Error)
    }
}

/// Checks the files of a program against the tools there are. `nodes` is how many node ids they use.
pub fn check(units: &[Unit], catalog: &Catalog, nodes: usize) -> Checked {
    let mut checker = Checker::new(units, catalog, nodes);
    checker.items();
    checker.item_bodies();
    checker.unused_imports();
    let mut checked = checker.out;
    checked.diagnostics.sort_by_key(|diagnostic| (diagnostic.span.file, diagnostic.span.start));
    // What was checked twice, as a lambda may be, is said once.
    checked.diagnostics.dedup();
    checked
}
