//! Pure expressions over the slots of a frame: synchronous, bounded, and without allocation where none is due.
//!
//! What an operand is (a slot, a constant, a field of one) is read where it stands (`peek`); only what has to be
//! computed is. Every expression is bounded by fuel, by the depth of its evaluation and by the size of the strings and
//! lists it builds.

// Failures are boxed from the start, so that results stay as small as values.
#![allow(clippy::unnecessary_box_returns)]

mod call;
mod method;
mod operator;
mod pattern;
mod postfix;
mod record;
mod template;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod reference;
#[cfg(test)]
mod tests;

use crate::program::{Expr, Function, Pattern};
use crate::run::event::RunError;
use crate::source::Span;
use crate::types::Type;
use crate::value::{ErrorKind, Fault, MAX_VALUE_BYTES, Value, outcome};

/// What an evaluation gives: a value, or the failure with the place to blame and without a step.
pub type Evaluated<T = Value> = Result<T, Box<RunError>>;

/// How many operations an expression may take unless the engine says otherwise.
pub const DEFAULT_FUEL: u64 = 50_000_000;

/// How deeply expressions and calls of functions may nest while they are evaluated. Each level takes a few hundred
/// bytes of the thread's stack.
const MAX_DEPTH: u32 = 512;

static NULL: Value = Value::Null;

/// What the expressions of a program may see besides their frame, and what they may use. Cheap to make.
#[derive(Clone, Copy)]
pub struct Evaluator<'e> {
    functions: &'e [Function],
    run: &'e Value,
    calls: Option<&'e dyn Fn(u32) -> Value>,
    fuel: u64,
    value_bytes: usize,
}

impl<'e> Evaluator<'e> {
    /// An evaluator of a program's expressions: over its functions and the value of `run`.
    pub fn new(functions: &'e [Function], run: &'e Value) -> Self {
        Self { functions, run, calls: None, fuel: DEFAULT_FUEL, value_bytes: MAX_VALUE_BYTES }
    }

    /// Says what `calls(tool)` gives, by the tool's place in the program.
    #[must_use]
    pub fn calls(mut self, calls: &'e dyn Fn(u32) -> Value) -> Self {
        self.calls = Some(calls);
        self
    }

    /// Bounds each expression: about how many operations it may take, and how many bytes a string or list may have.
    #[must_use]
    pub fn limits(mut self, fuel: u64, value_bytes: usize) -> Self {
        self.fuel = fuel;
        self.value_bytes = value_bytes;
        self
    }

    /// The value of an expression over a frame. Slots of lambdas and patterns in it are written.
    ///
    /// # Errors
    /// `arithmetic`, `index`, `invalid`, `exhausted`, and `failed` where a function says so; with the place to blame.
    pub fn eval(&self, expr: &Expr, frame: &mut [Value]) -> Evaluated {
        match peek(self, expr, frame) {
            Some(value) => Ok(value.clone()),
            None => Cx::new(self).eval(expr, frame),
        }
    }

    /// Whether a value fits a pattern; binds what it binds.
    pub fn matches(&self, pattern: &Pattern, value: &Value, frame: &mut [Value]) -> bool {
        pattern::matches(pattern, value, frame)
    }
}

/// The state of one evaluation.
struct Cx<'e> {
    host: &'e Evaluator<'e>,
    fuel: u64,
    depth: u32,
    /// Frames of finished calls, to be used again.
    frames: Vec<Vec<Value>>,
    /// Where templates are put together.
    scratch: String,
}

impl<'e> Cx<'e> {
    fn new(host: &'e Evaluator<'e>) -> Self {
        Self { host, fuel: host.fuel, depth: 0, frames: Vec::new(), scratch: String::new() }
    }

    /// The value of an expression.
    fn eval(&mut self, expr: &Expr, frame: &mut [Value]) -> Evaluated {
        if let Some(value) = peek(self.host, expr, frame) {
            return Ok(value.clone());
        }
        self.deeper(expr, frame)
    }

    /// The value of an expression that `peek` cannot read.
    fn deeper(&mut self, expr: &Expr, frame: &mut [Value]) -> Evaluated {
        self.spend(1)?;
        if self.depth == MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = self.compute(expr, frame);
        self.depth -= 1;
        result
    }

