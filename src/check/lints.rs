//! Warnings: what runs, but probably not as meant. All are conservative: what might be meant is left alone.

use rustc_hash::FxHashSet;

use crate::builtins::Size;
use crate::check::Resolution;
use crate::check::context::{Checker, Local};
use crate::check::step::head;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{ActionKind, Expr, ExprKind, For, ListItem, NodeId, Postfix, PostfixKind, Step};
use crate::types::{Text, Type};

/// A step of a tool that only reads, whose name nothing read.
#[derive(Debug)]
pub(crate) struct Unread {
    id: NodeId,
    span: Span,
    name: Text,
}

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
        if let Some(Resolution::Tool(tool)) = self.out.resolutions.get(call.id)
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
        self.report(
            Diagnostic::new(
                Code::UNBOUNDED_FANOUT,
                head(span, "parallel for"),
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
                    bounded = match self.out.resolutions.get(part.id) {
                        Some(Resolution::Method(method)) => match method.size {
                            Size::Any => false,
                            Size::Kept => bounded,
                            Size::UpTo(at) => bounded || self.limits(part, at),
                        },
                        _ => false,
                    };
                }
                bounded
            }
            _ => false,
        }
    }

    /// Whether an argument of a method is given and is no number below zero, as far as the text tells.
    fn limits(&self, part: &Postfix, at: usize) -> bool {
        let PostfixKind::Method(_, args) = &part.kind else { return false };
        let given = self.out.arguments.get(part.id).and_then(|placed| *placed.get(at)?);
        let given = given.and_then(|arg| args.get(arg as usize));
        given.is_some_and(|arg| !matches!(arg.value.kind, ExprKind::Prefix(..)))
    }
}
