//! Methods of `list` that call a lambda on the items.

use std::sync::{Arc, LazyLock};

use crate::builtins::args::{Outcome, arg, bool, items, list, map, mistyped};
use crate::builtins::list::{Seen, compare, extend, pair, shape, spend_sorting};
use crate::builtins::{Callback, Method, Size};
use crate::value::{Fault, Map, Shape, Value};

pub(super) const METHODS: &[Method] = &[
    Method {
        id: "list.map",
        signature: "list<T>.map(f: (T) -> U) -> list<U>",
        doc: "What the function makes of each item.",
        examples: &["[1, 2].map(x => x * 10) == [10, 20]"],
        bare: false,
        size: Size::Kept,
        run: each,
    },
    Method {
        id: "list.filter",
        signature: "list<T>.filter(f: (T) -> bool) -> list<T>",
        doc: "The items for which it is true. `x => x != null` and `x => x is T` narrow the list's type.",
        examples: &["[1, 2, 3].filter(x => x > 1) == [2, 3]"],
        bare: false,
        size: Size::Kept,
        run: |list, _, cx| {
            let mut kept = Vec::new();
            for item in items(&list)? {
                if bool(&cx.call1(item.clone())?)? {
                    kept.push(item.clone());
                }
            }
            Ok(Value::List(Arc::new(kept)))
        },
    },
    Method {
        id: "list.flat_map",
        signature: "list<T>.flat_map(f: (T) -> list<U>) -> list<U>",
        doc: "The items of the lists that the function makes of each item, one list after the other.",
        examples: &["[1, 2].flat_map(x => [x, x]) == [1, 1, 2, 2]"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| {
            let mut flat = Vec::new();
            for item in items(&list)? {
                let inner = cx.call1(item.clone())?;
                extend(&mut flat, &inner, cx)?;
            }
            self::list(flat, cx)
        },
    },
    Method {
        id: "list.find",
        signature: "list<T>.find(f: (T) -> bool) -> T?",
        doc: "The first item for which it is true; null where there is none.",
        examples: &["[1, 2, 3].find(x => x > 1) == 2", "[1].find(x => x > 1) == null"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| Ok(first(&list, true, cx)?.cloned().unwrap_or(Value::Null)),
    },
    Method {
        id: "list.any",
        signature: "list<T>.any(f: (T) -> bool) -> bool",
        doc: "Whether it is true for one item at least.",
        examples: &["[1, 2].any(x => x > 1) == true"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| Ok(Value::Bool(first(&list, true, cx)?.is_some())),
    },
    Method {
        id: "list.all",
        signature: "list<T>.all(f: (T) -> bool) -> bool",
        doc: "Whether it is true for every item; so it is for an empty list.",
        examples: &["[1, 2].all(x => x > 1) == false"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| Ok(Value::Bool(first(&list, false, cx)?.is_none())),
    },
    Method {
        id: "list.count",
        signature: "list<T>.count(f: (T) -> bool) -> int",
        doc: "For how many items it is true.",
        examples: &["[1, 2, 3].count(x => x > 1) == 2"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| {
            let mut count = 0;
            for item in items(&list)? {
                count += i64::from(bool(&cx.call1(item.clone())?)?);
            }
            Ok(Value::Int(count))
        },
    },
    Method {
        id: "list.sort_by",
        signature: "list<T>.sort_by(key: (T) -> O) -> list<T>",
        doc: "Its items by what the function gives, from the least to the greatest; those that are equal keep their \
              order. `-x` turns the order of numbers round.",
        examples: &[r#"["ccc", "a", "bb"].sort_by(s => s.length) == ["a", "bb", "ccc"]"#],
        bare: false,
        size: Size::Kept,
        run: sort_by,
    },
    Method {
        id: "list.unique_by",
        signature: "list<T>.unique_by(key: (T) -> U) -> list<T>",
        doc: "Without the items for which the function gives what it gave for an earlier one.",
        examples: &[r#"["a", "bb", "c"].unique_by(s => s.length) == ["a", "bb"]"#],
        bare: false,
        size: Size::Kept,
        run: |list, _, cx| {
            let mut seen = Seen::default();
            let mut kept = Vec::new();
            for item in items(&list)? {
                let key = cx.call1(item.clone())?;
                if seen.add(&key, cx)? {
                    kept.push(item.clone());
                }
            }
            Ok(Value::List(Arc::new(kept)))
        },
    },
    Method {
        id: "list.group_by",
        signature: "list<T>.group_by(key: (T) -> string) -> map<list<T>>",
        doc: "Its items in lists by what the function gives, in the order of each key's first item.",
        examples: &[r#"["ab", "c", "ad"].group_by(s => s.slice(0, 1))["a"] == ["ab", "ad"]"#],
        bare: false,
        size: Size::Any,
        run: group_by,
    },
    Method {
        id: "list.partition",
        signature: "list<T>.partition(f: (T) -> bool) -> { yes: list<T>, no: list<T> }",
        doc: "The items for which it is true, and the others.",
        examples: &["[1, 2, 3].partition(x => x > 1) == { yes: [2, 3], no: [1] }"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| {
            let (mut yes, mut no) = (Vec::new(), Vec::new());
            for item in items(&list)? {
                let side = if bool(&cx.call1(item.clone())?)? { &mut yes } else { &mut no };
                side.push(item.clone());
            }
            Ok(pair(&SIDES, Value::List(Arc::new(yes)), Value::List(Arc::new(no))))
        },
    },
    Method {
        id: "list.reduce",
        signature: "list<T>.reduce(start: U, f: (U, T) -> U) -> U",
        doc: "What the function makes of the result so far and the next item, from `start` on.",
        examples: &["[1, 2, 3].reduce(0, (sum, x) => sum + x) == 6"],
        bare: false,
        size: Size::Any,
        run: |list, args, cx| {
            let mut result = arg(args, 0)?.clone();
            for item in items(&list)? {
                result = cx.call2(result, item.clone())?;
            }
            Ok(result)
        },
    },
];

static SIDES: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(["yes", "no"]));

fn each(mut list: Value, _: &[Value], cx: &mut dyn Callback) -> Outcome {
    // A list that nobody else holds is changed in place.
    if let Value::List(shared) = &mut list
        && let Some(items) = Arc::get_mut(shared)
    {
        for item in items {
            *item = cx.call1(std::mem::replace(item, Value::Null))?;
        }
        return Ok(list);
    }
    let items = items(&list)?;
    let mut made = Vec::with_capacity(items.len());
    for item in items {
        made.push(cx.call1(item.clone())?);
    }
    Ok(Value::List(Arc::new(made)))
}

/// The first item for which the lambda gives `wanted`.
fn first<'a>(list: &'a Value, wanted: bool, cx: &mut dyn Callback) -> Result<Option<&'a Value>, Box<Fault>> {
    for item in items(list)? {
        if bool(&cx.call1(item.clone())?)? == wanted {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

fn sort_by(list: Value, _: &[Value], cx: &mut dyn Callback) -> Outcome {
    let mut keyed = Vec::with_capacity(items(&list)?.len());
    for item in items(&list)? {
        keyed.push((cx.call1(item.clone())?, item.clone()));
    }
    spend_sorting(keyed.len(), cx)?;
    keyed.sort_by(|(a, _), (b, _)| compare(a, b));
    Ok(Value::list(keyed.into_iter().map(|(_, item)| item)))
}

fn group_by(list: Value, _: &[Value], cx: &mut dyn Callback) -> Outcome {
    let mut groups: indexmap::IndexMap<crate::types::Text, Vec<Value>> = indexmap::IndexMap::new();
    for item in items(&list)? {
        let key = cx.call1(item.clone())?;
        match key {
            Value::String(key) => groups.entry(key).or_default().push(item.clone()),
            other => return Err(mistyped(&other)),
        }
    }
    Ok(map(groups.into_iter().map(|(key, items)| (key, Value::List(Arc::new(items)))).collect::<Map>()))
}
