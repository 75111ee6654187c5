//! Fields, indices, and what `?.` guards.

use crate::program::{Expr, Slot};
use crate::run::eval::{Cx, Evaluated, NULL, fail, odd, peek, set};
use crate::source::Span;
use crate::types::Text;
use crate::value::{ErrorKind, Value};

/// A field of a record, a handle, a map or json; null where it is not there. `hint` is where it probably stands.
#[inline]
pub(super) fn field_of<'a>(value: &'a Value, name: &Text, hint: u32) -> &'a Value {
    match value {
        Value::Record(record) => {
            let hint = hint as usize;
            if record.shape.name(hint).is_some_and(|known| known == name) {
                return record.values.get(hint).unwrap_or(&NULL);
            }
            record.get(name).unwrap_or(&NULL)
        }
        Value::Map(map) => map.get(name.as_str()).unwrap_or(&NULL),
        _ => &NULL,
    }
}

impl Cx<'_> {
    pub(super) fn field(&mut self, base: &Expr, name: &Text, hint: u32, frame: &mut [Value]) -> Evaluated {
        Ok(field_of(&self.eval(base, frame)?, name, hint).clone())
    }

    /// `base[index]`; without a span an index out of range gives null, as `json` has it.
    pub(super) fn index(&mut self, base: &Expr, index: &Expr, span: Option<Span>, frame: &mut [Value]) -> Evaluated {
        let index = self.eval(index, frame)?;
        match peek(self.host, base, frame) {
            Some(base) => item_of(base, &index, span).cloned(),
            None => item_of(&self.eval(base, frame)?, &index, span).cloned(),
        }
    }

    /// `first?.…`: null where the first is null.
    pub(super) fn guard(&mut self, slot: Slot, first: &Expr, rest: &Expr, frame: &mut [Value]) -> Evaluated {
        let first = self.eval(first, frame)?;
        if first.is_null() {
            return Ok(Value::Null);
        }
        set(frame, slot, first);
        self.eval(rest, frame)
    }
}

fn item_of<'a>(base: &'a Value, index: &Value, span: Option<Span>) -> Evaluated<&'a Value> {
    match (base, index) {
        (Value::List(items), Value::Int(index)) => {
            let from_end = if *index < 0 { items.len() as i64 } else { 0 };
            let place = index.checked_add(from_end).and_then(|at| usize::try_from(at).ok());
            match (place.and_then(|at| items.get(at)), span) {
                (Some(item), _) => Ok(item),
                (None, None) => Ok(&NULL),
                (None, Some(span)) => Err(out_of_range(*index, items.len(), span)),
            }
        }
        (Value::Record(_) | Value::Map(_), Value::String(key)) => Ok(base.get(key).unwrap_or(&NULL)),
        (_, Value::Int(_) | Value::String(_)) => Ok(&NULL),
        (_, other) => Err(odd(other, "an index")),
    }
}

#[cold]
fn out_of_range(index: i64, length: usize, span: Span) -> Box<crate::run::event::RunError> {
    let items = match length {
        0 => "the list is empty".to_owned(),
        1 => "the list has 1 item".to_owned(),
        more => format!("the list has {more} items"),
    };
    fail(ErrorKind::Index, format!("the index {index} is out of range: {items}"), span)
}
