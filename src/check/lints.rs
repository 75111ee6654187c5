//! Warnings: what runs, but probably not as meant. All are conservative: what might be meant is left alone.

use rustc_hash::FxHashSet;

use crate::check::Resolution;
use crate::check::clause::Clauses;
use crate::check::context::{Checker, Local};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{
    Action, ActionKind, Block, Call, Expr, ExprKind, For, ListItem, NodeId, PostfixKind, Step, StmtKind,
};
use crate::types::{Text, Type};

/// A step of a tool that only reads, whose name nothing read.
#[derive(Debug)]
pub(crate) struct Unread {
    id: NodeId,
    span: Span,
    name: Text,
}

/// Methods that give no more items than there were.
const NOT_LONGER: [&str; 14] = [
    "map",
    "filter",
    "sort",
    "sort_by",
    "reverse",
    "unique",
    "unique_by",
    "take",
    "drop",
    "slice",
    "compact",
    "enumerate",
    "chunk",
    "partition",
];

impl Checker<'_> {
    /// Remembers a step that nothing read when its scope ends.
    pub(crate) fn unread_step(&mut self, local: &Local) {
        if self.body.reads_only.contains(&local.id) {
            self.body.unread.push(Unread { id: local.id, span: local.span, name: local.name.clone() });
        }
    }

    /// Remembers a step whose only use is its value: a plain call of a tool that only reads.
    pub(crate) fn note_reads_only(&mut self, step: &Step, value: &Type) {
        let ActionKind::Call(call) = &step.action.kind else { return };
        if self.in_test || matches!(value, Type::Null | Type::Error | Type::Never) {
            return;
        }
        if let Some(Resolution::Tool(tool)) = self.out.resolutions.get(&call.id)
            && tool.annotations.read_only == Some(true)
        {
            self.body.reads_only.insert(step.id);
        }
    }

    /// Warns of steps that only read and whose value nothing uses, by name or as `prev`.
    pub(crate) fn unused_results(&mut self) {
        let unread = std::mem::take(&mut self.body.unread);
        if unread.is_empty() {
            return;
        }
        let by_prev: FxHashSet<NodeId> = self
            .out
            .resolutions
            .values()
            .filter_map(|to| match to {
                Resolution::PrevSuccess(id) | Resolution::PrevValue(id) => Some(*id),
                _ => None,
            })
            .collect();
        for step in unread {
            if !by_prev.contains(&step.id) && !step.name.starts_with('_') {
                let message = format!("the result of `{}` is never used, and its tool only reads", step.name);
                self.report(
                    Diagnostic::new(Code::UNUSED, step.span, message)
                        .help(format!("remove the step, or call it `_{}` to keep it", step.name)),
                );
            }
        }
    }

    /// Warns of a `parallel for` over a list of unknown length that does not say how many at once.
    pub(crate) fn unbounded_fanout(&mut self, form: &For, span: Span) {
        if form.limit.is_some() || self.is_bounded(&form.list) || self.in_test {
            return;
        }
        let keyword = Span { end: span.start + "parallel for".len() as u32, ..span };
        self.report(
            Diagnostic::new(
                Code::UNBOUNDED_FANOUT,
                keyword,
                "this `parallel for` walks a list of any length without a `limit`",
            )
            .label(form.list.span, "nothing bounds this list")
            .help("say how many may run at once; without a `limit` it is 16")
            .suggest("add a limit", form.list.span.after(), " limit 8"),
        );
    }

    /// Whether a list's length is bounded by the text: a literal, `take(n)`, or what is made from such a list.
    pub(crate) fn is_bounded(&self, list: &Expr) -> bool {
        match &list.kind {
            ExprKind::List(items) => items.iter().all(|item| match item {
                ListItem::Value(_) => true,
                ListItem::Spread(inner) => self.is_bounded(inner),
            }),
            ExprKind::Paren(inner) => self.is_bounded(inner),
            ExprKind::Name(name) => self.local(name).is_some_and(|local| self.body.bounded.contains(&local.id)),
            ExprKind::Postfix(base, parts) => {
                let mut bounded = self.is_bounded(base);
                for part in parts {
                    bounded = match &part.kind {
                        PostfixKind::Method(name, _) if name.text == "take" || name.text == "slice" => true,
                        PostfixKind::Method(name, _) => bounded && NOT_LONGER.contains(&name.text.as_str()),
                        PostfixKind::Field(_) | PostfixKind::Index(_) => false,
                    };
                }
                bounded
            }
            _ => false,
        }
    }

    /// Warns of the first step of a flow that may fail, unhandled, after a step that cannot be undone.
    pub(crate) fn unhandled_failure(&mut self, body: &Block) {
        let mut history = History { checker: self, warned: None };
        history.block(body, None, false);
        let Some((span, (done, tool))) = history.warned else { return };
        self.report(
            Diagnostic::new(Code::UNHANDLED_FAILURE, span, format!("if this fails, what `{tool}` did stays done"))
                .label(done, "this cannot be undone")
                .help("give that step an `undo`, or handle the failure of this one with `try` or `else`"),
        );
    }
}

/// An irreversible step: its callee and tool.
type Done = (Span, Text);

/// Walks a flow in the order it runs, knowing what has been done for good.
struct History<'c, 'u> {
    checker: &'c Checker<'u>,
    warned: Option<(Span, Done)>,
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
        let resolution = self.checker.out.resolutions.get(&call.id)?;
        let waits = matches!(resolution, Resolution::Tool(tool) if tool.namespace() == "time");
        if let (Some(before), false, false) = (&done, handled, waits)
            && self.warned.is_none()
        {
            self.warned = Some((call.callee.span, before.clone()));
        }
        match resolution {
            Resolution::Tool(tool) if tool.annotations.destructive == Some(true) && !undone => {
                done.or_else(|| Some((call.callee.span, tool.name.clone())))
            }
            _ => done,
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
