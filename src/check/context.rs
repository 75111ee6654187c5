//! What the checker carries along: scopes, narrowing facts, and the frame of the flow of control it stands in.

use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::check::exits::Body;
use crate::check::items::Declared;
use crate::check::{Checked, ItemRef, Resolution, Unit};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax::ast::NodeId;
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
    pub(crate) items: FxHashMap<FileId, IndexMap<Text, ItemRef, FxBuildHasher>>,
    /// What is known of flows, functions, types and declared tools.
    pub(crate) declared: Declared,
    /// The locals in sight, innermost last.
    pub(crate) locals: Vec<Local>,
    /// Where the newest local of a name stands in `locals`.
    local_index: FxHashMap<Text, u32>,
    /// What is known of places beyond their declared types, newest last.
    facts: Vec<Fact>,
    /// Where the facts of a local stand in `facts`, newest last.
    fact_index: FxHashMap<NodeId, Vec<u32>>,
    /// The flow of control at hand; a `var` may be set only where it was declared in the same one. Branches of
    /// `parallel` and `race`, iterations of `parallel for`, lambdas and blocks with `retry` each are one.
    pub(crate) control: u32,
    /// Whether effects (steps) are forbidden here, and why: `fn`, lambda…
    pub(crate) pure_because: Option<&'static str>,
    /// What `prev` stands for here.
    pub(crate) prev: Prev,
    /// The record of the parameters of the flow at hand: what `input` is. None outside a flow.
    pub(crate) input: Option<Type>,
    /// What the statement half carries along.
    pub(crate) body: Body,
    /// Whether the body of a test is at hand: `calls(tool)` stands only there.
    pub(crate) in_test: bool,
    /// The last statement whose value may become a step's, by the value.
    pub(crate) stepwise: Option<(NodeId, Stepwise)>,
    /// The statement at hand and the block it stands in.
    pub(crate) statement: (Span, Span),
    /// The last test of each `var`.
    pub(crate) tested: FxHashMap<NodeId, Tested>,
    /// How often a nearest name was searched for.
    pub(crate) suggestions: u32,
    /// How many lambdas around this place are being checked a second time.
    pub(crate) second_tries: u32,
    /// Whether a mock's answer is at hand: `...` in a record stands only there.
    pub(crate) filling: bool,
}

/// What `prev` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prev {
    /// Nothing, and why, as the end of a sentence: `` `prev` has nothing to stand for {why} ``: `at the start of a
    /// block`, `in a parallel block`, ``after a step with `else` ``.
    Nothing(&'static str),
    /// The outcome of a plain step, which is known to have succeeded, by the step's id.
    Success(NodeId),
    /// The value of a step that tries, by the step's id.
    Value(NodeId),
}

/// How a statement becomes a step where its value turns out to be the call of a tool or flow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stepwise {
    /// `let name: T = …`: where `let` and `: T` stand, and the type.
    Let(Span, Option<(Span, NodeId)>),
    /// `return …`, `yield …`: `step` stands before the value.
    Given,
}

/// A test of a `var`, which narrows nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tested {
    /// Where it is read.
    pub(crate) name: Span,
    /// Before the statement that tests it.
    pub(crate) before: Span,
    /// The block of that statement.
    pub(crate) block: Span,
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
    /// Where the local that it shadows (an error) stands.
    shadows: Option<u32>,
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

impl<'a> Checker<'a> {
    /// A checker that knows nothing yet.
    pub(crate) fn new(units: &'a [Unit], catalog: &'a Catalog, nodes: usize) -> Self {
        Self {
            units,
            catalog,
            out: Checked { types: vec![Type::Error; nodes], ..Checked::default() },
            file: FileId::default(),
            items: FxHashMap::default(),
            declared: Declared::default(),
            locals: Vec::new(),
            local_index: FxHashMap::default(),
            facts: Vec::new(),
            fact_index: FxHashMap::default(),
            control: 0,
            pure_because: None,
            prev: Prev::Nothing("here"),
            input: None,
            in_test: false,
            body: Body::default(),
            filling: false,
            stepwise: None,
            statement: (Span::default(), Span::default()),
            tested: FxHashMap::default(),
            suggestions: 0,
            second_tries: 0,
        }
    }

