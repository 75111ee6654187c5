//! Absent and null are one in the language. Outside they may be two, so what may be left out and is null is left out
//! of what is sent.

use std::sync::Arc;

use crate::types::{RecordType, Type};
use crate::value::{Map, Record, Value};

impl Value {
    /// The value, which fits the type, without the fields that are null and that the type says may be absent, at every
    /// depth. A field that must be there stays, null or not; so does all of what is `json`.
    #[must_use]
    pub fn without_absent(self, ty: &Type) -> Value {
        shorter(&self, ty).unwrap_or(self)
    }
}

/// The value without its absent fields; none where it has none.
fn shorter(value: &Value, ty: &Type) -> Option<Value> {
    match (ty, value) {
        (Type::Record(ty), Value::Record(record)) => shorter_record(record, ty),
        (Type::List(of), Value::List(items)) if has_fields(of) => {
            let changed = changes(items.iter(), of)?;
            let mut items = Vec::clone(items);
            items.iter_mut().zip(changed).for_each(|(item, change)| replace(item, change));
            Some(Value::List(Arc::new(items)))
        }
        (Type::Map(of), Value::Map(map)) if has_fields(of) => {
            let changed = changes(map.values(), of)?;
            let mut map = Map::clone(map);
            map.values_mut().zip(changed).for_each(|(value, change)| replace(value, change));
            Some(Value::Map(Arc::new(map)))
        }
        (Type::Union(union), value) => {
            let meant = union.members.iter().filter(|member| has_fields(member));
            shorter(value, meant.into_iter().find(|member| value.matches(member))?)
        }
        _ => None,
    }
}

fn shorter_record(record: &Record, ty: &RecordType) -> Option<Value> {
    let optional = |name: &str| ty.fields.get(name).is_some_and(|field| field.optional);
    let mut changed = false;
    let mut fields = Vec::with_capacity(record.values.len());
    for (name, value) in record.iter() {
        if value.is_null() && optional(name) {
            changed = true;
            continue;
        }
        let change = ty.fields.get(name).and_then(|field| shorter(value, &field.ty));
        changed |= change.is_some();
        fields.push((name.clone(), change.unwrap_or_else(|| value.clone())));
    }
    changed.then(|| Value::record(fields))
}

/// What becomes of each value; none where all stay as they are.
fn changes<'v>(values: impl Iterator<Item = &'v Value>, of: &Type) -> Option<Vec<Option<Value>>> {
    let changes: Vec<Option<Value>> = values.map(|value| shorter(value, of)).collect();
    changes.iter().any(Option::is_some).then_some(changes)
}

fn replace(place: &mut Value, change: Option<Value>) {
    if let Some(change) = change {
        *place = change;
    }
}

/// Whether a value of the type may have fields anywhere.
fn has_fields(ty: &Type) -> bool {
    matches!(ty, Type::Record(_) | Type::List(_) | Type::Map(_) | Type::Union(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Field;

    #[test]
    fn only_what_may_be_absent_is_left_out() {
        let filter = Type::record([
            ("by".into(), Field::optional(Type::String)),
            ("at".into(), Field::required(Type::Int.or_null())),
        ]);
        let ty = Type::record([
            ("filter".into(), Field::optional(filter.clone().or_null())),
            ("filters".into(), Field::required(Type::list(filter.clone()))),
            ("named".into(), Field::required(Type::map(filter))),
            ("raw".into(), Field::required(Type::Json)),
        ]);
        let filter = || Value::record_of([("by", Value::Null), ("at", Value::Null)]);
        let full = || Value::record_of([("by", Value::string("x")), ("at", Value::Int(1))]);
        let value = Value::record_of([
            ("filter", filter()),
            ("filters", Value::list([full(), filter()])),
            ("named", Value::map([("a".into(), filter())])),
            ("raw", filter()),
        ]);
        let expected = r#"{"filter":{"at":null},"filters":[{"by":"x","at":1},{"at":null}],"named":{"a":{"at":null}},"raw":{"by":null,"at":null}}"#;
        assert_eq!(value.without_absent(&ty).to_json_text(), expected);
        let none = Value::record_of([("filter", Value::Null), ("filters", Value::list([]))]);
        assert_eq!(none.without_absent(&ty).to_json_text(), r#"{"filters":[]}"#);
    }

    #[test]
    fn of_a_union_the_member_that_is_meant_says_so() {
        let named = Type::record([
            ("kind".into(), Field::required(Type::literal("named"))),
            ("name".into(), Field::optional(Type::String)),
        ]);
        let sized = Type::record([
            ("kind".into(), Field::required(Type::literal("sized"))),
            ("name".into(), Field::required(Type::String.or_null())),
        ]);
        let ty = Type::union([named, sized, Type::Null]);
        let of = |kind| Value::record_of([("kind", Value::string(kind)), ("name", Value::Null)]).without_absent(&ty);
        assert_eq!(of("named").to_json_text(), r#"{"kind":"named"}"#);
        assert_eq!(of("sized").to_json_text(), r#"{"kind":"sized","name":null}"#);
    }
}
