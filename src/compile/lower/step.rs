//! Steps, actions and the segments of their paths.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::check::{Clauses, Resolution, RetryClause};
use crate::compile::lower::Lowering;
use crate::program::{Action, Block, Branch, Expr, For, Guard, ParallelFor, Repeat, Retry, Slot, Step, Stmt, Undo};
use crate::source::Span;
use crate::syntax::ast::{self, ActionKind, NodeId, StmtKind};
use crate::types::{Text, Type};
use crate::value::{ErrorKind, Shape};

/// How many unnamed steps and blocks of each kind a block has so far, in the order of the text; transparent statements
/// count on.
#[derive(Default)]
pub(super) struct Segments {
    seen: FxHashMap<Text, u32>,
}

impl Segments {
    /// `callee@n`, `keyword@n`
    fn next(&mut self, what: &str) -> Text {
        let seen = self.seen.entry(what.into()).or_default();
        *seen += 1;
        Text::from(format!("{what}@{seen}"))
    }
}

impl Lowering<'_> {
    /// Lowers a block whose paths are counted anew: a body, or all blocks of one action.
    pub(super) fn segments<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> T {
        self.segments.push(Segments::default());
        let lowered = lower(self);
        self.segments.pop();
        lowered
    }

    /// The segment of a step or statement without a name.
    pub(super) fn unnamed(&mut self, action: &ast::Action) -> Text {
        let what = keyword(action);
        self.segments.last_mut().map_or_else(Text::default, |segments| segments.next(what))
    }

    /// A step. Its value goes into a slot of the scope at hand where it is to be kept.
    pub(super) fn step(&mut self, step: &ast::Step, keep: bool) -> Step {
        let segment = match &step.name {
            Some(name) => name.text.clone(),
            None => self.unnamed(&step.action),
        };
        // Everything but the value ends with the step, so that the value may take a slot that was used within.
        let mut lowered = self.scope(|lowering| lowering.step_parts(step, segment));
        lowered.slot = keep.then(|| self.declare(step.id));
        lowered
    }

    fn step_parts(&mut self, step: &ast::Step, segment: Text) -> Step {
        let (action, guard) = self.segments(|lowering| lowering.guarded(&step.action));
        let result = self.checked.results.get(step.id).cloned().unwrap_or_else(|| self.result_of(&step.action));
        let clauses = Clauses::of(step);
        Step {
            span: step.span,
            segment,
            name: step.name.as_ref().map(|name| name.text.clone()),
            title: step.title.as_ref().map(|title| self.expr(title)),
            slot: None,
            when: clauses.when.map(|condition| self.expr(condition)),
            action,
            result,
            checked: clauses.as_type.is_some(),
            retry: clauses.retry.map(|retry| self.retry(&retry)),
            timeout: clauses.timeout.map(|after| self.expr(after)),
            otherwise: clauses.otherwise.map(|value| self.expr(value)),
            undo: clauses.undo.map(|(call, span)| Box::new(self.undo(step.id, call, span))),
            key: clauses.key.map(|(key, _)| self.expr(key)),
            guard,
        }
    }

    fn retry(&mut self, retry: &RetryClause<'_>) -> Retry {
        let backoff = retry.backoff.map(|range| {
            let from = self.expr(&range.from);
            // `backoff A` without an end stays at A.
            (from, self.expr(range.to.as_ref().unwrap_or(&range.from)))
        });
        let on = retry.on.iter().filter_map(|kind| ErrorKind::find(&kind.text)).collect();
        Retry { count: self.expr(retry.count), backoff, on }
    }

    /// In the arguments of an `undo` the step's name is what the call returned, which has a slot of its own: the step's
    /// value may be an outcome, or not there yet.
    fn undo(&mut self, step: NodeId, call: &ast::Call, span: Span) -> Undo {
        self.scope(|lowering| {
            let slot = lowering.declare(step);
            Undo { slot: Some(slot), call: lowering.call(call), span }
        })
    }

    /// What a step's action gives, where no tool and no `as` says so.
    fn result_of(&self, action: &ast::Action) -> Type {
        match &action.kind {
            // `try` is around the step: its action gives what is tried.
            ActionKind::Try(tried) => self.result_of(&tried.action),
            ActionKind::Call(call) => match self.resolution(call.id) {
                Some(Resolution::Tool(signature)) => signature.result.clone(),
                _ => self.checked.ty(action.id).clone(),
            },
            _ => self.checked.ty(action.id).clone(),
        }
    }

    /// An action of a step, and what `try` makes of it.
    fn guarded(&mut self, action: &ast::Action) -> (Action, Option<Guard>) {
        let ActionKind::Try(tried) = &action.kind else { return (self.action(action, false), None) };
        let inner = match &tried.action.kind {
            ActionKind::Try(_) => Action::Do(self.nested(&tried.action)),
            _ => self.action(&tried.action, false),
        };
        let guard = if tried.catch.is_none() && tried.finally.is_none() {
            Guard::Outcome
        } else {
            Guard::Catch {
                catch: tried.catch.as_ref().map(|catch| self.catch(catch)),
                finally: tried.finally.as_ref().map(|block| self.block(block)),
            }
        };
        (inner, Some(guard))
    }

    /// `try try X`: the inner `try` is a step of its own.
    fn nested(&mut self, action: &ast::Action) -> Block {
        self.scope(|lowering| {
            let segment = lowering.unnamed(action);
            let (inner, guard) = lowering.segments(|lowering| lowering.guarded(action));
            let slot = lowering.temp();
            let step = Step::new(segment, inner, lowering.result_of(action), action.span);
            let step = Step { slot: Some(slot), guard, ..step };
            Block { stmts: vec![Stmt::Step(Box::new(step)), Stmt::Yield(Expr::Slot(slot))] }
        })
    }

    /// An action. The blocks that stand directly in it count their segments with those at hand; bodies of loops and
    /// branches count their own. The branches of a `parallel` that is a statement are declared in the scope at hand.
    pub(super) fn action(&mut self, action: &ast::Action, statement: bool) -> Action {
        match &action.kind {
            ActionKind::Call(call) => self.call(call),
            ActionKind::Parallel(block) => Action::Parallel(self.branches(block, statement)),
            ActionKind::Race(block) => Action::Race(self.branches(block, false)),
            ActionKind::For(found) if found.parallel => {
                let span = found.limit.as_ref().map_or(action.span, |limit| limit.span);
                let list = self.expr(&found.list);
                let limit = found.limit.as_ref().map(|limit| self.expr(limit));
                let ((item, index, body), frame) = self.branch(|lowering| lowering.iteration(found));
                Action::ParallelFor(Box::new(ParallelFor { list, limit, span, item, index, frame, body }))
            }
            ActionKind::For(found) => {
                let list = self.expr(&found.list);
                let (item, index, body) = self.scope(|lowering| lowering.iteration(found));
                Action::For(Box::new(For { list, item, index, body }))
            }
            ActionKind::Repeat(found) => {
                let max = self.expr(&found.max);
                let every = found.every.as_ref();
                let every = every.map(|range| (self.expr(&range.from), range.to.as_ref().map(|to| self.expr(to))));
                let body = self.segments(|lowering| lowering.block(&found.body));
                Action::Repeat(Box::new(Repeat { max, every, body, span: action.span }))
            }
            ActionKind::Do(block) if statement => Action::Do(self.segments(|lowering| lowering.block(block))),
            ActionKind::Do(block) => Action::Do(self.block(block)),
            ActionKind::If(found) => Action::If(Box::new(self.if_blocks(found))),
            ActionKind::Match(found) => Action::Match(Box::new(self.match_blocks(found))),
            ActionKind::Try(_) => Action::Do(self.nested(action)),
            ActionKind::Error => Action::Do(Block::default()),
        }
    }

    fn iteration(&mut self, found: &ast::For) -> (Slot, Option<Slot>, Block) {
        let item = self.declare(found.item_id);
        let index = found.index.as_ref().map(|_| self.declare(found.index_id));
        (item, index, self.segments(|lowering| lowering.block(&found.body)))
    }

    fn branches(&mut self, block: &ast::Block, bind: bool) -> Vec<Branch> {
        let steps = block.stmts.iter().filter_map(|stmt| match &stmt.kind {
            StmtKind::Step(step) => Some(step),
            _ => None,
        });
        let steps: Vec<&ast::Step> = steps.collect();
        let mut branches = self.segments(|lowering| {
            let branch = |step: &&ast::Step| {
                let (step, frame) = lowering.branch(|lowering| lowering.step(step, false));
                Branch { step, bind: None, frame }
            };
            steps.iter().map(branch).collect::<Vec<_>>()
        });
        if bind {
            for (branch, step) in branches.iter_mut().zip(steps) {
                branch.bind = Some(self.declare(step.id));
            }
        }
        branches
    }

    /// A call of a tool or flow.
    pub(super) fn call(&mut self, call: &ast::Call) -> Action {
        match self.resolution(call.id) {
            Some(Resolution::Tool(signature)) => {
                let tool = self.tool(signature);
                let values = self.positional(call.id, &call.args);
                let named = signature.params.iter().zip(values);
                let given = named.filter_map(|(param, value)| Some((param.name.clone(), value?)));
                let (names, args): (Vec<Text>, Vec<Expr>) = given.unzip();
                Action::Tool { tool, shape: Arc::new(Shape::new(names)), args }
            }
            Some(Resolution::Flow(item)) => {
                let flow = self.flows.get(item).copied().unwrap_or_default();
                Action::Flow { flow, args: self.positional(call.id, &call.args) }
            }
            _ => Action::Do(Block::default()),
        }
    }
}

/// What an unnamed step or block is called: what it calls, or its keyword.
fn keyword(action: &ast::Action) -> &str {
    match &action.kind {
        ActionKind::Call(call) => &call.callee.text,
        ActionKind::Parallel(_) => "parallel",
        ActionKind::Race(_) => "race",
        ActionKind::For(found) if found.parallel => "parallel",
        ActionKind::For(_) => "for",
        ActionKind::Repeat(_) => "repeat",
        ActionKind::Do(_) => "do",
        ActionKind::If(_) => "if",
        ActionKind::Match(_) => "match",
        ActionKind::Try(tried) => match &tried.action.kind {
            ActionKind::Do(_) => "try",
            _ => keyword(&tried.action),
        },
        ActionKind::Error => "step",
    }
}
