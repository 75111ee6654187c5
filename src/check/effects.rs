//! Effects: calls of tools and flows, flows of control that run at once, and what must not cross between them.

use crate::check::Resolution;
use crate::check::call::Callee;
use crate::check::clause::Clauses;
use crate::check::context::{Checker, Local, LocalKind, Prev};
use crate::check::walk::{self, Visitor};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Action, ActionKind, Block, Call, Name, Step, StmtKind};
use crate::types::{Text, Type};

/// A branch of `parallel` or `race`, checked.
pub(crate) struct Branch<'s> {
    pub(crate) step: &'s Step,
    pub(crate) ty: Type,
    pub(crate) completes: bool,
}

impl Checker<'_> {
    /// Checks a call of a tool or flow as an action. `wanted` is what `as` says of its result.
    pub(crate) fn call_of_effect(&mut self, call: &Call, wanted: Option<&Type>) -> Type {
        match self.callee(&call.callee) {
            Some(callee @ (Callee::Tool(_) | Callee::Flow(_))) => self.effect(call, &callee, wanted),
            Some(Callee::Function(_)) => {
                let name = &call.callee.text;
                self.stray_arguments(&call.args);
                self.report(
                    Diagnostic::new(
                        Code::NOT_CALLABLE,
                        call.callee.span,
                        format!("`{name}` is a pure function, and a step calls a tool or a flow"),
                    )
                    .help(format!("no step is needed: `let … = {name}(…)`")),
                );
                self.record(call.id, Type::Error)
            }
            None => {
                self.stray_arguments(&call.args);
                self.record(call.id, Type::Error)
            }
        }
    }

    /// Checks the arguments of a call of a tool or flow, and gives what it gives.
    pub(crate) fn effect(&mut self, call: &Call, callee: &Callee, wanted: Option<&Type>) -> Type {
        let parameters = self.parameters(callee);
        let bindings = self.arguments(call.id, call.args_span, &call.args, &parameters);
        let ty = match callee {
            Callee::Tool(tool) => {
                self.resolve(call.id, Resolution::Tool(tool.clone()));
                self.body.destructive_seen |= tool.annotations.destructive == Some(true);
                let unbound = tool.generics.iter().find(|name| bindings.get(name).is_none());
                match (unbound, wanted) {
                    (None, _) => tool.result.substitute(&bindings, &Type::Error),
                    (Some(_), _) if !tool.result.is_generic() => tool.result.clone(),
                    (Some(_), Some(wanted)) => wanted.clone(),
                    (Some(unknown), None) => {
                        self.report(
                            Diagnostic::new(
                                Code::CANNOT_INFER,
                                call.span,
                                format!("what `{}` gives cannot be told from its arguments", tool.name),
                            )
                            .help(format!("say what `{unknown}` is: hand in its schema, or add `as …` to the step")),
                        );
                        Type::Error
                    }
                }
            }
            Callee::Flow(flow) => {
                self.resolve(call.id, Resolution::Flow(*flow));
                self.returns(*flow)
            }
            Callee::Function(_) => Type::Error,
        };
        self.record(call.id, ty)
    }

    /// Whether an action, once checked, is the call of a tool.
    pub(crate) fn calls_tool(&self, action: &Action) -> bool {
        match &action.kind {
            ActionKind::Call(call) => matches!(self.out.resolutions.get(call.id), Some(Resolution::Tool(_))),
            _ => false,
        }
    }

    /// Checks the branches of `parallel` or `race`, each in a flow of control of its own in which the others' names
    /// cannot be used. Their names stay declared; the caller leaves the scope, or gives them their values with
    /// [`Checker::bind_branches`].
    pub(crate) fn branches<'s>(&mut self, block: &'s Block, word: &str) -> Vec<Branch<'s>> {
        let mut steps = Vec::with_capacity(block.stmts.len());
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Error => {}
                StmtKind::Step(step) => match &step.name {
                    Some(name) => {
                        if self.name_segment(step) {
                            self.declare(&name.text, name.span, step.id, Type::Error, LocalKind::Sibling);
                        }
                        steps.push(step);
                    }
                    None => {
                        let keyword = Span { end: step.span.start + 4, ..step.span };
                        self.report(
                            Diagnostic::new(
                                Code::PARALLEL_STEPS_ONLY,
                                keyword,
                                format!("a step of `{word}` needs a name"),
                            )
                            .help("name it: `step name = …`"),
                        );
                        steps.push(step);
                    }
                },
                _ => {
                    self.report(
                        Diagnostic::new(
                            Code::PARALLEL_STEPS_ONLY,
                            stmt.span,
                            format!("`{word}` holds only named steps"),
                        )
                        .help("move it before or after the block, or into a step: `step name = do { … }`"),
                    );
                }
            }
        }
        let why = if word == "race" { "in a `race`" } else { "in a `parallel` block" };
        let outer = std::mem::replace(&mut self.prev, Prev::Nothing(why));
        let mut branches = Vec::with_capacity(steps.len());
        for step in steps {
            let (ty, completes) = self.in_new_control(|checker| checker.step(step));
            branches.push(Branch { step, ty, completes });
        }
        self.prev = outer;
        branches
    }

    /// Lets the names of branches stand for their values from here on.
    pub(crate) fn bind_branches(&mut self, branches: &[Branch<'_>]) {
        for branch in branches {
            let id = branch.step.id;
            if let Some(local) = self.locals.iter_mut().rev().find(|local| local.id == id) {
                local.kind = LocalKind::Step;
                local.ty = branch.ty.clone();
                local.used = false;
            }
        }
    }

    /// Reports a `set` of something that is no var.
    pub(crate) fn not_a_var(&mut self, name: &Name, local: &Local) {
        if local.ty == Type::Error && local.kind == LocalKind::Sibling {
            return;
        }
        let (what, help) = match local.kind {
            LocalKind::Let => ("a `let`", "declare it with `var` to set it"),
            LocalKind::Param => ("a parameter", "copy it first: `var … = `"),
            LocalKind::Step | LocalKind::Sibling => {
                ("a step", "a step's value does not change; keep what changes in a `var`")
            }
            _ => ("a name bound once", "keep what changes in a `var`"),
        };
        let name_text = &name.text;
        let wrong = Diagnostic::new(
            Code::NOT_A_VAR,
            name.span,
            format!("only a `var` can be set, and `{name_text}` is {what}"),
        )
        .label(local.span, "declared here")
        .help(help);
        self.report(wrong);
    }

    /// Reports a `set` from another flow of control.
    pub(crate) fn set_across(&mut self, name: &Name, local: &Local) {
        self.report(
            Diagnostic::new(Code::SET_ACROSS, name.span, format!("`{}` belongs to another flow of control and cannot be set here", name.text))
                .label(local.span, "declared here, outside")
                .help("branches, iterations of `parallel for` and attempts of a block with `retry` run on their own: `yield` the value and combine what they give after the block"),
        );
    }

    /// The first call within an action that a second run could do harm with: destructive, not repeatable, without a
    /// key and without an `undo`.
    pub(crate) fn harm_in(&self, action: &Action) -> Option<(Span, Text)> {
        let mut harm = Harm { checker: self, found: None };
        if let ActionKind::Call(call) = &action.kind {
            harm.call_of(call, false);
        }
        walk::action(action, &mut harm);
        harm.found
    }
}

/// Looks for harmful steps.
pub(crate) struct Harm<'c, 'u> {
    pub(crate) checker: &'c Checker<'u>,
    pub(crate) found: Option<(Span, Text)>,
}

impl Harm<'_, '_> {
    fn call_of(&mut self, call: &Call, safe: bool) {
        if self.found.is_some() {
            return;
        }
        let harmful = match self.checker.out.resolutions.get(call.id) {
            Some(Resolution::Tool(tool)) if !safe && tool.annotations.harmful_twice() => Some(tool.name.clone()),
            Some(Resolution::Flow(flow)) => self.checker.body.harmful.get(flow).cloned(),
            _ => None,
        };
        self.found = harmful.map(|tool| (call.callee.span, tool));
    }
}

impl Visitor for Harm<'_, '_> {
    fn step(&mut self, step: &Step) {
        let clauses = Clauses::of(step);
        let safe = clauses.key.is_some() || clauses.undo.is_some();
        let action = match &step.action.kind {
            ActionKind::Try(guard) => &guard.action,
            _ => &step.action,
        };
        if let ActionKind::Call(call) = &action.kind {
            self.call_of(call, safe);
        }
    }
}