    fn compute(&mut self, expr: &Expr, frame: &mut [Value]) -> Evaluated {
        match expr {
            Expr::Binary { op, sides, span } => self.binary(*op, &sides.0, &sides.1, *span, frame),
            Expr::Method { method, receiver, args, lambda, span } => {
                self.method(*method, receiver, args, lambda.as_deref(), *span, frame)
            }
            Expr::Template(parts) => self.template(parts, frame),
            Expr::Record { shape, values } => self.record(shape, values, frame),
            Expr::If { branches, otherwise } => {
                for (condition, then) in branches {
                    if self.holds(condition, frame)? {
                        return self.eval(then, frame);
                    }
                }
                self.eval(otherwise, frame)
            }
            Expr::Field { base, name, hint } => self.field(base, name, *hint, frame),
            Expr::Index { base, index, span } => self.index(base, index, Some(*span), frame),
            Expr::Lookup { base, index } => self.index(base, index, None, frame),
            Expr::Chain { first, rest } => self.chain(first, rest, frame),
            Expr::Not(inner) => Ok(Value::Bool(!self.holds(inner, frame)?)),
            Expr::Neg(inner, span) => self.negate(inner, *span, frame),
            Expr::And(sides) => self.all_are(true, sides, frame).map(Value::Bool),
            Expr::Or(sides) => self.all_are(false, sides, frame).map(|none| Value::Bool(!none)),
            Expr::Coalesce(sides) => self.coalesce(sides, frame),
            Expr::Guard { slot, parts } => self.guard(*slot, &parts.0, &parts.1, frame),
            Expr::Match { value, arms } => self.match_value(value, arms, frame),
            Expr::Call { function, args, span } => self.call(*function, args, *span, frame),
            Expr::List(items) => self.list(items, frame),
            Expr::Spread { shape, parts } => self.spread(shape, parts, frame),
            Expr::Map(entries) => self.map(entries, frame),
            Expr::Is(inner, ty) => self.with(inner, frame, |value| Value::Bool(value.matches(ty))),
            Expr::As(inner, ty, span) => self.conform(inner, ty, *span, frame),
            Expr::Coerce(inner, ty) => self.coerce(inner, ty, frame),
            Expr::Check(inner, ty) => Ok(outcome(self.weighed(inner, frame)?.conform(ty))),
            Expr::Calls(tool) => Ok(self.host.calls.map_or(Value::Null, |calls| calls(*tool))),
            // What `peek` reads.
            Expr::Const(_) | Expr::Slot(_) | Expr::Run => Ok(Value::Null),
        }
    }

    /// What a function makes of an expression's value, which is not copied where it only has to be read.
    fn with(&mut self, expr: &Expr, frame: &mut [Value], make: impl FnOnce(&Value) -> Value) -> Evaluated {
        match peek(self.host, expr, frame) {
            Some(value) => Ok(make(value)),
            None => Ok(make(&self.deeper(expr, frame)?)),
        }
    }

    /// Whether a condition holds.
    fn holds(&mut self, condition: &Expr, frame: &mut [Value]) -> Evaluated<bool> {
        match peek(self.host, condition, frame) {
            Some(value) => value.as_bool().ok_or_else(|| odd(value, "a bool")),
            None => match self.deeper(condition, frame)? {
                Value::Bool(bool) => Ok(bool),
                other => Err(odd(&other, "a bool")),
            },
        }
    }

