//! The same meaning, written down as plainly as it goes: every value copied, every frame a fresh one, nothing borrowed,
//! nothing bounded. The evaluator is held against it.

use crate::builtins::Callback;
use crate::program::{Block, Expr, Function, Lambda, ListItem, MapEntry, Pattern, RecordPart, Stmt, TemplatePart};
use crate::run::eval::{Evaluated, fail, told};
use crate::run::event::RunError;
use crate::source::Span;
use crate::types::BinaryOp;
use crate::value::{ErrorKind, Fault, Value, outcome};

pub(super) struct Reference<'p> {
    pub(super) functions: &'p [Function],
}

type Frame = Vec<Value>;

impl Reference<'_> {
    pub(super) fn eval(&self, expr: &Expr, frame: &mut Frame) -> Evaluated {
        Ok(match expr {
            Expr::Const(constant) => constant.0.clone(),
            Expr::Slot(slot) => frame[*slot as usize].clone(),
            Expr::Run | Expr::Calls(_) => Value::Null,
            Expr::Template(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        TemplatePart::Text(part) => text += part,
                        TemplatePart::Hole(hole) => text += &self.eval(hole, frame)?.to_text(),
                    }
                }
                text.into()
            }
            Expr::List(parts) => {
                let mut items = Vec::new();
                for part in parts {
                    match part {
                        ListItem::Value(value) => items.push(self.eval(value, frame)?),
                        ListItem::Spread(list) => items.extend(list_of(self.eval(list, frame)?)),
                    }
                }
                Value::list(items)
            }
            Expr::Record { shape, values } => {
                let values = values.iter().map(|value| self.eval(value, frame)).collect::<Evaluated<Vec<_>>>()?;
                Value::record(shape.names().cloned().zip(values))
            }
            Expr::Spread { shape, parts } => {
                let mut all: Vec<_> = shape.names().map(|name| (name.clone(), Value::Null)).collect();
                for part in parts {
                    match part {
                        RecordPart::Field(at, value) => all[*at as usize].1 = self.eval(value, frame)?,
                        RecordPart::Spread(record) => {
                            let record = self.eval(record, frame)?;
                            for (name, value) in &mut all {
                                if let Some(new) = record.get(name).filter(|new| !new.is_null()) {
                                    *value = new.clone();
                                }
                            }
                        }
                    }
                }
                Value::record(all)
            }
            Expr::Map(parts) => {
                let mut map = crate::value::Map::new();
                for part in parts {
                    match part {
                        MapEntry::Entry(key, value) => {
                            map.insert(key.clone(), self.eval(value, frame)?);
                        }
                        MapEntry::Spread(other) => {
                            if let Value::Map(other) = self.eval(other, frame)? {
                                map.extend(other.iter().map(|(key, value)| (key.clone(), value.clone())));
                            }
                        }
                    }
                }
                Value::map(map)
            }
            Expr::Field { base, name, .. } => self.eval(base, frame)?.get(name).cloned().unwrap_or(Value::Null),
            Expr::Index { base, index, span } => match (self.eval(base, frame)?, self.eval(index, frame)?) {
                (Value::List(items), Value::Int(at)) => {
                    let place = if at < 0 { at + items.len() as i64 } else { at };
                    match usize::try_from(place).ok().and_then(|place| items.get(place)) {
                        Some(item) => item.clone(),
                        None => return Err(fail(ErrorKind::Index, "out of range", *span)),
                    }
                }
                (base, index) => base.get(index.as_str().unwrap_or_default()).cloned().unwrap_or(Value::Null),
            },
            Expr::Lookup { base, index } => match (self.eval(base, frame)?, self.eval(index, frame)?) {
                (Value::List(items), Value::Int(at)) => {
                    let place = if at < 0 { at + items.len() as i64 } else { at };
                    usize::try_from(place).ok().and_then(|place| items.get(place)).cloned().unwrap_or(Value::Null)
                }
                (base, index) => base.get(index.as_str().unwrap_or_default()).cloned().unwrap_or(Value::Null),
            },
            Expr::Neg(inner, span) => operate(BinaryOp::Sub, &Value::Int(0), &self.eval(inner, frame)?, *span)?,
            Expr::Not(inner) => Value::Bool(self.eval(inner, frame)? == Value::Bool(false)),
            Expr::Binary { op, sides, span } => {
                let (left, right) = (self.eval(&sides.0, frame)?, self.eval(&sides.1, frame)?);
                operate(*op, &left, &right, *span)?
            }
            Expr::Chain { first, rest } => {
                let mut left = self.eval(first, frame)?;
                for (op, right, span) in rest {
                    let right = self.eval(right, frame)?;
                    left = operate(*op, &left, &right, *span)?;
                }
                left
            }
            Expr::And(sides) => {
                for side in sides {
                    if self.eval(side, frame)? == Value::Bool(false) {
                        return Ok(Value::Bool(false));
                    }
                }
                Value::Bool(true)
            }
            Expr::Or(sides) => {
                for side in sides {
                    if self.eval(side, frame)? == Value::Bool(true) {
                        return Ok(Value::Bool(true));
                    }
                }
                Value::Bool(false)
            }
            Expr::Coalesce(sides) => {
                for side in sides {
                    let value = self.eval(side, frame)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Value::Null
            }
            Expr::Guard { slot, parts } => {
                let first = self.eval(&parts.0, frame)?;
                if first.is_null() {
                    return Ok(Value::Null);
                }
                frame[*slot as usize] = first;
                self.eval(&parts.1, frame)?
            }
            Expr::Is(inner, ty) => Value::Bool(self.eval(inner, frame)?.matches(ty)),
            Expr::As(inner, ty, span) => match self.eval(inner, frame)?.conform(ty) {
                Ok(value) => value,
                Err(misfit) => return Err(fail(ErrorKind::Invalid, misfit.to_string(), *span)),
            },
            Expr::Coerce(inner, ty) => self.eval(inner, frame)?.coerce(ty),
            Expr::Check(inner, ty) => outcome(self.eval(inner, frame)?.conform(ty)),
            Expr::If { branches, otherwise } => {
                for (condition, then) in branches {
                    if self.eval(condition, frame)? == Value::Bool(true) {
                        return self.eval(then, frame);
                    }
                }
                self.eval(otherwise, frame)?
            }
            Expr::Match { value, arms } => {
                let value = self.eval(value, frame)?;
                for arm in arms {
                    for pattern in &arm.patterns {
                        if bind(pattern, &value, frame) {
                            let guard = arm.guard.as_ref().map_or(Ok(Value::Bool(true)), |it| self.eval(it, frame))?;
                            if guard == Value::Bool(true) {
                                return self.eval(&arm.body, frame);
                            }
                            break;
                        }
                    }
                }
                Value::Null
            }
            Expr::Call { function, args, .. } => {
                let function = &self.functions[*function as usize];
                let mut inner = vec![Value::Null; function.slots as usize];
                for (at, arg) in args.iter().enumerate() {
                    match (arg, &function.params[at].default) {
                        (Some(arg), _) => inner[at] = self.eval(arg, frame)?,
                        (None, Some(default)) => inner[at] = self.eval(default, &mut inner.clone())?,
                        (None, None) => {}
                    }
                }
                self.block(&function.body, &mut inner)?.unwrap_or(Value::Null)
            }
            Expr::Method { method, receiver, args, lambda, .. } => {
                let receiver = self.eval(receiver, frame)?;
                let args = args.iter().map(|arg| self.eval(arg, frame)).collect::<Evaluated<Vec<_>>>()?;
                let mut caller = Caller { reference: self, frame, lambda: lambda.as_deref(), failure: None };
                let result = (method.run)(receiver, &args, &mut caller);
                let failure = caller.failure;
                result.map_err(|fault| failure.unwrap_or_else(|| told(fault)))?
            }
        })
    }

    fn block(&self, block: &Block, frame: &mut Frame) -> Evaluated<Option<Value>> {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Assign { slot, value } => frame[*slot as usize] = self.eval(value, frame)?,
                Stmt::Return(value) => return self.eval(value, frame).map(Some),
                Stmt::If(it) => {
                    let mut taken = it.otherwise.as_ref();
                    for (condition, then) in it.branches.iter().rev() {
                        if self.eval(condition, frame)? == Value::Bool(true) {
                            taken = Some(then);
                        }
                    }
                    if let Some(value) = taken.map_or(Ok(None), |taken| self.block(taken, frame))? {
                        return Ok(Some(value));
                    }
                }
                Stmt::Fail { message, span, .. } => {
                    return Err(fail(ErrorKind::Failed, self.eval(message, frame)?.to_text(), *span));
                }
                other => panic!("{other:?} is not in the generated programs"),
            }
        }
        Ok(None)
    }
}

