//! Patterns.

use crate::compile::lower::Lowering;
use crate::compile::lower::expr::literal_value;
use crate::program::{Constant, Pattern, Slot};
use crate::syntax::ast::{self, PatternField, PatternKind};
use crate::types::Text;

/// The names that the patterns of one arm bind: a name that several alternatives bind is one local.
type Bound = Vec<(Text, Slot)>;

impl Lowering<'_> {
    /// The patterns of an arm. Their names are declared in the scope at hand.
    pub(super) fn patterns(&mut self, patterns: &[ast::Pattern]) -> Vec<Pattern> {
        let mut bound = Bound::new();
        patterns.iter().map(|pattern| self.pattern(pattern, &mut bound)).collect()
    }

    /// The fields of a record pattern.
    pub(super) fn pattern_fields(&mut self, fields: &[PatternField]) -> Vec<(Text, Pattern)> {
        self.fields(fields, &mut Bound::new())
    }

    fn fields(&mut self, fields: &[PatternField], bound: &mut Bound) -> Vec<(Text, Pattern)> {
        fields.iter().map(|field| (field.name.text.clone(), self.pattern(&field.pattern, bound))).collect()
    }

    fn pattern(&mut self, pattern: &ast::Pattern, bound: &mut Bound) -> Pattern {
        match &pattern.kind {
            PatternKind::Any | PatternKind::Error => Pattern::Any,
            PatternKind::Bind(name) => {
                if let Some((_, slot)) = bound.iter().find(|(other, _)| *other == name.text) {
                    let slot = *slot;
                    self.alias(pattern.id, slot);
                    return Pattern::Bind(slot);
                }
                let slot = self.declare(pattern.id);
                bound.push((name.text.clone(), slot));
                Pattern::Bind(slot)
            }
            PatternKind::Literal(literal) => Pattern::Const(Constant(literal_value(literal))),
            PatternKind::Is(ty) => Pattern::Is(self.checked.ty(ty.id).clone()),
            PatternKind::Record(fields) => Pattern::Record(self.fields(fields, bound)),
        }
    }
}
