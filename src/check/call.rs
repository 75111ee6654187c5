//! Calls: what a name in front of parentheses stands for, and the arguments between them.

use std::sync::Arc;

use crate::check::ItemRef;
use crate::check::context::Checker;
use crate::source::Span;
use crate::syntax::ast::{Arg, Name, NodeId};
use crate::types::{Bindings, Signature, Text, Type};

/// What a name in front of parentheses stands for.
#[derive(Clone, Debug)]
pub(crate) enum Callee {
    /// A tool of the catalog or a declared one.
    Tool(Arc<Signature>),
    /// A flow.
    Flow(ItemRef),
    /// A pure function.
    Function(ItemRef),
}

/// What a tool, flow or function takes.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// `the tool `web.scrape`` and the like, for messages.
    pub(crate) of: String,
    /// In declared order.
    pub(crate) list: Vec<Parameter>,
}

/// A parameter as a caller sees it.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: Text,
    /// What it takes; where it may be left out without a default, null too.
    pub(crate) ty: Type,
    /// Whether a call must give it.
    pub(crate) required: bool,
    /// Where it is declared; none for tools of the catalog.
    pub(crate) span: Option<Span>,
}

impl Checker<'_> {
    /// What a callee's name stands for. An unknown one is reported, with the nearest, and gives none. Whether it may
    /// be called here is for the caller to say.
    pub(crate) fn callee(&mut self, name: &Name) -> Option<Callee> {
        let _ = name;
        None
    }

    /// The parameters of a callee.
    pub(crate) fn parameters(&mut self, of: &Callee) -> Arc<Parameters> {
        let _ = of;
        Arc::new(Parameters { of: String::new(), list: Vec::new() })
    }

    /// Checks the arguments of a call (`id`; `span` is its parentheses) against its parameters, first those by place,
    /// then those by name, and records which fills which ([`crate::check::Checked::arguments`]). Gives what its type
    /// parameters are bound to, with which to [`Type::substitute`] its result.
    pub(crate) fn arguments(&mut self, id: NodeId, span: Span, args: &[Arg], to: &Parameters) -> Bindings {
        let _ = (id, span, to);
        for arg in args {
            self.infer(&arg.value, None);
        }
        Bindings::default()
    }

    /// Infers arguments that belong to nothing known, so that what stands in them is checked all the same.
    pub(crate) fn stray_arguments(&mut self, args: &[Arg]) {
        for arg in args {
            self.infer(&arg.value, None);
        }
    }

    /// What a flow or function gives, declared or inferred; [`Type::Error`] where it is not known.
    pub(crate) fn returns(&self, item: ItemRef) -> Type {
        self.out.returns.get(&item).cloned().unwrap_or(Type::Error)
    }
}
