//! Patterns and `match`.

use crate::program::{Arm, Expr, Pattern};
use crate::run::eval::{Cx, Evaluated, NULL, set};
use crate::value::Value;

/// Whether a value fits a pattern. What it binds goes into its slots on the way; they are read only where the whole arm
/// matches.
pub(super) fn matches(pattern: &Pattern, value: &Value, frame: &mut [Value]) -> bool {
    match pattern {
        Pattern::Any => true,
        Pattern::Bind(slot) => {
            set(frame, *slot, value.clone());
            true
        }
        Pattern::Const(constant) => constant.0 == *value,
        Pattern::Is(ty) => value.matches(ty),
        Pattern::Record(fields) => {
            matches!(value, Value::Record(_) | Value::Map(_))
                && fields.iter().all(|(name, pattern)| matches(pattern, value.get(name).unwrap_or(&NULL), frame))
        }
    }
}

impl Cx<'_> {
    pub(super) fn match_value(&mut self, value: &Expr, arms: &[Arm<Expr>], frame: &mut [Value]) -> Evaluated {
        match self.arm(value, arms, frame)? {
            Some(body) => self.eval(body, frame),
            // The checker has made sure that some arm matches.
            None => Ok(Value::Null),
        }
    }

    /// The body of the first arm that matches.
    pub(super) fn arm<'a, Body>(
        &mut self,
        value: &Expr,
        arms: &'a [Arm<Body>],
        frame: &mut [Value],
    ) -> Evaluated<Option<&'a Body>> {
        let value = self.eval(value, frame)?;
        for arm in arms {
            self.spend(1)?;
            if arm.patterns.iter().any(|pattern| matches(pattern, &value, frame))
                && arm.guard.as_ref().map_or(Ok(true), |guard| self.holds(guard, frame))?
            {
                return Ok(Some(&arm.body));
            }
        }
        Ok(None)
    }
}
