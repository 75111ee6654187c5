//! Reading a tool's arguments. The engine has made them fit the signature; what does not fit here is told as `invalid`
//! all the same, for tools that are called from elsewhere.

#[cfg(any(feature = "http", feature = "sqlite"))]
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::run::ToolError;
use crate::value::{ErrorKind, Value};

/// The arguments of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'a>(pub(crate) &'a Value);

impl<'a> Args<'a> {
    /// An argument that was given and is not null.
    pub(crate) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text that must be there.
    pub(crate) fn text(self, name: &str) -> Result<&'a str, ToolError> {
        self.optional_text(name)?.ok_or_else(|| misfit(name, "a string", "nothing"))
    }

    /// A text that may be left out.
    pub(crate) fn optional_text(self, name: &str) -> Result<Option<&'a str>, ToolError> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| misfit(name, "a string", value.kind()))).transpose()
    }

    /// A whole number in a range.
    #[cfg(any(feature = "http", feature = "sqlite"))]
    pub(crate) fn int(self, name: &str, default: i64, range: RangeInclusive<i64>) -> Result<i64, ToolError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let int = value.as_int().ok_or_else(|| misfit(name, "an int", value.kind()))?;
        if range.contains(&int) {
            return Ok(int);
        }
        Err(misfit(name, &format!("between {} and {}", range.start(), range.end()), &int.to_string()))
    }

    /// A list of texts; empty where it is left out.
    #[cfg(feature = "sqlite")]
    pub(crate) fn list(self, name: &str) -> Result<Vec<&'a str>, ToolError> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let items = value.as_list().ok_or_else(|| misfit(name, "a list", value.kind()))?;
        items.iter().map(|item| item.as_str().ok_or_else(|| misfit(name, "a list of strings", item.kind()))).collect()
    }

    /// A flag; false where it is left out.
    #[cfg(feature = "http")]
    pub(crate) fn flag(self, name: &str) -> Result<bool, ToolError> {
        self.get(name).map_or(Ok(false), |value| value.as_bool().ok_or_else(|| misfit(name, "a bool", value.kind())))
    }

    /// A span of time that may be left out.
    pub(crate) fn duration(self, name: &str) -> Result<Option<Duration>, ToolError> {
        self.get(name)
            .map(|value| match value {
                Value::Duration(millis) => u64::try_from(*millis)
                    .map(Duration::from_millis)
                    .map_err(|_| misfit(name, "a duration from now", "one that is over")),
                other => Err(misfit(name, "a duration", other.kind())),
            })
            .transpose()
    }

    /// A map of texts; empty where it is left out.
    #[cfg(feature = "http")]
    pub(crate) fn texts(self, name: &str) -> Result<Vec<(&'a str, &'a str)>, ToolError> {
        let entry = |key: &'a str, value: &'a Value| {
            value
                .as_str()
                .map(|text| (key, text))
                .ok_or_else(|| misfit(&format!("{name}.{key}"), "a string", value.kind()))
        };
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Map(map)) => map.iter().map(|(key, value)| entry(key, value)).collect(),
            Some(Value::Record(record)) => record.iter().map(|(key, value)| entry(key, value)).collect(),
            Some(other) => Err(misfit(name, "a map", other.kind())),
        }
    }

    /// An address that must be there.
    #[cfg(feature = "http")]
    pub(crate) fn url(self, name: &str) -> Result<url::Url, ToolError> {
        let text = self.text(name)?;
        url::Url::parse(text).map_err(|error| invalid(format!("`{name}` is not an address: `{text}` ({error})")))
    }
}

/// An argument that cannot be used; the call has not been made.
pub(crate) fn invalid(message: impl Into<String>) -> ToolError {
    ToolError::new(ErrorKind::Invalid, message).undelivered()
}

fn misfit(name: &str, expected: &str, found: &str) -> ToolError {
    invalid(format!("`{name}` must be {expected}, found {found}"))
}
