//! Expressions, from what pest read of them. A flat run of operands and operators becomes a tree in [`operators`]; an
//! operand is a primary and the [`chain`] that follows it.

mod branches;
mod calls;
mod chain;
mod collections;
mod operators;

use std::iter::Peekable;

use super::ast::{Expr, ExprKind, Literal, TypeExpr};
use super::parse::{Builder, Pair, Pairs, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::types::Text;

/// The parts of a flat run.
type Parts<'i> = Peekable<Pairs<'i>>;

impl Builder<'_> {
    /// An `expr`, or the mark that one is missing.
    pub(super) fn expr(&mut self, pair: Pair<'_>) -> Expr {
        if pair.as_rule() == Rule::no_expr {
            return self.no_expr(&pair);
        }
        let mut parts = pair.into_inner().peekable();
        if parts.peek().is_some_and(|part| part.as_rule() == Rule::if_expr) {
            return match parts.next() {
                Some(part) => self.if_expr(part),
                None => self.error_expr(Span::default()),
            };
        }
        self.climb(&mut parts)
    }

    pub(super) fn error_expr(&mut self, span: Span) -> Expr {
        Expr { id: self.fresh(), span, kind: ExprKind::Error }
    }

    fn no_expr(&mut self, mark: &Pair<'_>) -> Expr {
        self.missing(mark);
        self.error_expr(self.span(mark))
    }

    fn primary(&mut self, pair: Pair<'_>, parts: &mut Parts<'_>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::name => match parts.next_if(|part| part.as_rule() == Rule::args) {
                Some(args) => {
                    let call = self.call_of(self.name(&pair), args);
                    let span = call.span;
                    return Expr { id: self.fresh(), span, kind: ExprKind::Call(Box::new(call)) };
                }
                None => name_or_literal(pair.as_str()),
            },
            Rule::string | Rule::block_string | Rule::raw_string => return self.string(pair),
            Rule::number => ExprKind::Literal(self.number(&pair, false)),
            Rule::list => self.list(pair),
            Rule::record => ExprKind::Record(self.record(pair)),
            Rule::paren => self.paren(pair),
            Rule::match_expr => self.match_expr(pair),
            Rule::if_operand => return self.if_operand(pair),
            _ => return self.no_expr(&pair),
        };
        Expr { id: self.fresh(), span, kind }
    }

    fn paren(&mut self, pair: Pair<'_>) -> ExprKind {
        let span = self.span(&pair);
        let mut values: Vec<Expr> = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => values.push(self.expr(part)),
                _ => self.missing(&part),
            }
        }
        if let Some(second) = values.get(1) {
            let message = "parentheses hold one expression; only a lambda's parameters are several";
            self.report(Diagnostic::new(Code::SYNTAX, second.span, message).label(span, "these parentheses"));
        }
        match values.into_iter().next() {
            Some(value) => ExprKind::Paren(Box::new(value)),
            None => ExprKind::Error,
        }
    }

    /// The type inside `as T`, `is T` or an argument.
    fn inner_type(&mut self, pair: Pair<'_>) -> TypeExpr {
        let span = self.span(&pair);
        match pair.into_inner().next() {
            Some(part) => self.ty(part),
            None => self.error_type(span),
        }
    }
}

/// What a word stands for in an expression.
fn name_or_literal(text: &str) -> ExprKind {
    match text {
        "true" => ExprKind::Literal(Literal::Bool(true)),
        "false" => ExprKind::Literal(Literal::Bool(false)),
        "null" => ExprKind::Literal(Literal::Null),
        _ => ExprKind::Name(Text::new(text)),
    }
}
