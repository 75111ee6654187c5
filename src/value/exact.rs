//! Values written so that reading gives the very same value: for constants of a stored program. (JSON as the world
//! sees it loses whether a text was a duration, and a record's shape.) Use with `#[serde(with = "exact")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types::Text;
use crate::value::Value;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Exact {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(Text),
    Duration(i64),
    Datetime(jiff::Timestamp),
    List(Vec<Exact>),
    Record(Vec<(Text, Exact)>),
    Map(Vec<(Text, Exact)>),
    Secret(Text),
}

/// Writes a value.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &Value, to: S) -> Result<S::Ok, S::Error> {
    Exact::from(value).serialize(to)
}

/// Reads a value.
///
/// # Errors
/// Those of the deserializer.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    Exact::deserialize(from).map(Value::from)
}

impl From<&Value> for Exact {
    fn from(value: &Value) -> Self {
        let entry = |(name, value): (&Text, &Value)| (name.clone(), Exact::from(value));
        match value {
            Value::Null => Exact::Null,
            Value::Bool(bool) => Exact::Bool(*bool),
            Value::Int(int) => Exact::Int(*int),
            Value::Float(float) => Exact::Float(*float),
            Value::String(text) => Exact::String(text.clone()),
            Value::Duration(millis) => Exact::Duration(*millis),
            Value::Datetime(at) => Exact::Datetime(*at),
            Value::List(items) => Exact::List(items.iter().map(Exact::from).collect()),
            Value::Record(record) => Exact::Record(record.iter().map(entry).collect()),
            Value::Map(map) => Exact::Map(map.iter().map(entry).collect()),
            Value::Secret(name) => Exact::Secret(Text::from(&**name)),
        }
    }
}

impl From<Exact> for Value {
    fn from(exact: Exact) -> Self {
        let entry = |(name, value): (Text, Exact)| (name, Value::from(value));
        match exact {
            Exact::Null => Value::Null,
            Exact::Bool(bool) => Value::Bool(bool),
            Exact::Int(int) => Value::Int(int),
            Exact::Float(float) => Value::Float(float),
            Exact::String(text) => Value::String(text),
            Exact::Duration(millis) => Value::Duration(millis),
            Exact::Datetime(at) => Value::Datetime(at),
            Exact::List(items) => Value::list(items.into_iter().map(Value::from)),
            Exact::Record(fields) => Value::record(fields.into_iter().map(entry)),
            Exact::Map(entries) => Value::map(entries.into_iter().map(entry)),
            Exact::Secret(name) => Value::Secret(name.as_str().into()),
        }
    }
}
