//! Lambdas.

use std::fmt::Display;

use crate::check::context::{Checker, Facts, LocalKind};
use crate::check::expr::Want;
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Expr, Lambda};
use crate::types::Type;

impl Checker<'_> {
    /// A lambda that is no argument.
    pub(crate) fn stray_lambda(&mut self, expr: &Expr, lambda: &Lambda) -> Type {
        self.report(
            Diagnostic::new(Code::LAMBDA, expr.span, "a lambda stands only as an argument of a method")
                .help("name what it does with a `fn`, and call that"),
        );
        self.lambda_of_errors(expr, lambda);
        Type::Error
    }

    /// Checks the body of a lambda whose parameters mean nothing.
    pub(crate) fn lambda_of_errors(&mut self, expr: &Expr, lambda: &Lambda) {
        let takes = vec![Type::Error; lambda.params.len()];
        self.lambda_infer(expr, lambda, &takes, None);
    }

    /// Checks a lambda's value, which must fit where `wanted` says so.
    pub(crate) fn lambda_value(
        &mut self,
        expr: &Expr,
        lambda: &Lambda,
        takes: &[Type],
        wanted: Option<(&Type, &dyn Display)>,
    ) -> Type {
        let want = wanted.map_or(Want::Infer(None), |(ty, role)| Want::Expect(ty, role));
        self.within_lambda(expr, lambda, takes, |checker| checker.typed(&lambda.body, want))
    }

    /// The type of a lambda's value.
    pub(crate) fn lambda_infer(&mut self, expr: &Expr, lambda: &Lambda, takes: &[Type], hint: Option<&Type>) -> Type {
        self.within_lambda(expr, lambda, takes, |checker| checker.infer(&lambda.body, hint))
    }

    /// Checks a lambda that gives a `bool`, and says what that tells of its parameters.
    pub(crate) fn lambda_condition(&mut self, expr: &Expr, lambda: &Lambda, takes: &[Type]) -> Facts {
        self.within_lambda(expr, lambda, takes, |checker| {
            checker.truth(&lambda.body, Code::CONDITION, "the lambda's value")
        })
    }

    fn within_lambda<T>(
        &mut self,
        expr: &Expr,
        lambda: &Lambda,
        takes: &[Type],
        body: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.record(expr.id, Type::Never);
        let before = self.mark();
        for ((id, name), ty) in lambda.params.iter().zip(takes) {
            // `_` names nothing, so several may stand beside one another.
            if name.text == "_" {
                self.record(*id, ty.clone());
            } else {
                self.declare(&name.text, name.span, *id, ty.clone(), LocalKind::Lambda);
            }
        }
        let value = body(self);
        self.leave(before);
        value
    }
}
