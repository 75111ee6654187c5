//! Why a value does not fit, in words.

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

impl std::error::Error for Misfit {}

impl Misfit {
    /// As the language's `Error` record, of kind `invalid`.
    pub fn to_error(&self) -> Value {
        Value::record_of([
            ("kind", "invalid".into()),
            ("message", self.to_string().into()),
            ("step", "".into()),
            ("attempts", Value::Int(0)),
            ("retryable", Value::Bool(false)),
            ("details", self.details()),
        ])
    }

    /// For programs: the path of what does not fit.
    pub fn details(&self) -> Value {
        Value::map([("path".into(), self.path.as_str().into())])
    }
}

/// What [`Value::conform`] gave, as the language's `outcome`.
pub fn outcome(result: Result<Value, Misfit>) -> Value {
    let (success, result, error) = match result {
        Ok(value) => (true, value, Value::Null),
        Err(misfit) => (false, Value::Null, misfit.to_error()),
    };
    Value::record_of([("success", Value::Bool(success)), ("result", result), ("error", error)])
}

/// What a type wants, in words.
pub(super) fn expected(ty: &Type) -> String {
    let plain = match ty {
        Type::Null => "null",
        Type::Bool => "a bool",
        Type::Int => "an int",
        Type::Float => "a number",
        Type::String => "a string",
        Type::Url => "an absolute http(s) address",
        Type::Datetime => "a datetime (RFC 3339)",
        Type::Duration => "a duration (`20s`)",
        Type::Json => "a JSON value",
        Type::Secret => "a secret",
        Type::List(_) => "a list",
        Type::Map(_) => "a map",
        Type::Schema(_) => "a schema",
        Type::Image => "an image's handle",
        Type::File => "a file's handle",
        Type::Record(record) if record.name.is_none() => "a record",
        other => return format!("`{}`", cut(&other.to_string(), 120)),
    };
    plain.to_owned()
}

/// What a value is, in words; a short one is shown.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string {:?}", cut(text, 60)),
        Value::Int(_) | Value::Float(_) => format!("the number {}", value.to_text()),
        Value::Bool(bool) => format!("`{bool}`"),
        Value::Duration(_) => format!("the duration {}", value.to_text()),
        Value::List(items) if items.is_empty() => "an empty list".to_owned(),
        other => other.kind().to_owned(),
    }
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
