//! What a program computes with. A value is 24 bytes and cheap to clone: text up to 23 bytes is held inline, all
//! else is shared and never changed in place while it is shared.

mod absent;
mod conform;
mod duration;
pub mod exact;
mod fault;
mod json;
mod misfit;
mod sample;
mod text;

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxBuildHasher;

pub use conform::{is_artifact_name, parse_datetime, parse_url};
pub use duration::{format_duration, parse_duration};
pub use fault::{ErrorKind, Fault};
pub use misfit::{Misfit, outcome};
pub use sample::sample;
pub(crate) use text::write_int;

use crate::types::Text;

/// How large a single string or list may get while a program computes, in bytes: a limit of the engine's by default.
pub const MAX_VALUE_BYTES: usize = 8 << 20;

/// A value.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float; never NaN or infinite (they fail where they would arise).
    Float(f64),
    /// A string or a url.
    String(Text),
    /// A span of time in milliseconds.
    Duration(i64),
    /// An instant.
    Datetime(jiff::Timestamp),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A record, whose fields the program knows. Image and file handles are records too.
    Record(Arc<Record>),
    /// A map, whose keys are data; also every object of a `json` value.
    Map(Arc<Map>),
    /// A secret by name; only the tool's edge ever sees what it stands for.
    Secret(Arc<str>),
}

/// A map's entries, in the order they were added.
pub type Map = IndexMap<Text, Value>;

/// A record: values laid out as its shape says.
#[derive(Clone, Debug)]
pub struct Record {
    /// The names of its fields.
    pub shape: Arc<Shape>,
    /// A value for each of them.
    pub values: Vec<Value>,
}

/// The field names of records made at one place; shared by all of them.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    names: IndexSet<Text, FxBuildHasher>,
}

impl Shape {
    /// A shape of these names, in this order; a name given twice counts once.
    pub fn new(names: impl IntoIterator<Item = Text>) -> Self {
        Self { names: names.into_iter().collect() }
    }

    /// The position of a name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.names.get_index_of(name)
    }

    /// The name at a position.
    pub fn name(&self, index: usize) -> Option<&Text> {
        self.names.get_index(index)
    }

    /// The names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Text> {
        self.names.iter()
    }

    /// How many fields.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it has no field.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl Record {
    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(self.shape.index_of(name)?)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Value)> {
        self.shape.names().zip(&self.values)
    }
}

impl Value {
    /// A string.
    pub fn string(text: impl Into<Text>) -> Self {
        Value::String(text.into())
    }

    /// A list.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Value::List(Arc::new(items.into_iter().collect()))
    }

    /// A record from names and values, with a shape of its own.
    pub fn record(fields: impl IntoIterator<Item = (Text, Value)>) -> Self {
        let (names, values): (Vec<Text>, Vec<Value>) = fields.into_iter().unzip();
        Value::Record(Arc::new(Record { shape: Arc::new(Shape::new(names)), values }))
    }

    /// A record from plain names.
    pub fn record_of<const N: usize>(fields: [(&str, Value); N]) -> Self {
        Value::record(fields.map(|(name, value)| (Text::new(name), value)))
    }

    /// A map.
    pub fn map(entries: impl IntoIterator<Item = (Text, Value)>) -> Self {
        Value::Map(Arc::new(entries.into_iter().collect()))
    }

    /// The entry of a record or a map, if it is one and has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Record(record) => record.get(name),
            Value::Map(map) => map.get(name),
            _ => None,
        }
    }

    /// The text of a string or url.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    /// The int, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::Int(int) = self { Some(*int) } else { None }
    }

    /// The bool, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(bool) = self { Some(*bool) } else { None }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Value::List(items) = self { Some(items) } else { None }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// What kind of value it is, in the language's words, for messages: `a string`, `a list`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a bool",
            Value::Int(_) => "an int",
            Value::Float(_) => "a float",
            Value::String(_) => "a string",
            Value::Duration(_) => "a duration",
            Value::Datetime(_) => "a datetime",
            Value::List(_) => "a list",
            Value::Record(_) | Value::Map(_) => "a record",
            Value::Secret(_) => "a secret",
        }
    }
}

// What holds the promise above: no variant but a string's may be larger than two words.
const _: () = assert!(size_of::<Value>() == 24 && size_of::<Result<Value, Box<Fault>>>() == 24);

/// Equality as the language's `==` has it: by content; an int equals the float of the same number; a record equals a
/// map of the same entries whatever their order; an absent field equals null.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Int(a), Value::Float(b)) | (Value::Float(b), Value::Int(a)) => int_equals_float(*a, *b),
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Secret(a), Value::Secret(b)) => a == b,
            (Value::Datetime(a), Value::Datetime(b)) => a == b,
            (Value::List(a), Value::List(b)) => Arc::ptr_eq(a, b) || a == b,
            (Value::Record(_) | Value::Map(_), Value::Record(_) | Value::Map(_)) => {
                covers(self, other) && covers(other, self)
            }
            _ => false,
        }
    }
}

fn int_equals_float(int: i64, float: f64) -> bool {
    // Exact for every pair: a float in range of i64 with no fraction converts without loss.
    float.fract() == 0.0
        && (-9.223_372_036_854_776e18..9.223_372_036_854_776e18).contains(&float)
        && float as i64 == int
}

/// Whether every entry of `a` is in `b` with an equal value.
fn covers(a: &Value, b: &Value) -> bool {
    let same = |name: &Text, value: &Value| b.get(name).unwrap_or(&Value::Null) == value;
    match a {
        Value::Record(record) => record.iter().all(|(name, value)| same(name, value)),
        Value::Map(map) => map.iter().all(|(name, value)| same(name, value)),
        _ => false,
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Value::Bool(bool)
    }
}
impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Value::Int(int)
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.into())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text.into())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}
