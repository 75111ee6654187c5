//! The clauses of a step.

use crate::check::Resolution;
use crate::check::call::Callee;
use crate::check::context::{Checker, LocalKind, Prev};
use crate::check::step::head;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Action, ActionKind, Call, ClauseKind, Expr, ExprKind, Literal, Name, Range, Step, TypeExpr};
use crate::types::{ERROR_KINDS, Type};

/// A step's clauses by their kind. Where one is repeated, which the parser reports, the first counts.
#[derive(Default)]
pub(crate) struct Clauses<'a> {
    pub(crate) as_type: Option<&'a TypeExpr>,
    pub(crate) retry: Option<RetryClause<'a>>,
    pub(crate) timeout: Option<&'a Expr>,
    pub(crate) otherwise: Option<&'a Expr>,
    pub(crate) when: Option<&'a Expr>,
    pub(crate) undo: Option<(&'a Call, Span)>,
    pub(crate) key: Option<(&'a Expr, Span)>,
}

/// `retry N backoff A..B on …`
pub(crate) struct RetryClause<'a> {
    pub(crate) span: Span,
    pub(crate) count: &'a Expr,
    pub(crate) backoff: Option<&'a Range>,
    pub(crate) on: &'a [Name],
}

impl<'a> Clauses<'a> {
    /// The clauses of a step.
    pub(crate) fn of(step: &'a Step) -> Self {
        let mut clauses = Self::default();
        for clause in &step.clauses {
            match &clause.kind {
                ClauseKind::As(ty) => drop(clauses.as_type.get_or_insert(ty)),
                ClauseKind::Retry { count, backoff, on } => {
                    let retry = RetryClause { span: clause.span, count, backoff: backoff.as_ref(), on };
                    clauses.retry.get_or_insert(retry);
                }
                ClauseKind::Timeout(limit) => drop(clauses.timeout.get_or_insert(limit)),
                ClauseKind::Else(value) => drop(clauses.otherwise.get_or_insert(value)),
                ClauseKind::When(condition) => drop(clauses.when.get_or_insert(condition)),
                ClauseKind::Undo(call) => drop(clauses.undo.get_or_insert((call, clause.span))),
                ClauseKind::Key(key) => drop(clauses.key.get_or_insert((key, clause.span))),
            }
        }
        clauses
    }
}

impl RetryClause<'_> {
    /// Whether it never tries again: `retry 0`.
    pub(crate) fn never(&self) -> bool {
        matches!(self.count.kind, ExprKind::Literal(Literal::Int(0)))
    }
}

