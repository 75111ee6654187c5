//! What stays done when a later step fails: a walk over a flow in the order it runs, through the flows it calls.

use crate::check::clause::Clauses;
use crate::check::context::Checker;
use crate::check::{ItemRef, Resolution};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Action, ActionKind, Block, Call, Step, StmtKind};
use crate::types::Text;

/// What a call of a flow comes to.
#[derive(Debug)]
pub(crate) struct Aftermath {
    /// A tool that it calls and that cannot be undone.
    done: Option<Text>,
    /// Whether it may fail: it has a step, or a `fail`, that nothing in it handles.
    fails: bool,
}

impl Checker<'_> {
    /// Warns of the first step of a flow that may fail, unhandled, after a step that cannot be undone; remembers for
    /// its callers what the flow comes to. The flows it calls come before it.
    pub(crate) fn unhandled_failure(&mut self, at: ItemRef, body: &Block) {
        let mut history = History { checker: self, warned: None, fails: false };
        let done = history.block(body, None, false);
        let History { warned, fails, .. } = history;
        self.body.aftermaths.insert(at, Aftermath { done: done.map(|done| done.tool), fails });
        let Some((span, done)) = warned else { return };
        let what = if done.within {
            format!("this calls `{}`, which cannot be undone", done.tool)
        } else {
            "this cannot be undone".to_owned()
        };
        let message = format!("if this fails, what `{}` did stays done", done.tool);
        self.report(
            Diagnostic::new(Code::UNHANDLED_FAILURE, span, message)
                .label(done.span, what)
                .help("give that step an `undo`, or handle the failure of this one with `try` or `else`"),
        );
    }
}

/// An irreversible step.
#[derive(Clone)]
struct Done {
    /// Its callee.
    span: Span,
    tool: Text,
    /// Whether it calls a flow in which the tool is called.
    within: bool,
}

/// Walks a flow in the order it runs, knowing what has been done for good.
struct History<'c, 'u> {
    checker: &'c Checker<'u>,
    warned: Option<(Span, Done)>,
    fails: bool,
}

impl History<'_, '_> {
    /// Gives what has been done for good at the block's end.
    fn block(&mut self, block: &Block, mut done: Option<Done>, handled: bool) -> Option<Done> {
        for stmt in &block.stmts {
            done = match &stmt.kind {
                StmtKind::Step(step) | StmtKind::YieldStep(step) | StmtKind::ReturnStep(step) => {
                    self.step(step, done, handled)
                }
                StmtKind::Block(action) => self.action(action, done, handled),
                StmtKind::Fail { .. } => {
                    self.fails |= !handled;
                    done
                }
                _ => done,
            };
        }
        done
    }

    fn step(&mut self, step: &Step, done: Option<Done>, handled: bool) -> Option<Done> {
        let clauses = Clauses::of(step);
        let undone = clauses.undo.is_some();
        let handled = handled || clauses.otherwise.is_some();
        match &step.action.kind {
            ActionKind::Call(call) => self.call(call, done, handled, undone),
            ActionKind::Try(guard) if guard.catch.is_none() && guard.finally.is_none() => match &guard.action.kind {
                ActionKind::Call(call) => self.call(call, done, true, undone),
                _ => self.action(&guard.action, done, true),
            },
            _ => self.action(&step.action, done, handled),
        }
    }

    fn call(&mut self, call: &Call, done: Option<Done>, handled: bool, undone: bool) -> Option<Done> {
        let (fails, tool, within) = match self.checker.out.resolutions.get(call.id)? {
            Resolution::Tool(tool) => {
                let irreversible = tool.annotations.destructive == Some(true);
                (tool.namespace() != "time", irreversible.then(|| tool.name.clone()), false)
            }
            Resolution::Flow(flow) => match self.checker.body.aftermaths.get(flow) {
                Some(known) => (known.fails, known.done.clone(), true),
                // Of a circle, which has been reported.
                None => (true, None, true),
            },
            _ => return done,
        };
        if fails && !handled {
            self.fails = true;
            if self.warned.is_none() {
                self.warned = done.clone().map(|before| (call.callee.span, before));
            }
        }
        match tool.filter(|_| !undone) {
            Some(tool) => done.or(Some(Done { span: call.callee.span, tool, within })),
            None => done,
        }
    }

    fn action(&mut self, action: &Action, done: Option<Done>, handled: bool) -> Option<Done> {
        match &action.kind {
            ActionKind::Call(call) => self.call(call, done, handled, false),
            ActionKind::Do(body) => self.block(body, done, handled),
            ActionKind::For(form) => self.block(&form.body, done, handled),
            ActionKind::Repeat(form) => self.block(&form.body, done, handled),
            ActionKind::Parallel(body) | ActionKind::Race(body) => {
                let mut after = done.clone();
                for stmt in &body.stmts {
                    if let StmtKind::Step(step) = &stmt.kind {
                        after = after.or(self.step(step, done.clone(), handled));
                    }
                }
                after
            }
            ActionKind::If(form) => {
                let mut after = done.clone();
                for body in form.branches.iter().map(|(_, body)| body).chain(&form.otherwise) {
                    after = after.or(self.block(body, done.clone(), handled));
                }
                after
            }
            ActionKind::Match(form) => {
                let mut after = done.clone();
                for arm in &form.arms {
                    after = after.or(self.block(&arm.body, done.clone(), handled));
                }
                after
            }
            ActionKind::Try(form) => {
                let caught = handled || form.catch.is_some() || form.finally.is_none();
                let mut after = match &form.action.kind {
                    ActionKind::Do(body) => self.block(body, done, caught),
                    _ => self.action(&form.action, done, caught),
                };
                if let Some(catch) = &form.catch {
                    after = self.block(&catch.body, after, handled);
                }
                match &form.finally {
                    Some(finally) => self.block(finally, after, true),
                    None => after,
                }
            }
            ActionKind::Error => done,
        }
    }
}
