//! Calls of built-in methods and their lambdas.

use crate::builtins::{Callback, MethodRef};
use crate::program::{Expr, Lambda};
use crate::run::eval::{Cx, Evaluated, at, set, told};
use crate::run::event::RunError;
use crate::source::Span;
use crate::value::{Fault, Value};

impl Cx<'_> {
    pub(super) fn method(
        &mut self,
        method: MethodRef,
        receiver: &Expr,
        args: &[Expr],
        lambda: Option<&Lambda>,
        span: Span,
        frame: &mut [Value],
    ) -> Evaluated {
        let receiver = self.eval(receiver, frame)?;
        // Nearly all methods take two arguments at most: no list has to be made for them.
        match args {
            [] => self.invoke(method, receiver, &[], lambda, span, frame),
            [a] => {
                let args = [self.eval(a, frame)?];
                self.invoke(method, receiver, &args, lambda, span, frame)
            }
            [a, b] => {
                let args = [self.eval(a, frame)?, self.eval(b, frame)?];
                self.invoke(method, receiver, &args, lambda, span, frame)
            }
            more => {
                let args = more.iter().map(|arg| self.eval(arg, frame)).collect::<Evaluated<Vec<Value>>>()?;
                self.invoke(method, receiver, &args, lambda, span, frame)
            }
        }
    }

    fn invoke(
        &mut self,
        method: MethodRef,
        receiver: Value,
        args: &[Value],
        lambda: Option<&Lambda>,
        span: Span,
        frame: &mut [Value],
    ) -> Evaluated {
        let mut caller = Caller { cx: self, frame, lambda, failure: None };
        let result = (method.0.run)(receiver, args, &mut caller);
        match (result, caller.failure) {
            (Ok(value), _) => Ok(value),
            // The lambda's own failure knows its place.
            (Err(_), Some(failure)) => Err(at(failure, span)),
            (Err(fault), None) => Err(at(told(fault), span)),
        }
    }
}

/// What a method sees of the evaluation.
struct Caller<'c, 'e> {
    cx: &'c mut Cx<'e>,
    frame: &'c mut [Value],
    lambda: Option<&'c Lambda>,
    /// Why the lambda failed, while the method hands its fault through.
    failure: Option<Box<RunError>>,
}

impl Caller<'_, '_> {
    #[inline]
    fn run(&mut self, lambda: &Lambda) -> Result<Value, Box<Fault>> {
        self.cx.eval(&lambda.body, self.frame).map_err(|failure| self.stopped(failure))
    }

    #[cold]
    fn stopped(&mut self, failure: Box<RunError>) -> Box<Fault> {
        let fault = Fault::new(failure.kind, String::new());
        self.failure = Some(failure);
        fault
    }
}

impl Callback for Caller<'_, '_> {
    fn call1(&mut self, a: Value) -> Result<Value, Box<Fault>> {
        let Some(lambda) = self.lambda else { return Err(no_lambda()) };
        self.spend(1)?;
        if let [first, ..] = lambda.params.as_slice() {
            set(self.frame, *first, a);
        }
        self.run(lambda)
    }

    fn call2(&mut self, a: Value, b: Value) -> Result<Value, Box<Fault>> {
        let Some(lambda) = self.lambda else { return Err(no_lambda()) };
        self.spend(1)?;
        match lambda.params.as_slice() {
            [first, second, ..] => {
                set(self.frame, *first, a);
                set(self.frame, *second, b);
            }
            [first] => set(self.frame, *first, a),
            [] => {}
        }
        self.run(lambda)
    }

    fn spend(&mut self, units: usize) -> Result<(), Box<Fault>> {
        self.cx.spend(units as u64).map_err(|failure| self.stopped(failure))
    }

    fn limit(&self) -> usize {
        self.cx.host.value_bytes
    }
}

#[cold]
fn no_lambda() -> Box<Fault> {
    Fault::new(crate::value::ErrorKind::Internal, "a method was called without its function")
}
