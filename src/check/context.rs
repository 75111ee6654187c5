//! What the checker carries along: scopes, narrowing facts, and the frame of the flow of control it stands in.

use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use crate::check::{Checked, ItemRef, Resolution, Unit};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax::ast::{Expr, NodeId};
use crate::types::{Catalog, Text, Type};

/// The checker of one program.
pub(crate) struct Checker<'a> {
    pub(crate) units: &'a [Unit],
    pub(crate) catalog: &'a Catalog,
    /// What has been found out.
    pub(crate) out: Checked,
    /// The file that is being checked.
    pub(crate) file: FileId,
    /// What each file's top-level names stand for, imports included.
    pub(crate) items: FxHashMap<FileId, IndexMap<Text, ItemRef>>,
    /// The locals in sight, innermost last. Names are never shadowed, so a name is found at most once.
    pub(crate) locals: Vec<Local>,
    /// What is known of places beyond their declared types, newest last.
    pub(crate) facts: Vec<Fact>,
    /// The flow of control at hand; a `var` may be set only where it was declared in the same one. Branches of
    /// `parallel` and `race`, iterations of `parallel for`, lambdas and blocks with `retry` each are one.
    pub(crate) control: u32,
    /// Whether effects (steps) are forbidden here, and why: `fn`, lambda…
    pub(crate) pure_because: Option<&'static str>,
}

/// A local in sight.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) name: Text,
    pub(crate) id: NodeId,
    pub(crate) span: Span,
    pub(crate) ty: Type,
    pub(crate) kind: LocalKind,
    /// The flow of control it was declared in.
    pub(crate) control: u32,
    /// Whether anything reads it.
    pub(crate) used: bool,
}

/// What declared a local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocalKind {
    Param,
    Let,
    Var,
    Step,
    Loop,
    Lambda,
    Pattern,
    Caught,
    /// A step of another branch of the `parallel` or `race` at hand: using it is an error that says so.
    Sibling,
}

/// A place whose type can be narrowed: an immutable local, and fields from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) local: NodeId,
    pub(crate) path: Vec<Text>,
}

/// What is known of a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fact {
    pub(crate) place: Place,
    pub(crate) ty: Type,
}

/// What a condition tells where it holds and where it does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) when_true: Vec<Fact>,
    pub(crate) when_false: Vec<Fact>,
    /// The condition's value, where the checker knows it.
    pub(crate) always: Option<bool>,
}

/// How far locals and facts went, to return to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    locals: usize,
    facts: usize,
}

impl Checker<'_> {
    /// Records a diagnostic.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.out.diagnostics.push(diagnostic);
    }

    /// Records a node's type and gives it back.
    pub(crate) fn record(&mut self, id: NodeId, ty: Type) -> Type {
        if let Some(slot) = self.out.types.get_mut(id.0 as usize) {
            *slot = ty.clone();
        }
        ty
    }

    /// Records what a node stands for.
    pub(crate) fn resolve(&mut self, id: NodeId, to: Resolution) {
        self.out.resolutions.insert(id, to);
    }

    /// Where the scope stands now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { locals: self.locals.len(), facts: self.facts.len() }
    }

    /// Leaves a scope: forgets the locals and facts since, warning of locals that nothing read.
    pub(crate) fn leave(&mut self, mark: Mark) {
        let gone: Vec<Local> = self.locals.drain(mark.locals..).collect();
        for local in gone {
            let silent = local.used || local.name.starts_with('_') || local.ty == Type::Error;
            if !silent && matches!(local.kind, LocalKind::Let | LocalKind::Var | LocalKind::Pattern) {
                let message = format!("`{}` is never used", local.name);
                self.report(
                    Diagnostic::new(Code::UNUSED, local.span, message)
                        .help(format!("remove it, or call it `_{}` to keep it", local.name)),
                );
            }
        }
        self.facts.truncate(mark.facts);
    }

    /// Forgets the facts since a mark, keeping the locals.
    pub(crate) fn forget_facts(&mut self, mark: Mark) {
        self.facts.truncate(mark.facts);
    }

    /// Takes facts for true until the scope is left.
    pub(crate) fn assume(&mut self, facts: &[Fact]) {
        self.facts.extend_from_slice(facts);
    }

    /// Declares a local; a name that is already in sight is an error that shows the first.
    pub(crate) fn declare(&mut self, name: &Text, span: Span, id: NodeId, ty: Type, kind: LocalKind) {
        if let Some(first) = self.locals.iter().find(|local| local.name == *name) {
            let first = first.span;
            self.report(
                Diagnostic::new(Code::SHADOWED, span, format!("the name `{name}` is already taken"))
                    .label(first, "first declared here")
                    .help("choose another name: names are never shadowed"),
            );
        }
        let ty = self.record(id, ty);
        let control = self.control;
        self.locals.push(Local { name: name.clone(), id, span, ty, kind, control, used: false });
    }

    /// The local of a name.
    pub(crate) fn local(&self, name: &str) -> Option<&Local> {
        self.locals.iter().rev().find(|local| local.name == name)
    }

    /// The type of a place as it is known here: the newest fact about it, or the field of what is known of its
    /// parent.
    pub(crate) fn place_type(&self, place: &Place) -> Type {
        if let Some(fact) = self.facts.iter().rev().find(|fact| fact.place == *place) {
            return fact.ty.clone();
        }
        let Some((last, parent)) = place.path.split_last() else {
            return self.out.ty(place.local).clone();
        };
        let parent = Place { local: place.local, path: parent.to_vec() };
        self.place_type(&parent).field(last).unwrap_or(Type::Error)
    }

    /// Checks an expression that must be a `bool` and says what it tells.
    pub(crate) fn condition(&mut self, condition: &Expr) -> Facts {
        let _ = self.expect(condition, &Type::Bool, "a condition");
        Facts::default()
    }
}
