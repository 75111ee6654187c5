//! Expressions.

use std::fmt::Display;

use crate::check::context::Checker;
use crate::syntax::ast::Expr;
use crate::types::Type;

impl Checker<'_> {
    /// The type of an expression. `hint` is the type that is wanted, where one is: literals, lambdas and records take
    /// their form from it; whether the result fits is for the caller ([`Checker::expect`]) to say.
    pub(crate) fn infer(&mut self, expr: &Expr, hint: Option<&Type>) -> Type {
        let _ = hint;
        self.record(expr.id, Type::Error)
    }

    /// Checks that an expression fits a type: reports where it does not, records the coercion where its form differs.
    /// Gives the expected type, or [`Type::Error`] after a report. `role` is what wants it, for the message: `the
    /// argument `url``, `the value of `return``.
    pub(crate) fn expect(&mut self, expr: &Expr, expected: &Type, role: impl Display) -> Type {
        let _ = (expected, role.to_string());
        self.infer(expr, Some(expected))
    }
}
