//! Operators.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::builtins::{between, compare, later};
use crate::program::Expr;
use crate::run::eval::{Cx, Evaluated, NULL, at, fail, odd, peek, told, weight};
use crate::source::Span;
use crate::types::{BinaryOp, Text};
use crate::value::{ErrorKind, Value};

impl Cx<'_> {
    /// `left op right`. Operands that need no computing are read where they stand, after the other one was computed:
    /// they cannot fail, so the order does not show.
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        span: Span,
        frame: &mut [Value],
    ) -> Evaluated {
        let host = self.host;
        match (peek(host, left, frame), peek(host, right, frame)) {
            (Some(a), Some(b)) => self.apply(op, a, b, span),
            (Some(_), None) => {
                let b = self.deeper(right, frame)?;
                let a = peek(host, left, frame).unwrap_or(&NULL);
                self.apply(op, a, &b, span)
            }
            (None, Some(_)) => {
                let a = self.deeper(left, frame)?;
                let b = peek(host, right, frame).unwrap_or(&NULL);
                self.apply_onto(op, a, b, span)
            }
            (None, None) => {
                let a = self.deeper(left, frame)?;
                let b = self.deeper(right, frame)?;
                self.apply_onto(op, a, &b, span)
            }
        }
    }

    /// `first op right op right …`; strings and lists are joined in place.
    pub(super) fn chain(&mut self, first: &Expr, rest: &[(BinaryOp, Expr, Span)], frame: &mut [Value]) -> Evaluated {
        let mut result = self.eval(first, frame)?;
        let mut rest = rest.iter();
        while let Some((op, right, span)) = rest.next() {
            if let (BinaryOp::Add, Value::String(start)) = (op, &result) {
                let mut text = start.to_string();
                self.append(&mut text, right, *span, frame)?;
                for (_, right, span) in rest {
                    self.append(&mut text, right, *span, frame)?;
                }
                return Ok(Value::String(text.into()));
            }
            self.spend(1)?;
            let b = match peek(self.host, right, frame) {
                Some(b) => b,
                None => &self.deeper(right, frame)?,
            };
            result = self.apply_onto(*op, result, b, *span)?;
        }
        Ok(result)
    }

    fn append(&mut self, text: &mut String, right: &Expr, span: Span, frame: &mut [Value]) -> Evaluated<()> {
        let b = match peek(self.host, right, frame) {
            Some(b) => b,
            None => &self.deeper(right, frame)?,
        };
        let part = b.as_str().ok_or_else(|| odd(b, "a string"))?;
        self.spend(1 + part.len() as u64 / 16)?;
        self.room(text.len() + part.len()).map_err(|error| at(error, span))?;
        text.push_str(part);
        Ok(())
    }

    /// The same as [`Cx::apply`], with a left side to build upon.
    fn apply_onto(&mut self, op: BinaryOp, a: Value, b: &Value, span: Span) -> Evaluated {
        if let (BinaryOp::Add, Value::List(more)) = (op, b) {
            let Value::List(mut items) = a else { return self.apply(op, &a, b, span) };
            self.spend(more.len() as u64)?;
            self.room((items.len() + more.len()).saturating_mul(size_of::<Value>()))
                .map_err(|error| at(error, span))?;
            if Arc::get_mut(&mut items).is_none() {
                self.spend(items.len() as u64)?;
            }
            Arc::make_mut(&mut items).extend_from_slice(more);
            return Ok(Value::List(items));
        }
        self.apply(op, &a, b, span)
    }

    #[inline]
    pub(super) fn apply(&mut self, op: BinaryOp, a: &Value, b: &Value, span: Span) -> Evaluated {
        if let (Value::Int(a), Value::Int(b)) = (a, b)
            && let Some(result) = int_op(op, *a, *b)
        {
            return Ok(result);
        }
        self.apply_slowly(op, a, b, span)
    }

    fn apply_slowly(&mut self, op: BinaryOp, a: &Value, b: &Value, span: Span) -> Evaluated {
        match op {
            BinaryOp::Eq => self.equal(a, b).map(Value::Bool),
            BinaryOp::Ne => self.equal(a, b).map(|equal| Value::Bool(!equal)),
            BinaryOp::Lt => Ok(Value::Bool(compare(a, b) == Ordering::Less)),
            BinaryOp::Le => Ok(Value::Bool(compare(a, b) != Ordering::Greater)),
            BinaryOp::Gt => Ok(Value::Bool(compare(a, b) == Ordering::Greater)),
            BinaryOp::Ge => Ok(Value::Bool(compare(a, b) != Ordering::Less)),
            BinaryOp::In => self.contains(a, b),
            BinaryOp::Add => self.add(a, b, span),
            BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => arithmetic(op, a, b, span),
            // Lowered to expressions of their own.
            BinaryOp::Coalesce | BinaryOp::Or | BinaryOp::And => Err(odd(a, op.symbol())),
        }
    }

    fn equal(&mut self, a: &Value, b: &Value) -> Evaluated<bool> {
        self.spend(weight(a))?;
        Ok(a == b)
    }

    /// `a in b`: an item of a list, a key of a map or record, a part of a string.
    fn contains(&mut self, a: &Value, b: &Value) -> Evaluated {
        let found = match (a, b) {
            (item, Value::List(items)) => {
                self.spend(items.len() as u64)?;
                items.contains(item)
            }
            (Value::String(part), Value::String(text)) => {
                self.spend(text.len() as u64 / 16)?;
                text.contains(part.as_str())
            }
            (Value::String(key), Value::Map(map)) => map.contains_key(key.as_str()),
            (Value::String(key), record @ Value::Record(_)) => record.get(key).is_some_and(|value| !value.is_null()),
            // `json` may be anything.
            _ => false,
        };
        Ok(Value::Bool(found))
    }

    fn add(&mut self, a: &Value, b: &Value, span: Span) -> Evaluated {
        match (a, b) {
            (Value::String(a), Value::String(b)) => {
                let length = a.len() + b.len();
                self.spend(length as u64 / 16)?;
                self.room(length).map_err(|error| at(error, span))?;
                Ok(Value::String(joined(a, b)))
            }
            (Value::List(a), Value::List(b)) => {
                let length = a.len() + b.len();
                self.spend(length as u64)?;
                self.room(length.saturating_mul(size_of::<Value>())).map_err(|error| at(error, span))?;
                let mut items = Vec::with_capacity(length);
                items.extend_from_slice(a);
                items.extend_from_slice(b);
                Ok(Value::List(Arc::new(items)))
            }
            _ => arithmetic(BinaryOp::Add, a, b, span),
        }
    }

    /// `-x`
    pub(super) fn negate(&mut self, inner: &Expr, span: Span, frame: &mut [Value]) -> Evaluated {
        let negated = match self.eval(inner, frame)? {
            Value::Int(int) => int.checked_neg().map(Value::Int),
            Value::Duration(millis) => millis.checked_neg().map(Value::Duration),
            Value::Float(float) => Some(Value::Float(-float)),
            other => return Err(odd(&other, "a number")),
        };
        negated.ok_or_else(|| overflow(span))
    }
}

