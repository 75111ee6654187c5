//! Methods of `map` and of records. What a record's methods give depends on its fields, which the checker knows better
//! than a signature can say.

use std::sync::{Arc, LazyLock};

use crate::builtins::args::{Outcome, arg, keys, map, mistyped, text};
use crate::builtins::list::{pair, shape};
use crate::builtins::{Callback, Method, Size};
use crate::types::Text;
use crate::value::{Fault, Map, Record, Shape, Value};

pub(super) const METHODS: &[Method] = &[
    Method {
        id: "map.length",
        signature: "map<T>.length -> int",
        doc: "How many entries it has.",
        examples: &[r#"["a", "b"].group_by(s => s).length == 2"#],
        bare: true,
        size: Size::Any,
        run: |map, _, _| Ok(Value::Int(Entries::of(&map)?.len() as i64)),
    },
    Method {
        id: "map.keys",
        signature: "map<T>.keys() -> list<string>",
        doc: "Its keys, in the order they were added.",
        examples: &[r#"["a", "b"].group_by(s => s).keys() == ["a", "b"]"#],
        bare: false,
        size: Size::Any,
        run: key_list,
    },
    Method {
        id: "map.values",
        signature: "map<T>.values() -> list<T>",
        doc: "Its values, in the order they were added.",
        examples: &[r#"["a", "b"].group_by(s => s).values() == [["a"], ["b"]]"#],
        bare: false,
        size: Size::Any,
        run: value_list,
    },
    Method {
        id: "map.entries",
        signature: "map<T>.entries() -> list<{ key: string, value: T }>",
        doc: "Its keys with their values. `to_map` is the inverse.",
        examples: &[r#"["a"].group_by(s => s).entries()[0] == { key: "a", value: ["a"] }"#],
        bare: false,
        size: Size::Any,
        run: entry_list,
    },
    Method {
        id: "map.get",
        signature: "map<T>.get(key: string) -> T?",
        doc: "The value of a key; null where it has none. The same as `map[key]`.",
        examples: &[r#"["a"].group_by(s => s).get("b") == null"#],
        bare: false,
        size: Size::Any,
        run: get,
    },
    Method {
        id: "map.has",
        signature: "map<T>.has(key: string) -> bool",
        doc: "Whether it has the key.",
        examples: &[r#"["a"].group_by(s => s).has("a") == true"#],
        bare: false,
        size: Size::Any,
        run: |map, args, _| {
            let key = text(arg(args, 0)?)?;
            Ok(Value::Bool(Entries::of(&map)?.iter().any(|(name, _)| name == key)))
        },
    },
    Method {
        id: "map.merge",
        signature: "map<T>.merge(other: map<T>) -> map<T>",
        doc: "The entries of both; where both have a key, the other's counts.",
        examples: &[r#"["a"].group_by(s => s).merge(["b"].group_by(s => s)).keys() == ["a", "b"]"#],
        bare: false,
        size: Size::Any,
        run: merge,
    },
    Method {
        id: "map.pick",
        signature: "map<T>.pick(keys: list<string>) -> map<T>",
        doc: "Only the entries of these keys, in the map's order.",
        examples: &[r#"["a", "b"].group_by(s => s).pick(["b", "c"]).keys() == ["b"]"#],
        bare: false,
        size: Size::Any,
        run: |map, args, cx| select(&map, args, true, cx),
    },
    Method {
        id: "map.omit",
        signature: "map<T>.omit(keys: list<string>) -> map<T>",
        doc: "Without the entries of these keys.",
        examples: &[r#"["a", "b"].group_by(s => s).omit(["b"]).keys() == ["a"]"#],
        bare: false,
        size: Size::Any,
        run: |map, args, cx| select(&map, args, false, cx),
    },
    Method {
        id: "record.keys",
        signature: "record.keys() -> list<string>",
        doc: "The names of all its fields, also of those that are null.",
        examples: &[r#"{ a: 1, b: null }.keys() == ["a", "b"]"#],
        bare: false,
        size: Size::Any,
        run: key_list,
    },
    Method {
        id: "record.values",
        signature: "record.values() -> list<json>",
        doc: "The values of its fields.",
        examples: &["{ a: 1, b: 2 }.values() == [1, 2]"],
        bare: false,
        size: Size::Any,
        run: value_list,
    },
    Method {
        id: "record.entries",
        signature: "record.entries() -> list<{ key: string, value: json }>",
        doc: "The names of its fields with their values.",
        examples: &[r#"{ a: 1 }.entries()[0] == { key: "a", value: 1 }"#],
        bare: false,
        size: Size::Any,
        run: entry_list,
    },
    Method {
        id: "record.get",
        signature: "record.get(name: string) -> json",
        doc: "The value of the field of a name that is only known when the program runs; null where there is none.",
        examples: &[r#"{ a: 1 }.get("a") == 1"#, r#"{ a: 1 }.get("b") == null"#],
        bare: false,
        size: Size::Any,
        run: get,
    },
    Method {
        id: "record.has",
        signature: "record.has(name: string) -> bool",
        doc: "Whether it has a field of the name that is not null.",
        examples: &[r#"{ a: 1, b: null }.has("a") == true"#, r#"{ a: 1, b: null }.has("b") == false"#],
        bare: false,
        size: Size::Any,
        run: |record, args, _| Ok(Value::Bool(record.get(text(arg(args, 0)?)?).is_some_and(|value| !value.is_null()))),
    },
    Method {
        id: "record.merge",
        signature: "record.merge(other: record) -> record",
        doc: "The fields of both; where both have a field, the other's counts, unless it is null. The same as \
              `{ ...this, ...other }`.",
        examples: &["{ a: 1, b: 2 }.merge({ b: 3 }) == { a: 1, b: 3 }", "{ a: 1 }.merge({ a: null }) == { a: 1 }"],
        bare: false,
        size: Size::Any,
        run: merge,
    },
    Method {
        id: "record.pick",
        signature: "record.pick(names: list<string>) -> record",
        doc: "Only the fields of these names.",
        examples: &[r#"{ a: 1, b: 2 }.pick(["b"]) == { b: 2 }"#],
        bare: false,
        size: Size::Any,
        run: |record, args, cx| select(&record, args, true, cx),
    },
    Method {
        id: "record.omit",
        signature: "record.omit(names: list<string>) -> record",
        doc: "Without the fields of these names.",
        examples: &[r#"{ a: 1, b: 2 }.omit(["b"]) == { a: 1 }"#],
        bare: false,
        size: Size::Any,
        run: |record, args, cx| select(&record, args, false, cx),
    },
];

/// A map or a record, seen as names with values.
enum Entries<'a> {
    Map(&'a Map),
    Record(&'a Record),
}

impl<'a> Entries<'a> {
    fn of(value: &'a Value) -> Result<Self, Box<Fault>> {
        match value {
            Value::Map(map) => Ok(Entries::Map(map)),
            Value::Record(record) => Ok(Entries::Record(record)),
            other => Err(mistyped(other)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Entries::Map(map) => map.len(),
            Entries::Record(record) => record.shape.len(),
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = (&'a Text, &'a Value)> + 'a> {
        match *self {
            Entries::Map(map) => Box::new(map.iter()),
            Entries::Record(record) => Box::new(record.iter()),
        }
    }
}

static ENTRY: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(["key", "value"]));

fn key_list(map: Value, _: &[Value], cx: &mut dyn Callback) -> Outcome {
    let entries = Entries::of(&map)?;
    cx.spend(entries.len())?;
    Ok(Value::list(entries.iter().map(|(key, _)| Value::String(key.clone()))))
}

fn value_list(map: Value, _: &[Value], cx: &mut dyn Callback) -> Outcome {
    let entries = Entries::of(&map)?;
    cx.spend(entries.len())?;
    Ok(Value::list(entries.iter().map(|(_, value)| value.clone())))
}

fn entry_list(map: Value, _: &[Value], cx: &mut dyn Callback) -> Outcome {
    let entries = Entries::of(&map)?;
    cx.spend(entries.len())?;
    Ok(Value::list(entries.iter().map(|(key, value)| pair(&ENTRY, Value::String(key.clone()), value.clone()))))
}

fn get(map: Value, args: &[Value], _: &mut dyn Callback) -> Outcome {
    Ok(map.get(text(arg(args, 0)?)?).cloned().unwrap_or(Value::Null))
}

fn merge(mine: Value, args: &[Value], cx: &mut dyn Callback) -> Outcome {
    let other = Entries::of(arg(args, 0)?)?;
    cx.spend(Entries::of(&mine)?.len() + other.len())?;
    if let Value::Map(entries) = mine {
        let mut merged = Arc::unwrap_or_clone(entries);
        merged.extend(other.iter().map(|(key, value)| (key.clone(), value.clone())));
        return Ok(map(merged));
    }
    let mut both: Map = Entries::of(&mine)?.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in other.iter() {
        // Absent and null are one: neither replaces what is there.
        if !value.is_null() || !both.contains_key(name) {
            both.insert(name.clone(), value.clone());
        }
    }
    Ok(Value::record(both))
}

fn select(whole: &Value, args: &[Value], wanted: bool, cx: &mut dyn Callback) -> Outcome {
    let keys = keys(arg(args, 0)?)?;
    let entries = Entries::of(whole)?;
    cx.spend(entries.len().saturating_mul(keys.len().max(1)))?;
    let kept = entries.iter().filter(|(key, _)| keys.contains(&key.as_str()) == wanted);
    let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
    Ok(if matches!(whole, Value::Map(_)) { Value::map(kept) } else { Value::record(kept) })
}
