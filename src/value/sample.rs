//! Sample values: what `...` leaves out of a mock's answer.

use crate::types::{Literal, Text, Type};
use crate::value::Value;

/// A value of the type, the same every time. `name` is what it is for: texts are their own names, so that a result
/// shows where it came from. Whatever may be null is, and lists and maps are empty.
pub fn sample(ty: &Type, name: &str) -> Value {
    match ty {
        Type::Bool => Value::Bool(true),
        Type::Int => Value::Int(1),
        Type::Float => Value::Float(1.0),
        Type::String | Type::Var(_) => Value::string(name),
        Type::Url => Value::string("https://example.com/"),
        Type::Datetime => Value::Datetime(jiff::Timestamp::UNIX_EPOCH),
        Type::Duration => Value::Duration(1_000),
        Type::Literal(Literal::String(text)) => Value::String(text.clone()),
        Type::Literal(Literal::Int(int)) => Value::Int(*int),
        Type::Literal(Literal::Bool(bool)) => Value::Bool(*bool),
        Type::List(_) => Value::list([]),
        Type::Map(_) => Value::map([]),
        Type::Record(record) => {
            Value::record(record.fields.iter().map(|(name, field)| (name.clone(), sample(&field.read(), name))))
        }
        Type::Image => handle("https://example.com/image.png", "image/png", true),
        Type::File => handle("https://example.com/file", "application/octet-stream", false),
        Type::Union(union) if ty.allows_null() || union.members.is_empty() => Value::Null,
        Type::Union(union) => union.members.first().map_or(Value::Null, |member| sample(member, name)),
        Type::Schema(of) => Value::from(of.to_json_schema()),
        Type::Json | Type::Null | Type::Secret | Type::Never | Type::Error => Value::Null,
    }
}

fn handle(url: &str, mime_type: &str, picture: bool) -> Value {
    let mut fields: Vec<(Text, Value)> =
        vec![("url".into(), url.into()), ("mime_type".into(), mime_type.into()), ("size".into(), Value::Int(1))];
    if picture {
        fields.extend([("width".into(), Value::Int(1)), ("height".into(), Value::Int(1))]);
    }
    Value::record(fields)
}