/// A short result stays inline, so that two allocations are spared.
fn joined(a: &str, b: &str) -> Text {
    if b.is_empty() {
        return Text::new(a);
    }
    let mut text = smol_str::SmolStrBuilder::new();
    text.push_str(a);
    text.push_str(b);
    text.finish()
}

/// Operators on ints; `None` where it takes more thought: failures, and division, which gives a float.
#[inline]
fn int_op(op: BinaryOp, a: i64, b: i64) -> Option<Value> {
    Some(match op {
        BinaryOp::Add => Value::Int(a.checked_add(b)?),
        BinaryOp::Sub => Value::Int(a.checked_sub(b)?),
        BinaryOp::Mul => Value::Int(a.checked_mul(b)?),
        BinaryOp::Rem => Value::Int(a.checked_rem(b)?),
        BinaryOp::Eq => Value::Bool(a == b),
        BinaryOp::Ne => Value::Bool(a != b),
        BinaryOp::Lt => Value::Bool(a < b),
        BinaryOp::Le => Value::Bool(a <= b),
        BinaryOp::Gt => Value::Bool(a > b),
        BinaryOp::Ge => Value::Bool(a >= b),
        _ => return None,
    })
}

fn arithmetic(op: BinaryOp, a: &Value, b: &Value, span: Span) -> Evaluated {
    let result = match (a, op, b) {
        (Value::Int(a), op, Value::Int(b)) => return ints(op, *a, *b, span),
        (Value::Float(a), op, Value::Float(b)) => return floats(op, *a, *b, span),
        (Value::Float(a), op, Value::Int(b)) => return floats(op, *a, *b as f64, span),
        (Value::Int(a), op, Value::Float(b)) => return floats(op, *a as f64, *b, span),
        (Value::Duration(a), BinaryOp::Add, Value::Duration(b)) => a.checked_add(*b),
        (Value::Duration(a), BinaryOp::Sub, Value::Duration(b)) => a.checked_sub(*b),
        (Value::Duration(a), BinaryOp::Mul, Value::Int(b)) | (Value::Int(b), BinaryOp::Mul, Value::Duration(a)) => {
            a.checked_mul(*b)
        }
        (Value::Duration(a), BinaryOp::Mul, Value::Float(b)) | (Value::Float(b), BinaryOp::Mul, Value::Duration(a)) => {
            whole_millis(*a as f64 * b)
        }
        (Value::Duration(_), BinaryOp::Div, Value::Int(0) | Value::Duration(0)) => return Err(by_zero(span)),
        (Value::Duration(a), BinaryOp::Div, Value::Int(b)) => whole_millis(*a as f64 / *b as f64),
        (Value::Duration(a), BinaryOp::Div, Value::Float(b)) => whole_millis(*a as f64 / b),
        (Value::Duration(a), BinaryOp::Div, Value::Duration(b)) => return Ok(Value::Float(*a as f64 / *b as f64)),
        (Value::Datetime(a), BinaryOp::Add, Value::Duration(b))
        | (Value::Duration(b), BinaryOp::Add, Value::Datetime(a)) => {
            return later(*a, *b).map_err(|fault| at(told(fault), span));
        }
        (Value::Datetime(a), BinaryOp::Sub, Value::Duration(b)) => {
            let back = b.checked_neg().ok_or_else(|| overflow(span))?;
            return later(*a, back).map_err(|fault| at(told(fault), span));
        }
        (Value::Datetime(a), BinaryOp::Sub, Value::Datetime(b)) => Some(between(*a, *b)),
        _ => return Err(at(odd(b, &format!("a right side of `{}` that goes with {}", op.symbol(), a.kind())), span)),
    };
    result.map(Value::Duration).ok_or_else(|| overflow(span))
}

fn ints(op: BinaryOp, a: i64, b: i64, span: Span) -> Evaluated {
    if b == 0 && matches!(op, BinaryOp::Div | BinaryOp::Rem) {
        return Err(by_zero(span));
    }
    match op {
        BinaryOp::Div => Ok(Value::Float(a as f64 / b as f64)),
        op => int_op(op, a, b).ok_or_else(|| overflow(span)),
    }
}

fn floats(op: BinaryOp, a: f64, b: f64, span: Span) -> Evaluated {
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div | BinaryOp::Rem if b == 0.0 => return Err(by_zero(span)),
        BinaryOp::Rem => a % b,
        _ => a / b,
    };
    if result.is_finite() { Ok(Value::Float(result)) } else { Err(overflow(span)) }
}

fn whole_millis(millis: f64) -> Option<i64> {
    let rounded = millis.round();
    (rounded.abs() < 9.2e18).then_some(rounded as i64)
}

#[cold]
fn by_zero(span: Span) -> Box<crate::run::event::RunError> {
    fail(ErrorKind::Arithmetic, "division by zero", span)
}

#[cold]
fn overflow(span: Span) -> Box<crate::run::event::RunError> {
    fail(ErrorKind::Arithmetic, "the result is too large", span)
}
