//! Methods of `list` that take no lambda. Those that do are in `each.rs`.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashSet;

use crate::builtins::args::{
    Outcome, arg, bounds, count, finite, float, given, index, int, into_items, items, list, map, mistyped, string, text,
};
use crate::builtins::{Callback, Method, Size};
use crate::types::Text;
use crate::value::{Fault, Map, Record, Shape, Value};

pub(super) const METHODS: &[Method] = &[
    Method {
        id: "list.length",
        signature: "list<T>.length -> int",
        doc: "How many items it has.",
        examples: &["[1, 2, 3].length == 3"],
        bare: true,
        size: Size::Any,
        run: |list, _, _| Ok(Value::Int(items(&list)?.len() as i64)),
    },
    Method {
        id: "list.first",
        signature: "list<T>.first -> T?",
        doc: "Its first item; null where it is empty.",
        examples: &["[1, 2].first == 1"],
        bare: true,
        size: Size::Any,
        run: |list, _, _| Ok(items(&list)?.first().cloned().unwrap_or(Value::Null)),
    },
    Method {
        id: "list.last",
        signature: "list<T>.last -> T?",
        doc: "Its last item; null where it is empty.",
        examples: &["[1, 2].last == 2"],
        bare: true,
        size: Size::Any,
        run: |list, _, _| Ok(items(&list)?.last().cloned().unwrap_or(Value::Null)),
    },
    Method {
        id: "list.get",
        signature: "list<T>.get(index: int) -> T?",
        doc: "The item at an index from 0; negative ones count from the end. Null where it is out of range, where `[i]` \
              would fail.",
        examples: &["[1, 2].get(1) == 2", "[1, 2].get(-1) == 2", "[1, 2].get(2) == null"],
        bare: false,
        size: Size::Any,
        run: |list, args, _| {
            let items = items(&list)?;
            let at = index(int(arg(args, 0)?)?, items.len());
            Ok(at.and_then(|at| items.get(at)).cloned().unwrap_or(Value::Null))
        },
    },
    Method {
        id: "list.contains",
        signature: "list<T>.contains(item: T) -> bool",
        doc: "Whether an item equals this one; the same as `item in list`.",
        examples: &["[1, 2].contains(2) == true", r#"["a"].contains("b") == false"#],
        bare: false,
        size: Size::Any,
        run: |list, args, cx| {
            cx.spend(items(&list)?.len())?;
            Ok(Value::Bool(items(&list)?.contains(arg(args, 0)?)))
        },
    },
    Method {
        id: "list.index_of",
        signature: "list<T>.index_of(item: T) -> int?",
        doc: "The index of the first item that equals this one; null where none does.",
        examples: &[r#"["a", "b"].index_of("b") == 1"#, "[1].index_of(2) == null"],
        bare: false,
        size: Size::Any,
        run: |list, args, cx| {
            cx.spend(items(&list)?.len())?;
            let item = arg(args, 0)?;
            Ok(items(&list)?.iter().position(|other| other == item).map(|at| at as i64).into())
        },
    },
    Method {
        id: "list<int>.sum",
        signature: "list<int>.sum() -> int",
        doc: "All of them added up; 0 where it is empty. Fails with kind `arithmetic` on overflow.",
        examples: &["[1, 2, 3].sum() == 6"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| {
            cx.spend(items(&list)?.len())?;
            let add = |sum: i64, item: &Value| {
                sum.checked_add(int(item)?).ok_or_else(|| Fault::arithmetic("the sum is too large for an int"))
            };
            items(&list)?.iter().try_fold(0, add).map(Value::Int)
        },
    },
    Method {
        id: "list<float>.sum",
        signature: "list<float>.sum() -> float",
        doc: "All of them added up; 0 where it is empty.",
        examples: &["[1.5, 2.0].sum() == 3.5"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| finite(total(&list, cx)?),
    },
    Method {
        id: "list<duration>.sum",
        signature: "list<duration>.sum() -> duration",
        doc: "All of them added up; `0s` where it is empty.",
        examples: &["[1s, 500ms].sum() == 1500ms"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| {
            cx.spend(items(&list)?.len())?;
            let add = |sum: i64, item: &Value| match item {
                Value::Duration(millis) => {
                    sum.checked_add(*millis).ok_or_else(|| Fault::arithmetic("the sum is too large for a duration"))
                }
                other => Err(mistyped(other)),
            };
            items(&list)?.iter().try_fold(0, add).map(Value::Duration)
        },
    },
    Method {
        id: "list.avg",
        signature: "list<N>.avg() -> float?",
        doc: "The mean of its numbers; null where it is empty.",
        examples: &["[1, 2].avg() == 1.5"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| match items(&list)?.len() {
            0 => Ok(Value::Null),
            length => finite(total(&list, cx)? / length as f64),
        },
    },
    Method {
        id: "list.min",
        signature: "list<O>.min() -> O?",
        doc: "The least of its items; null where it is empty. Strings are compared character by character.",
        examples: &["[3, 1, 2].min() == 1", r#"["b", "a"].min() == "a""#],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| extreme(&list, Ordering::Less, cx),
    },
    Method {
        id: "list.max",
        signature: "list<O>.max() -> O?",
        doc: "The greatest of its items; null where it is empty.",
        examples: &["[3, 1, 2].max() == 3"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| extreme(&list, Ordering::Greater, cx),
    },
    Method {
        id: "list.sort",
        signature: "list<O>.sort() -> list<O>",
        doc: "Its items from the least to the greatest.",
        examples: &["[3, 1, 2].sort() == [1, 2, 3]", r#"["b", "B", "a"].sort() == ["B", "a", "b"]"#],
        bare: false,
        size: Size::Kept,
        run: |list, _, cx| {
            spend_sorting(items(&list)?.len(), cx)?;
            let mut items = into_items(list)?;
            items.sort_by(compare);
            Ok(Value::List(Arc::new(items)))
        },
    },
    Method {
        id: "list.reverse",
        signature: "list<T>.reverse() -> list<T>",
        doc: "Its items in the opposite order.",
        examples: &["[1, 2, 3].reverse() == [3, 2, 1]"],
        bare: false,
        size: Size::Kept,
        run: |list, _, cx| {
            cx.spend(items(&list)?.len())?;
            let mut items = into_items(list)?;
            items.reverse();
            Ok(Value::List(Arc::new(items)))
        },
    },
    Method {
        id: "list.unique",
        signature: "list<T>.unique() -> list<T>",
        doc: "Without the items that equal an earlier one.",
        examples: &["[1, 2, 1].unique() == [1, 2]"],
        bare: false,
        size: Size::Kept,
        run: |list, _, cx| {
            let mut seen = Seen::default();
            let mut kept = Vec::new();
            for item in items(&list)? {
                if seen.add(item, cx)? {
                    kept.push(item.clone());
                }
            }
            Ok(Value::List(Arc::new(kept)))
        },
    },
    Method {
        id: "list.compact",
        signature: "list<T?>.compact() -> list<T>",
        doc: "Without nulls.",
        examples: &["[1, null, 2].compact() == [1, 2]"],
        bare: false,
        size: Size::Kept,
        run: |list, _, cx| {
            cx.spend(items(&list)?.len())?;
            Ok(Value::list(items(&list)?.iter().filter(|item| !item.is_null()).cloned()))
        },
    },
    Method {
        id: "list.flatten",
        signature: "list<list<T>>.flatten() -> list<T>",
        doc: "The items of its lists, one list after the other.",
        examples: &["[[1], [2, 3]].flatten() == [1, 2, 3]"],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| {
            let mut flat = Vec::new();
            for inner in items(&list)? {
                extend(&mut flat, inner, cx)?;
            }
            self::list(flat, cx)
        },
    },
    Method {
        id: "list.take",
        signature: "list<T>.take(count: int) -> list<T>",
        doc: "Its first items, at most so many.",
        examples: &["[1, 2, 3].take(2) == [1, 2]", "[1].take(5) == [1]"],
        bare: false,
        size: Size::UpTo(0),
        run: |list, args, _| {
            let end = count(arg(args, 0)?)?.min(items(&list)?.len());
            part(list, 0, end)
        },
    },
    Method {
        id: "list.drop",
        signature: "list<T>.drop(count: int) -> list<T>",
        doc: "Without its first items, so many of them.",
        examples: &["[1, 2, 3].drop(2) == [3]"],
        bare: false,
        size: Size::Kept,
        run: |list, args, _| {
            let length = items(&list)?.len();
            part(list, count(arg(args, 0)?)?.min(length), length)
        },
    },
    Method {
        id: "list.slice",
        signature: "list<T>.slice(start: int, end?: int) -> list<T>",
        doc: "The items from `start` up to, without, `end`. Negative positions count from the end; those out of range are \
              drawn in.",
        examples: &["[1, 2, 3, 4].slice(1, 3) == [2, 3]", "[1, 2, 3].slice(-2) == [2, 3]"],
        bare: false,
        size: Size::UpTo(1),
        run: |list, args, _| {
            let (start, end) = bounds(args, items(&list)?.len())?;
            part(list, start, end)
        },
    },
    Method {
        id: "list.chunk",
        signature: "list<T>.chunk(size: int) -> list<list<T>>",
        doc: "Its items in lists of so many; the last one may have fewer. Fails with kind `invalid` for a size below 1.",
        examples: &["[1, 2, 3].chunk(2) == [[1, 2], [3]]"],
        bare: false,
        size: Size::Kept,
        run: |list, args, cx| {
            cx.spend(items(&list)?.len())?;
            match count(arg(args, 0)?)? {
                0 => Err(Fault::invalid("the size of a chunk must be at least 1")),
                size => Ok(Value::list(items(&list)?.chunks(size).map(|chunk| Value::List(Arc::new(chunk.to_vec()))))),
            }
        },
    },
    Method {
        id: "list.zip",
        signature: "list<T>.zip(other: list<U>) -> list<{ first: T, second: U }>",
        doc: "Pairs of the items at the same index, as far as both lists go.",
        examples: &[r#"[1, 2].zip(["a", "b"])[1] == { first: 2, second: "b" }"#],
        bare: false,
        size: Size::Kept,
        run: |list, args, cx| {
            let pairs = items(&list)?.iter().zip(items(arg(args, 0)?)?);
            cx.spend(pairs.len())?;
            Ok(Value::list(pairs.map(|(first, second)| pair(&PAIR, first.clone(), second.clone()))))
        },
    },
    Method {
        id: "list.enumerate",
        signature: "list<T>.enumerate() -> list<{ index: int, item: T }>",
        doc: "Its items with their indices from 0.",
        examples: &[r#"["a", "b"].enumerate()[1] == { index: 1, item: "b" }"#],
        bare: false,
        size: Size::Kept,
        run: |list, _, cx| {
            cx.spend(items(&list)?.len())?;
            let numbered = items(&list)?.iter().zip(0..);
            Ok(Value::list(numbered.map(|(item, at)| pair(&NUMBERED, Value::Int(at), item.clone()))))
        },
    },
    Method {
        id: "list.join",
        signature: "list<S>.join(separator?: string) -> string",
        doc: "Its items as text, one after the other, with the separator (else nothing) between them.",
        examples: &[
            r#"["a", "b"].join(", ") == "a, b""#,
            r#"[1, 2].join("+") == "1+2""#,
            r#"["a", "b"].join() == "ab""#,
        ],
        bare: false,
        size: Size::Any,
        run: join,
    },
    Method {
        id: "list.to_map",
        signature: "list<{ key: string, value: T }>.to_map() -> map<T>",
        doc: "A map of these entries; of entries with the same key the last one counts. The inverse of `entries`.",
        examples: &[r#"[{ key: "a", value: 1 }].to_map()["a"] == 1"#],
        bare: false,
        size: Size::Any,
        run: |list, _, cx| {
            cx.spend(items(&list)?.len())?;
            let mut entries = Map::with_capacity(items(&list)?.len());
            for entry in items(&list)? {
                match (entry.get("key"), entry.get("value")) {
                    (Some(Value::String(key)), value) => {
                        entries.insert(key.clone(), value.cloned().unwrap_or(Value::Null))
                    }
                    _ => return Err(mistyped(entry)),
                };
            }
            Ok(map(entries))
        },
    },
];

static PAIR: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(["first", "second"]));
static NUMBERED: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(["index", "item"]));

/// A shape for records that a method makes.
pub(super) fn shape<const N: usize>(names: [&'static str; N]) -> Arc<Shape> {
    Arc::new(Shape::new(names.map(Text::new_static)))
}

/// A record of two fields.
pub(super) fn pair(shape: &Arc<Shape>, first: Value, second: Value) -> Value {
    Value::Record(Arc::new(Record { shape: Arc::clone(shape), values: vec![first, second] }))
}

/// Adds the items of a list to others, before they outgrow the limit.
pub(super) fn extend(flat: &mut Vec<Value>, inner: &Value, cx: &mut dyn Callback) -> Result<(), Box<Fault>> {
    let inner = items(inner)?;
    cx.spend(inner.len())?;
    cx.room((flat.len() + inner.len()).saturating_mul(size_of::<Value>()))?;
    flat.extend_from_slice(inner);
    Ok(())
}

/// The total order of ordered values: numbers by size, strings by characters, instants and durations by time. Floats
/// are never NaN. Values of different kinds do not meet here; null, which may, comes last.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) | (Value::Duration(a), Value::Duration(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Value::Int(a), Value::Float(b)) => compare_mixed(*a, *b),
        (Value::Float(a), Value::Int(b)) => compare_mixed(*b, *a).reverse(),
        (Value::String(a), Value::String(b)) => a.as_str().cmp(b.as_str()),
        (Value::Datetime(a), Value::Datetime(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        _ => Ordering::Equal,
    }
}

/// Exact, also where an int has more digits than a float can hold.
fn compare_mixed(int: i64, float: f64) -> Ordering {
    if float >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if float < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    int.cmp(&(whole as i64)).then_with(|| 0.0_f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal))
}

/// Accounts for a sort.
pub(super) fn spend_sorting(length: usize, cx: &mut dyn Callback) -> Result<(), Box<Fault>> {
    cx.spend(length.saturating_mul(length.checked_ilog2().unwrap_or(0) as usize + 1))
}

fn total(list: &Value, cx: &mut dyn Callback) -> Result<f64, Box<Fault>> {
    cx.spend(items(list)?.len())?;
    items(list)?.iter().try_fold(0.0, |sum, item| Ok(sum + float(item)?))
}

fn extreme(list: &Value, wanted: Ordering, cx: &mut dyn Callback) -> Outcome {
    cx.spend(items(list)?.len())?;
    let better = |best: &'_ Value, item: &'_ Value| compare(item, best) == wanted;
    let mut rest = items(list)?.iter();
    let Some(first) = rest.next() else { return Ok(Value::Null) };
    Ok(rest.fold(first, |best, item| if better(best, item) { item } else { best }).clone())
}

fn part(list: Value, start: usize, end: usize) -> Outcome {
    let length = items(&list)?.len();
    if start == 0 && end == length {
        return Ok(list);
    }
    Ok(Value::List(Arc::new(items(&list)?.get(start..end).unwrap_or_default().to_vec())))
}

fn join(list: Value, args: &[Value], cx: &mut dyn Callback) -> Outcome {
    let items = items(&list)?;
    let separator = given(args, 0).map_or(Ok(""), text)?;
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            joined.push_str(separator);
        }
        let before = joined.len();
        item.write_text(&mut joined);
        cx.spend(1 + (joined.len() - before) / 16)?;
        cx.room(joined.len())?;
    }
    string(joined, cx)
}

/// Which values have been met, found by hash where they have one and one by one else.
#[derive(Default)]
pub(super) struct Seen {
    texts: FxHashSet<Text>,
    ints: FxHashSet<i64>,
    others: Vec<Value>,
}

impl Seen {
    /// Adds a value; says whether it is new.
    pub(super) fn add(&mut self, value: &Value, cx: &mut dyn Callback) -> Result<bool, Box<Fault>> {
        cx.spend(1)?;
        match value {
            Value::String(text) => Ok(self.texts.insert(text.clone())),
            // A float may equal an int: those that do are kept as that int.
            Value::Int(int) => Ok(self.ints.insert(*int)),
            Value::Float(float) if Value::Int(*float as i64) == *value => Ok(self.ints.insert(*float as i64)),
            other => {
                cx.spend(self.others.len())?;
                if self.others.contains(other) {
                    return Ok(false);
                }
                self.others.push(other.clone());
                Ok(true)
            }
        }
    }
}
