//! What the methods share: reading receivers and arguments, and bounds on what they build.

use std::sync::Arc;

use crate::builtins::Callback;
use crate::types::Text;
use crate::value::{ErrorKind, Fault, Map, Value};

/// What a method gives.
pub(super) type Outcome = Result<Value, Box<Fault>>;

/// The checker lets no other value come here.
pub(super) fn mistyped(value: &Value) -> Box<Fault> {
    Fault::new(ErrorKind::Internal, format!("a method was called with {}", value.kind()))
}

fn missing() -> Box<Fault> {
    Fault::new(ErrorKind::Internal, "a method was called without one of its arguments")
}

pub(super) fn arg(args: &[Value], at: usize) -> Result<&Value, Box<Fault>> {
    args.get(at).ok_or_else(missing)
}

/// An argument that may be left out, or be null.
pub(super) fn given(args: &[Value], at: usize) -> Option<&Value> {
    args.get(at).filter(|value| !value.is_null())
}

pub(super) fn text(value: &Value) -> Result<&str, Box<Fault>> {
    value.as_str().ok_or_else(|| mistyped(value))
}

pub(super) fn int(value: &Value) -> Result<i64, Box<Fault>> {
    value.as_int().ok_or_else(|| mistyped(value))
}

pub(super) fn float(value: &Value) -> Result<f64, Box<Fault>> {
    match value {
        Value::Float(float) => Ok(*float),
        Value::Int(int) => Ok(*int as f64),
        other => Err(mistyped(other)),
    }
}

pub(super) fn bool(value: &Value) -> Result<bool, Box<Fault>> {
    value.as_bool().ok_or_else(|| mistyped(value))
}

pub(super) fn items(value: &Value) -> Result<&[Value], Box<Fault>> {
    value.as_list().ok_or_else(|| mistyped(value))
}

/// A list's items, without copying where nobody else holds the list.
pub(super) fn into_items(value: Value) -> Result<Vec<Value>, Box<Fault>> {
    match value {
        Value::List(items) => Ok(Arc::unwrap_or_clone(items)),
        other => Err(mistyped(&other)),
    }
}

/// The items of a list of keys.
pub(super) fn keys(value: &Value) -> Result<Vec<&str>, Box<Fault>> {
    items(value)?.iter().map(text).collect()
}

/// A number that must be representable.
pub(super) fn finite(float: f64) -> Outcome {
    if float.is_finite() {
        Ok(Value::Float(float))
    } else {
        Err(Fault::arithmetic("the result is too large for a float"))
    }
}

/// An index as people count: negative ones from the end. `None` where it is out of range.
pub(super) fn index(at: i64, length: usize) -> Option<usize> {
    let length_signed = i64::try_from(length).ok()?;
    let at = if at < 0 { at.checked_add(length_signed)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

/// The bounds of a slice: negative ones count from the end, those out of range are drawn in.
pub(super) fn bounds(args: &[Value], length: usize) -> Result<(usize, usize), Box<Fault>> {
    let length_signed = i64::try_from(length).unwrap_or(i64::MAX);
    let draw_in = |at: i64| {
        let at = if at < 0 { at.saturating_add(length_signed) } else { at };
        at.clamp(0, length_signed) as usize
    };
    let start = draw_in(int(arg(args, 0)?)?);
    let end = given(args, 1).map(int).transpose()?.map_or(length, draw_in);
    Ok((start, end.max(start)))
}

/// A count; negative ones are none.
pub(super) fn count(value: &Value) -> Result<usize, Box<Fault>> {
    Ok(usize::try_from(int(value)?.max(0)).unwrap_or(usize::MAX))
}

/// A finished string, accounted for.
pub(super) fn string(text: impl Into<Text>, cx: &mut dyn Callback) -> Outcome {
    let text = text.into();
    cx.room(text.len())?;
    Ok(Value::String(text))
}

/// A finished list, accounted for.
pub(super) fn list(items: Vec<Value>, cx: &mut dyn Callback) -> Outcome {
    cx.room(items.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::List(Arc::new(items)))
}

pub(super) fn map(entries: Map) -> Value {
    Value::Map(Arc::new(entries))
}
