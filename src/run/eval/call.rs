//! Calls of pure functions, and the statements of their bodies.

use crate::program::{Block, Expr, Function, Stmt};
use crate::run::eval::{Cx, Evaluated, at, odd, set};
use crate::run::event::RunError;
use crate::source::Span;
use crate::value::{ErrorKind, Value};

impl Cx<'_> {
    pub(super) fn call(&mut self, function: u32, args: &[Option<Expr>], span: Span, frame: &mut [Value]) -> Evaluated {
        let Some(function) = self.host.functions.get(function as usize) else {
            return Err(at(odd(&Value::Null, "a function"), span));
        };
        let mut inner = self.frames.pop().unwrap_or_default();
        inner.resize(function.slots as usize, Value::Null);
        let result = self.call_in(function, args, frame, &mut inner);
        inner.clear();
        self.frames.push(inner);
        result.map_err(|error| at(error, span))
    }

    fn call_in(
        &mut self,
        function: &Function,
        args: &[Option<Expr>],
        outer: &mut [Value],
        inner: &mut [Value],
    ) -> Evaluated {
        for (slot, arg) in (0_u32..).zip(args) {
            if let Some(arg) = arg {
                set(inner, slot, self.eval(arg, outer)?);
            }
        }
        // A default may use the parameters before it.
        for (slot, param) in (0_u32..).zip(&function.params) {
            if let (None, Some(default)) = (args.get(slot as usize).and_then(Option::as_ref), &param.default) {
                let value = self.eval(default, inner)?;
                set(inner, slot, value);
            }
        }
        match function.body.stmts.as_slice() {
            [Stmt::Return(value)] => self.eval(value, inner),
            _ => Ok(self.block(&function.body, inner)?.unwrap_or(Value::Null)),
        }
    }

    /// Runs statements without effects; gives what they return.
    fn block(&mut self, block: &Block, frame: &mut [Value]) -> Evaluated<Option<Value>> {
        for stmt in &block.stmts {
            let taken = match stmt {
                Stmt::Assign { slot, value } => {
                    let value = self.eval(value, frame)?;
                    set(frame, *slot, value);
                    None
                }
                Stmt::Return(value) => return self.eval(value, frame).map(Some),
                Stmt::If(it) => {
                    let mut taken = it.otherwise.as_ref();
                    for (condition, then) in &it.branches {
                        if self.holds(condition, frame)? {
                            taken = Some(then);
                            break;
                        }
                    }
                    taken
                }
                Stmt::Match(it) => self.arm(&it.value, &it.arms, frame)?,
                Stmt::Fail { message, details, span } => {
                    return Err(self.failure(message, details.as_ref(), *span, frame)?);
                }
                Stmt::Refail { error, span } => {
                    let error = RunError::from_value(&self.eval(error, frame)?);
                    return Err(Box::new(RunError { span: Some(*span), ..error }));
                }
                // The checker lets nothing else into a function.
                _ => None,
            };
            if let Some(taken) = taken
                && let Some(value) = self.nested(taken, frame)?
            {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// A block inside a statement, one level deeper.
    fn nested(&mut self, block: &Block, frame: &mut [Value]) -> Evaluated<Option<Value>> {
        self.spend(1)?;
        self.block(block, frame)
    }

    fn failure(
        &mut self,
        message: &Expr,
        details: Option<&Expr>,
        span: Span,
        frame: &mut [Value],
    ) -> Evaluated<Box<RunError>> {
        let message = match self.eval(message, frame)? {
            Value::String(text) => text.to_string(),
            other => return Err(at(odd(&other, "a string"), span)),
        };
        let details = details.map_or(Ok(Value::Null), |details| self.eval(details, frame))?;
        Ok(Box::new(RunError { details, span: Some(span), ..RunError::new(ErrorKind::Failed, message) }))
    }
}
