//! `if` and `match` as expressions.

use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Expr, ExprKind, ExprMatch};
use crate::syntax::parse::{Builder, Pair, Rule};

impl Builder<'_> {
    pub(super) fn if_expr(&mut self, pair: Pair<'_>) -> Expr {
        let span = self.span(&pair);
        let mut values = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => values.push(self.expr(part)),
                _ => self.missing(&part),
            }
        }
        let otherwise = values.pop().unwrap_or_else(|| self.error_expr(span));
        let mut branches = Vec::new();
        let mut values = values.into_iter();
        while let (Some(cond), Some(value)) = (values.next(), values.next()) {
            branches.push((cond, value));
        }
        Expr { id: self.fresh(), span, kind: ExprKind::If { branches, otherwise: Box::new(otherwise) } }
    }

    /// `if` as an operand: read, but it wants parentheses.
    pub(super) fn if_operand(&mut self, pair: Pair<'_>) -> Expr {
        let span = self.span(&pair);
        let text = self.slice(span);
        self.report(Diagnostic::new(Code::SYNTAX, span, "an `if` beside an operator stands in parentheses").fix(
            "put it in parentheses",
            span,
            format!("({text})"),
        ));
        match pair.into_inner().next() {
            Some(part) => self.if_expr(part),
            None => self.error_expr(span),
        }
    }

    pub(super) fn match_expr(&mut self, pair: Pair<'_>) -> ExprKind {
        let mut value = None;
        let mut arms = Vec::new();
        let span = self.span(&pair);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => value = Some(self.expr(part)),
                Rule::expr_arm => {
                    let arm = self.arm(part, |this, body| match body.as_rule() {
                        Rule::expr | Rule::no_expr => Some(this.expr(body)),
                        _ => None,
                    });
                    let (head, body) = arm;
                    let body = body.unwrap_or_else(|| self.error_expr(head.span));
                    arms.push(head.with(body));
                }
                _ => self.missing(&part),
            }
        }
        let value = value.unwrap_or_else(|| self.error_expr(span));
        ExprKind::Match(Box::new(ExprMatch { value, arms }))
    }
}