    /// Records a diagnostic.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.out.diagnostics.push(diagnostic);
    }

    /// Records a node's type and gives it back.
    pub(crate) fn record(&mut self, id: NodeId, ty: Type) -> Type {
        if let Some(slot) = self.out.types.get_mut(id.0 as usize) {
            slot.clone_from(&ty);
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
        let gone = self.locals.split_off(mark.locals.min(self.locals.len()));
        for local in gone.iter().rev() {
            match local.shadows {
                Some(earlier) => self.local_index.insert(local.name.clone(), earlier),
                None => self.local_index.remove(&local.name),
            };
        }
        for local in gone {
            if !local.used && local.kind == LocalKind::Step {
                self.unread_step(&local);
            }
            let silent = local.used || local.name.starts_with('_') || local.ty == Type::Error;
            if !silent && matches!(local.kind, LocalKind::Let | LocalKind::Var | LocalKind::Pattern) {
                let message = format!("`{}` is never used", local.name);
                self.report(
                    Diagnostic::new(Code::UNUSED, local.span, message)
                        .help(format!("remove it, or call it `_{}` to keep it", local.name)),
                );
            }
        }
        self.forget_facts(mark);
    }

    /// Forgets the facts since a mark, keeping the locals.
    pub(crate) fn forget_facts(&mut self, mark: Mark) {
        while self.facts.len() > mark.facts {
            let Some(fact) = self.facts.pop() else { break };
            if let Some(of_local) = self.fact_index.get_mut(&fact.place.local) {
                of_local.pop();
            }
        }
    }

    /// The facts that were assumed since a mark.
    pub(crate) fn facts_since(&self, mark: Mark) -> Vec<Fact> {
        self.facts.get(mark.facts..).unwrap_or_default().to_vec()
    }

    /// Takes facts for true until the scope is left.
    pub(crate) fn assume(&mut self, facts: &[Fact]) {
        for fact in facts {
            self.fact_index.entry(fact.place.local).or_default().push(self.facts.len() as u32);
            self.facts.push(fact.clone());
        }
    }

    /// Declares a local; a name that is already in sight is an error that shows the first.
    pub(crate) fn declare(&mut self, name: &Text, span: Span, id: NodeId, ty: Type, kind: LocalKind) {
        let shadows = self.local_index.insert(name.clone(), self.locals.len() as u32);
        let first = shadows.and_then(|at| self.locals.get_mut(at as usize)).map(|local| {
            // From here on the name means another, so whether this one is used cannot be told.
            local.used = true;
            local.span
        });
        if let Some(first) = first.or_else(|| self.type_named(name)) {
            self.report(
                Diagnostic::new(Code::SHADOWED, span, format!("the name `{name}` is already taken"))
                    .label(first, "first declared here")
                    .help("choose another name: names are never shadowed"),
            );
        }
        let ty = self.record(id, ty);
        let control = self.control;
        self.locals.push(Local { name: name.clone(), id, span, ty, kind, control, used: false, shadows });
    }

    /// The local of a name.
    pub(crate) fn local(&self, name: &str) -> Option<&Local> {
        self.local_index.get(name).and_then(|at| self.locals.get(*at as usize))
    }

    /// The local of a name, marked as read.
    pub(crate) fn use_local(&mut self, name: &str) -> Option<&Local> {
        let local = self.local_index.get(name).and_then(|at| self.locals.get_mut(*at as usize))?;
        local.used = true;
        Some(local)
    }

    /// The newest fact about a place itself.
    pub(crate) fn fact(&self, local: NodeId, path: &[Text]) -> Option<&Type> {
        let newest = self.fact_index.get(&local)?.iter().rev().filter_map(|at| self.facts.get(*at as usize));
        newest.into_iter().find(|fact| fact.place.path == path).map(|fact| &fact.ty)
    }

    /// Whether anything is known of a local or what is inside it.
    pub(crate) fn has_facts(&self, local: NodeId) -> bool {
        self.fact_index.get(&local).is_some_and(|facts| !facts.is_empty())
    }

    /// The type of a place as it is known here.
    pub(crate) fn place_type(&self, place: &Place) -> Type {
        let mut known = self.fact(place.local, &[]).unwrap_or_else(|| self.out.ty(place.local)).clone();
        for (at, name) in place.path.iter().enumerate() {
            let nullable = known.allows_null();
            let field = known.without_null().field(name).unwrap_or(Type::Error);
            let field = if nullable { field.or_null() } else { field };
            let path = place.path.get(..=at).unwrap_or_default();
            known = match self.fact(place.local, path) {
                Some(fact) => sharper(fact, field),
                None => field,
            };
        }
        known
    }
}

/// The sharper of what is known of a field: by a fact about it, or from what holds it, of which more may have become
/// known since.
pub(crate) fn sharper(fact: &Type, field: Type) -> Type {
    if field.fits(fact) && field != Type::Error { field } else { fact.clone() }
}
