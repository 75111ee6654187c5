//! The standard catalog: the signature of every tool that Flow knows by itself, whether or not something provides it
//! here. `flowc check` is complete with it alone; the reference `docs/reference/tools.md` is generated from it.

mod browser;
mod cloudinary;
mod http;
mod human;
mod llm;
mod memory;
mod search;
mod skill;
mod system;
mod vercel;
mod web;

use std::sync::{Arc, LazyLock};

use crate::run::Tool;
use crate::types::{Annotations, Catalog, Signature};

/// A namespace and the tools in it.
#[derive(Debug)]
pub struct Namespace {
    /// The part of its tools' names before the dot.
    pub name: &'static str,
    /// What it is for, in a sentence or two.
    pub doc: &'static str,
    /// Its tools, in the order of the reference.
    pub tools: Vec<Arc<Signature>>,
}

/// All namespaces, in the order of the reference.
pub fn namespaces() -> &'static [Namespace] {
    static ALL: LazyLock<Vec<Namespace>> = LazyLock::new(|| {
        vec![
            web::namespace(),
            http::namespace(),
            system::time(),
            system::random(),
            system::log(),
            llm::namespace(),
            search::namespace(),
            browser::namespace(),
            cloudinary::namespace(),
            memory::namespace(),
            vercel::namespace(),
            skill::namespace(),
            human::human(),
            human::signal(),
        ]
    });
    &ALL
}

/// Every signature of the standard catalog.
pub fn signatures() -> impl Iterator<Item = &'static Arc<Signature>> {
    namespaces().iter().flat_map(|namespace| &namespace.tools)
}

/// The signature of a standard tool.
pub fn find(name: &str) -> Option<Arc<Signature>> {
    signatures().find(|signature| signature.name == name).cloned()
}

/// The tools of these names, each made from its signature and what tells it from the others.
pub(super) fn provide<Action, const N: usize>(
    named: [(&str, Action); N],
    make: impl Fn(Arc<Signature>, Action) -> Arc<dyn Tool>,
) -> Vec<Arc<dyn Tool>> {
    named.into_iter().filter_map(|(name, action)| Some(make(find(name)?, action))).collect()
}

/// The standard catalog.
pub fn catalog() -> Catalog {
    let mut catalog = Catalog::empty();
    for signature in signatures() {
        catalog.add(Arc::clone(signature));
    }
    catalog
}

impl Namespace {
    fn of(name: &'static str, doc: &'static str, tools: impl IntoIterator<Item = Signature>) -> Self {
        Self { name, doc, tools: tools.into_iter().map(Arc::new).collect() }
    }
}

/// Changes something, but twice is the same as once.
fn idempotent() -> Annotations {
    Annotations { read_only: Some(false), idempotent: Some(true), destructive: Some(false), ..Annotations::default() }
}

/// Reads only, and reads the same whenever it is asked for the same thing.
fn reads() -> Annotations {
    Annotations { idempotent: Some(true), ..Annotations::read_only() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_belongs_to_its_namespace_and_is_documented() {
        for namespace in namespaces() {
            assert!(!namespace.doc.is_empty());
            for tool in &namespace.tools {
                assert_eq!(tool.namespace(), namespace.name, "{}", tool.name);
                assert!(tool.doc.ends_with('.'), "{} wants a whole sentence", tool.name);
                for param in &tool.params {
                    assert!(param.doc.ends_with('.'), "{}({}) wants a whole sentence", tool.name, param.name);
                    assert!(param.required || param.doc.len() > 10, "{}({})", tool.name, param.name);
                }
            }
        }
    }

    #[test]
    fn names_are_unique() {
        assert_eq!(signatures().count(), catalog().iter().count());
    }

    #[test]
    fn generic_tools_bind_their_parameter() {
        let extract = find("llm.extract").expect("llm.extract");
        assert_eq!(extract.generics, ["T"]);
        assert!(extract.params.iter().any(|param| matches!(&param.ty, crate::types::Type::Schema(_))));
    }
}