    fn all_are(&mut self, wanted: bool, sides: &[Expr], frame: &mut [Value]) -> Evaluated<bool> {
        for side in sides {
            if self.holds(side, frame)? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn coalesce(&mut self, sides: &[Expr], frame: &mut [Value]) -> Evaluated {
        for side in sides {
            let value = self.eval(side, frame)?;
            if !value.is_null() {
                return Ok(value);
            }
        }
        Ok(Value::Null)
    }

    fn conform(&mut self, inner: &Expr, ty: &Type, span: Span, frame: &mut [Value]) -> Evaluated {
        self.weighed(inner, frame)?.conform(ty).map_err(|misfit| {
            let error = RunError::new(ErrorKind::Invalid, misfit.to_string());
            Box::new(RunError { details: misfit.details(), span: Some(span), ..error })
        })
    }

    fn coerce(&mut self, inner: &Expr, ty: &Type, frame: &mut [Value]) -> Evaluated {
        match (self.weighed(inner, frame)?, ty) {
            (Value::Int(int), Type::Float) => Ok(Value::Float(int as f64)),
            (value, ty) => Ok(value.coerce(ty)),
        }
    }

    /// The value of an expression that is to be walked through, which is accounted for.
    fn weighed(&mut self, expr: &Expr, frame: &mut [Value]) -> Evaluated {
        let value = self.eval(expr, frame)?;
        self.spend(weight(&value))?;
        Ok(value)
    }

    /// Accounts for work.
    #[inline]
    fn spend(&mut self, units: u64) -> Evaluated<()> {
        match self.fuel.checked_sub(units) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(exhausted(self.host.fuel)),
        }
    }

    /// Asks whether a string or list may have so many bytes.
    #[inline]
    fn room(&self, bytes: usize) -> Evaluated<()> {
        if bytes <= self.host.value_bytes {
            Ok(())
        } else {
            Err(told(crate::builtins::too_large(self.host.value_bytes)))
        }
    }
}

/// What an expression refers to, where it can be read without computing anything: a slot, a constant, `run`, or a
/// field of one.
#[inline]
fn peek<'a>(host: &'a Evaluator<'_>, expr: &'a Expr, frame: &'a [Value]) -> Option<&'a Value> {
    match expr {
        Expr::Slot(slot) => Some(frame.get(*slot as usize).unwrap_or(&NULL)),
        Expr::Const(constant) => Some(&constant.0),
        Expr::Run => Some(host.run),
        Expr::Field { base, name, hint } => match &**base {
            Expr::Slot(slot) => frame.get(*slot as usize).map(|record| postfix::field_of(record, name, *hint)),
            base => peek_path(host, base, frame, 4).map(|record| postfix::field_of(record, name, *hint)),
        },
        _ => None,
    }
}

/// The same for longer paths, up to a depth.
fn peek_path<'a>(host: &'a Evaluator<'_>, expr: &'a Expr, frame: &'a [Value], depth: u8) -> Option<&'a Value> {
    match expr {
        Expr::Field { base, name, hint } if depth > 0 => {
            peek_path(host, base, frame, depth - 1).map(|record| postfix::field_of(record, name, *hint))
        }
        Expr::Field { .. } => None,
        plain => peek(host, plain, frame),
    }
}

/// About how much work it is to walk through a value.
fn weight(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 / 64,
        Value::List(items) => items.len() as u64 * 2,
        Value::Map(map) => map.len() as u64 * 2,
        Value::Record(record) => record.values.len() as u64,
        _ => 0,
    }
}

/// Puts a value into its slot.
#[inline]
fn set(frame: &mut [Value], slot: u32, value: Value) {
    if let Some(place) = frame.get_mut(slot as usize) {
        *place = value;
    }
}

/// A failure at a place.
#[cold]
fn fail(kind: ErrorKind, message: impl Into<String>, span: Span) -> Box<RunError> {
    Box::new(RunError { span: Some(span), ..RunError::new(kind, message) })
}

/// A fault without a place yet.
#[cold]
#[allow(clippy::boxed_local, reason = "faults come in boxes")]
fn told(fault: Box<Fault>) -> Box<RunError> {
    let Fault { kind, message, details } = *fault;
    Box::new(RunError { details, ..RunError::new(kind, message) })
}

/// The failure, blamed on a place where it had none.
#[cold]
fn at(mut error: Box<RunError>, span: Span) -> Box<RunError> {
    error.span.get_or_insert(span);
    error
}

#[cold]
fn exhausted(fuel: u64) -> Box<RunError> {
    Box::new(RunError::new(ErrorKind::Exhausted, format!("the expression takes more than {fuel} operations")))
}

#[cold]
fn too_deep() -> Box<RunError> {
    let message = format!("expressions and functions nest more than {MAX_DEPTH} deep");
    Box::new(RunError::new(ErrorKind::Exhausted, message))
}

/// What the checker has ruled out.
#[cold]
fn odd(value: &Value, wanted: &str) -> Box<RunError> {
    Box::new(RunError::new(ErrorKind::Internal, format!("{wanted} was expected here, found {}", value.kind())))
}
