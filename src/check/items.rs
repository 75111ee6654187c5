//! Top-level names: what each file declares and imports, what its types mean, and what its callables take.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::check::ItemRef;
use crate::check::call::Parameters;
use crate::check::context::Checker;
use crate::source::Span;
use crate::syntax::ast::{Name, TypeExpr};
use crate::types::{Signature, Text, Type};

/// What is known of items beyond their names.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// What each type declaration means.
    pub(crate) types: FxHashMap<ItemRef, Type>,
    /// What each flow and function takes.
    pub(crate) parameters: FxHashMap<ItemRef, Arc<Parameters>>,
    /// Tools that a `tool` item declares, by their dotted names.
    pub(crate) tools: FxHashMap<Text, Arc<Signature>>,
}

impl Checker<'_> {
    /// Collects the names of every file and what their types and signatures mean.
    pub(crate) fn items(&mut self) {}

    /// The meaning of a type as written in the file at hand, recorded on its node; what is wrong with it is reported.
    pub(crate) fn resolve_type(&mut self, ty: &TypeExpr) -> Type {
        self.record(ty.id, Type::Error)
    }

    /// A tool by its dotted name, declared or in the catalog; one that is not there is reported with the nearest.
    pub(crate) fn tool(&mut self, name: &Name) -> Option<Arc<Signature>> {
        let _ = name;
        None
    }

    /// Where the type of a name is declared, if the file at hand sees one.
    pub(crate) fn type_named(&self, name: &str) -> Option<Span> {
        let _ = name;
        None
    }
}
