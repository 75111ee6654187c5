//! What stands in tests only: mocks and assertions.

use crate::check::Resolution;
use crate::compile::lower::Lowering;
use crate::program::{Assert, Expr, Mock, MockAnswer};
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind, MockArgs};
use crate::types::BinaryOp;
use crate::value::ErrorKind;

impl Lowering<'_> {
    /// A mock. It answers in a frame of its own, where the names of its pattern are.
    pub(super) fn mock(&mut self, mock: &ast::Mock, span: Span) -> Mock {
        let tool = match self.resolution(mock.id) {
            Some(Resolution::Tool(signature)) => self.tool(signature),
            _ => 0,
        };
        let ((args, after, answer), frame) = self.branch(|lowering| {
            let args = match &mock.args {
                MockArgs::Any => Vec::new(),
                MockArgs::Record(fields) => lowering.pattern_fields(fields),
            };
            let after = mock.after.as_ref().map(|after| lowering.expr(after));
            let answer = match &mock.answer {
                ast::MockAnswer::Value(value) => MockAnswer::Value(lowering.expr(value)),
                ast::MockAnswer::Fails(kind) => {
                    MockAnswer::Fails(ErrorKind::find(&kind.text).unwrap_or(ErrorKind::Failed))
                }
            };
            (args, after, answer)
        });
        Mock { tool, frame, args, after, answer, span }
    }

    pub(super) fn assert(&mut self, condition: &ast::Expr) -> Assert {
        Assert { sides: self.sides(condition), condition: self.expr(condition), span: condition.span }
    }

    /// Both sides of a comparison, for the report of a failure.
    fn sides(&mut self, condition: &ast::Expr) -> Option<(Expr, Expr)> {
        match &condition.kind {
            ExprKind::Paren(inner) => self.sides(inner),
            ExprKind::Binary(left, rest) => {
                let [(op, _, right)] = rest.as_slice() else { return None };
                let compares = !matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Coalesce);
                compares.then(|| (self.expr(left), self.expr(right)))
            }
            _ => None,
        }
    }
}
