//! The way from execution to the evaluator of pure expressions.

use std::sync::Arc;
use std::time::Duration;

use crate::program::{Expr, Pattern};
use crate::run::eval::Evaluator;
use crate::run::event::RunError;
use crate::run::exec::{Failure, Machine, Strand};
use crate::types::Text;
use crate::value::{ErrorKind, Value};

impl Strand<'_> {
    /// The value of an expression; what fails, fails in the step around.
    pub(crate) fn eval(&self, frame: &mut [Value], expr: &Expr) -> Result<Value, Box<Failure>> {
        self.machine
            .eval(frame, expr)
            .map_err(|error| Failure::of(RunError { step: self.here(), attempts: 1, ..*error }))
    }

    /// Whether a condition holds.
    pub(crate) fn holds(&self, frame: &mut [Value], expr: &Expr) -> Result<bool, Box<Failure>> {
        self.eval(frame, expr)?.as_bool().ok_or_else(|| self.odd("a bool"))
    }

    /// A text; `None` where it is null.
    pub(super) fn text(&self, frame: &mut [Value], expr: &Expr) -> Result<Option<Text>, Box<Failure>> {
        match self.eval(frame, expr)? {
            Value::String(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            _ => Err(self.odd("a string")),
        }
    }

    /// An int.
    pub(super) fn int(&self, frame: &mut [Value], expr: &Expr) -> Result<i64, Box<Failure>> {
        self.eval(frame, expr)?.as_int().ok_or_else(|| self.odd("an int"))
    }

    /// A duration; one below zero is none at all.
    pub(crate) fn duration(&self, frame: &mut [Value], expr: &Expr) -> Result<Duration, Box<Failure>> {
        match self.eval(frame, expr)? {
            Value::Duration(millis) => Ok(Duration::from_millis(u64::try_from(millis).unwrap_or(0))),
            _ => Err(self.odd("a duration")),
        }
    }

    /// A list's items.
    pub(super) fn items(&self, frame: &mut [Value], expr: &Expr) -> Result<Arc<Vec<Value>>, Box<Failure>> {
        match self.eval(frame, expr)? {
            Value::List(items) => Ok(items),
            _ => Err(self.odd("a list")),
        }
    }

    /// Whether a value fits a pattern; binds what it binds.
    pub(super) fn fits(&self, frame: &mut [Value], pattern: &Pattern, value: &Value) -> bool {
        self.machine.fits(frame, pattern, value)
    }

    /// What the checker has ruled out.
    fn odd(&self, wanted: &str) -> Box<Failure> {
        let message = format!("an expression did not give {wanted}");
        Failure::of(RunError { step: self.here(), attempts: 1, ..RunError::new(ErrorKind::Internal, message) })
    }
}

impl Machine<'_> {
    fn eval(&self, frame: &mut [Value], expr: &Expr) -> Result<Value, Box<RunError>> {
        let limits = &self.engine.limits;
        let evaluator = Evaluator::new(&self.program.functions, &self.record).limits(limits.fuel, limits.value_bytes);
        match self.bench {
            None => evaluator.eval(expr, frame),
            Some(bench) => evaluator.calls(&|tool| bench.calls(tool)).eval(expr, frame),
        }
    }

    /// Whether a value fits a pattern; binds what it binds.
    pub(crate) fn fits(&self, frame: &mut [Value], pattern: &Pattern, value: &Value) -> bool {
        Evaluator::new(&self.program.functions, &self.record).matches(pattern, value, frame)
    }
}