impl Checker<'_> {
    /// Checks the clauses that act on an attempt. `result` is what the action gives.
    pub(crate) fn check_clauses(&mut self, step: &Step, action: &Action, clauses: &Clauses<'_>, result: &Type) {
        if let Some(retry) = &clauses.retry {
            self.retry_clause(retry, action, clauses);
        }
        if let Some(timeout) = clauses.timeout {
            self.expect(timeout, &Type::Duration, "`timeout`");
        }
        if let Some((key, span)) = clauses.key {
            self.expect(key, &Type::String, "`key`");
            if !self.calls_tool(action) && !matches!(action.kind, ActionKind::Error) {
                self.report(
                    Diagnostic::new(Code::CLAUSE, span, "`key` belongs to a call of a tool")
                        .help("give the key to the steps inside"),
                );
            }
        }
        if let Some((undo, span)) = clauses.undo {
            self.undo_clause(step, action, undo, span, result);
        }
    }

    fn retry_clause(&mut self, retry: &RetryClause<'_>, action: &Action, clauses: &Clauses<'_>) {
        self.expect(retry.count, &Type::Int, "the number of retries");
        if let Some(backoff) = retry.backoff {
            self.expect(&backoff.from, &Type::Duration, "`backoff`");
            if let Some(to) = &backoff.to {
                self.expect(to, &Type::Duration, "`backoff`");
            }
        }
        for kind in retry.on {
            self.error_kind(kind);
        }
        if !retry.never() {
            self.unsafe_retry(retry.span, action, clauses.key.is_some());
        }
    }

    /// Checks the name of an error kind.
    pub(crate) fn error_kind(&mut self, kind: &Name) {
        if ERROR_KINDS.contains(&kind.text.as_str()) {
            return;
        }
        let mut wrong =
            Diagnostic::new(Code::UNKNOWN_ERROR_KIND, kind.span, format!("there is no error kind `{}`", kind.text))
                .help(format!("the kinds are {}", ERROR_KINDS.map(|kind| format!("`{kind}`")).join(", ")));
        if let Some(near) = nearest(&kind.text, ERROR_KINDS) {
            let quoted = kind.span.range().len() > kind.text.len();
            let text = if quoted { format!("{near:?}") } else { near.to_owned() };
            wrong = wrong.fix(format!("replace it with `{near}`"), kind.span, text);
        }
        self.report(wrong);
    }

    /// `else`: the value if the step failed, beside the value it has otherwise.
    pub(crate) fn else_value(&mut self, otherwise: &Expr, value: Type, tries: bool) -> Type {
        let found = self.infer(otherwise, Some(&value));
        if tries {
            self.report(
                Diagnostic::new(Code::CLAUSE, otherwise.span, "a step with `try` does not fail, so `else` has no use")
                    .help("leave out `try` to take this value on failure, or leave out `else` and look at the outcome"),
            );
            return value;
        }
        let joined = value.join(found.clone());
        if !found.same_shape(&joined) {
            self.out.coercions.insert_once(otherwise.id, joined.clone());
        }
        joined
    }

    /// `undo`: a call in whose arguments the step's name is what the step's own call returned.
    fn undo_clause(&mut self, step: &Step, action: &Action, undo: &Call, span: Span, result: &Type) {
        if !matches!(action.kind, ActionKind::Call(_) | ActionKind::Error) {
            self.report(
                Diagnostic::new(Code::UNDO, head(span, "undo"), "only the call of a tool or flow can be undone")
                    .label(action.span, "this is a block")
                    .help("give the `undo` to the steps inside: they are undone when the block fails"),
            );
        }
        let prev = std::mem::replace(&mut self.prev, Prev::Nothing("in an `undo`: use the step's name"));
        let mark = self.mark();
        let sibling = self.name_in_undo(step, result);
        match self.callee(&undo.callee) {
            Some(callee @ (Callee::Tool(_) | Callee::Flow(_))) => {
                self.effect(undo, &callee, Some(&Type::Json));
            }
            Some(Callee::Function(_)) => {
                self.stray_arguments(&undo.args);
                self.report(
                    Diagnostic::new(
                        Code::UNDO,
                        undo.callee.span,
                        format!("`{}` is a pure function: it undoes nothing", undo.callee.text),
                    )
                    .help("an `undo` calls a tool or a flow"),
                );
            }
            None => self.stray_arguments(&undo.args),
        }
        self.leave(mark);
        if let Some(local) = sibling.and_then(|at| self.locals.get_mut(at)) {
            local.kind = LocalKind::Sibling;
        }
        self.prev = prev;
    }

    /// Lets the step's name stand for what its call returned. In `parallel` the name is in sight already, as one not
    /// to be used; gives where it stands, to put it back.
    fn name_in_undo(&mut self, step: &Step, result: &Type) -> Option<usize> {
        let name = step.name.as_ref()?;
        if let Some(at) = self.locals.iter().rposition(|local| local.id == step.id) {
            self.record(step.id, result.clone());
            let local = self.locals.get_mut(at)?;
            local.kind = LocalKind::Step;
            local.ty = result.clone();
            return Some(at);
        }
        // A name that is taken is reported where the step declares it.
        if self.local(&name.text).is_none() {
            self.declare(&name.text, name.span, step.id, result.clone(), LocalKind::Step);
        }
        None
    }

    /// Reports a `retry` that may do harm twice: of a destructive tool, directly or somewhere inside, that takes no key.
    fn unsafe_retry(&mut self, retry: Span, action: &Action, has_key: bool) {
        let direct = match &action.kind {
            ActionKind::Call(call) => match self.out.resolutions.get(call.id) {
                Some(Resolution::Tool(tool)) => {
                    if has_key || !tool.annotations.harmful_twice() {
                        return;
                    }
                    Some((call.callee.span, tool.name.clone()))
                }
                _ => None,
            },
            _ => None,
        };
        let (span, tool, inside) = match direct {
            Some((span, tool)) => (span, tool, false),
            None => match self.harm_in(action) {
                Some((span, tool)) => (span, tool, true),
                None => return,
            },
        };
        let message = format!("a retry would run `{tool}` again, and it is destructive");
        let wrong = Diagnostic::new(Code::UNSAFE_RETRY, head(retry, "retry"), message);
        self.report(if inside {
            wrong
                .label(span, "called here, with nothing that makes a second call harmless")
                .help("retry only the steps that are safe to repeat, give that step an `undo` or a `key`, or leave out `retry`")
        } else {
            wrong
                .label(span, "it is neither idempotent nor takes a key")
                .help("say `key …` so that the other side can tell the attempts apart, or leave out `retry`: the default retries only when nothing was delivered")
        });
    }
}
