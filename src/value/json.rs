//! Values ⇄ JSON. Urls are strings, datetimes RFC 3339, durations as the language writes them (`20s`).

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};

use crate::value::{Value, format_duration};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => to.serialize_unit(),
            Value::Bool(bool) => to.serialize_bool(*bool),
            Value::Int(int) => to.serialize_i64(*int),
            Value::Float(float) => to.serialize_f64(*float),
            Value::String(text) => to.serialize_str(text),
            Value::Duration(millis) => to.serialize_str(&format_duration(*millis)),
            Value::Datetime(at) => to.collect_str(at),
            Value::List(items) => to.collect_seq(items.iter()),
            Value::Record(record) => to.collect_map(record.iter()),
            Value::Map(map) => to.collect_map(map.iter()),
            // A secret is known by its name only, wherever it is written.
            Value::Secret(name) => {
                let mut entry = to.serialize_map(Some(1))?;
                entry.serialize_entry("$secret", &**name)?;
                entry.end()
            }
        }
    }
}

/// Plain JSON: see [`Value::conform`] for typed values.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(from).map(Value::from)
    }
}

impl From<serde_json::Value> for Value {
    /// Objects become maps; see [`Value::conform`] for typed values.
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(bool) => Value::Bool(bool),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => Value::Int(int),
                (None, Some(float)) => Value::Float(float),
                (None, None) => Value::Null,
            },
            serde_json::Value::String(text) => Value::String(text.into()),
            serde_json::Value::Array(items) => Value::list(items.into_iter().map(Value::from)),
            serde_json::Value::Object(entries) => {
                Value::map(entries.into_iter().map(|(name, value)| (name.into(), value.into())))
            }
        }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Int(int) => Self::from(*int),
            Value::Float(float) => Self::from(*float),
            Value::String(text) => Self::String(text.to_string()),
            Value::Duration(millis) => Self::String(format_duration(*millis)),
            Value::Datetime(at) => Self::String(at.to_string()),
            Value::List(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Record(record) => {
                Self::Object(record.iter().map(|(name, value)| (name.to_string(), value.into())).collect())
            }
            Value::Map(map) => Self::Object(map.iter().map(|(name, value)| (name.to_string(), value.into())).collect()),
            Value::Secret(name) => serde_json::json!({ "$secret": &**name }),
        }
    }
}

impl Value {
    /// Its JSON text, as `.json()` gives it.
    pub fn to_json_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