fn list_of(value: Value) -> Vec<Value> {
    if let Value::List(items) = value { items.to_vec() } else { panic!("a list was expected") }
}

fn bind(pattern: &Pattern, value: &Value, frame: &mut Frame) -> bool {
    match pattern {
        Pattern::Any => true,
        Pattern::Bind(slot) => {
            frame[*slot as usize] = value.clone();
            true
        }
        Pattern::Const(constant) => constant.0 == *value,
        Pattern::Is(ty) => value.matches(ty),
        Pattern::Record(fields) => {
            fields.iter().all(|(name, pattern)| bind(pattern, value.get(name).unwrap_or(&Value::Null), frame))
        }
    }
}

/// Ints in 128 bits, so that nothing overflows before it is looked at.
fn operate(op: BinaryOp, left: &Value, right: &Value, span: Span) -> Evaluated {
    let wrong = || fail(ErrorKind::Arithmetic, "cannot be", span);
    let ordering = || crate::builtins::compare(left, right);
    Ok(match (op, left, right) {
        (BinaryOp::Eq, ..) => Value::Bool(left == right),
        (BinaryOp::Ne, ..) => Value::Bool(left != right),
        (BinaryOp::Lt, ..) => Value::Bool(ordering().is_lt()),
        (BinaryOp::Le, ..) => Value::Bool(ordering().is_le()),
        (BinaryOp::Gt, ..) => Value::Bool(ordering().is_gt()),
        (BinaryOp::Ge, ..) => Value::Bool(ordering().is_ge()),
        (BinaryOp::In, item, Value::List(items)) => Value::Bool(items.iter().any(|other| other == item)),
        (BinaryOp::In, part, text) => Value::Bool(text.to_text().contains(&part.to_text())),
        (BinaryOp::Add, Value::String(a), Value::String(b)) => format!("{a}{b}").into(),
        (BinaryOp::Add, Value::List(a), Value::List(b)) => Value::list(a.iter().chain(b.iter()).cloned()),
        (BinaryOp::Div, a, b) => {
            let quotient = number(a) / number(b);
            if quotient.is_finite() { Value::Float(quotient) } else { return Err(wrong()) }
        }
        (op, Value::Int(a), Value::Int(b)) => {
            let (a, b) = (i128::from(*a), i128::from(*b));
            let result = match op {
                BinaryOp::Add => Some(a + b),
                BinaryOp::Sub => Some(a - b),
                BinaryOp::Mul => Some(a * b),
                _ => a.checked_rem(b),
            };
            Value::Int(result.and_then(|result| i64::try_from(result).ok()).ok_or_else(wrong)?)
        }
        (op, a, b) => {
            let (a, b) = (number(a), number(b));
            let result = match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                _ => a % b,
            };
            if result.is_finite() { Value::Float(result) } else { return Err(wrong()) }
        }
    })
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Int(int) => *int as f64,
        Value::Float(float) => *float,
        other => panic!("{other:?} is no number"),
    }
}

struct Caller<'c, 'p> {
    reference: &'c Reference<'p>,
    frame: &'c mut Frame,
    lambda: Option<&'c Lambda>,
    failure: Option<Box<RunError>>,
}

impl Caller<'_, '_> {
    fn run(&mut self, values: &[Value]) -> Result<Value, Box<Fault>> {
        let lambda = self.lambda.expect("a lambda");
        for (slot, value) in lambda.params.iter().zip(values) {
            self.frame[*slot as usize] = value.clone();
        }
        self.reference.eval(&lambda.body, self.frame).map_err(|failure| {
            self.failure = Some(failure);
            Fault::invalid("the lambda failed")
        })
    }
}

impl Callback for Caller<'_, '_> {
    fn call1(&mut self, a: Value) -> Result<Value, Box<Fault>> {
        self.run(&[a])
    }
    fn call2(&mut self, a: Value, b: Value) -> Result<Value, Box<Fault>> {
        self.run(&[a, b])
    }
    fn spend(&mut self, _: usize) -> Result<(), Box<Fault>> {
        Ok(())
    }
}
