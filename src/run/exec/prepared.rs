//! What an action needs before it can be attempted.

use std::sync::Arc;

use crate::program::Action;
use crate::run::exec::{Failure, Strand, set};
use crate::value::{Record, Value};

/// What an action needs, evaluated once for all attempts.
#[derive(Clone, Debug)]
pub(crate) enum Prepared {
    /// A tool's arguments: a record of those that are given.
    Args(Value),
    /// A flow's frame.
    Frame(Vec<Value>),
    /// The list of a loop.
    Items(Arc<Vec<Value>>),
    /// Nothing.
    Nothing,
}

impl Prepared {
    /// Evaluates what an action needs.
    pub(super) fn of(strand: &Strand<'_>, frame: &mut [Value], action: &Action) -> Result<Self, Box<Failure>> {
        match action {
            Action::Tool { shape, args, .. } => {
                let signature = strand.machine.signature(action);
                let mut values = Vec::with_capacity(args.len());
                let mut left_out = Vec::new();
                for (at, (name, arg)) in shape.names().zip(args).enumerate() {
                    let value = strand.eval(frame, arg)?;
                    let param = signature.and_then(|tool| tool.find(name));
                    // What may be left out and is null is not sent.
                    if value.is_null() && param.is_some_and(|param| !param.required) {
                        left_out.push(at);
                    }
                    values.push(match param {
                        Some(param) => value.without_absent(&param.ty),
                        None => value,
                    });
                }
                if !left_out.is_empty() {
                    let fields = shape.names().cloned().zip(values).enumerate();
                    let given = fields.filter(|(at, _)| !left_out.contains(at)).map(|(_, field)| field);
                    return Ok(Prepared::Args(Value::record(given)));
                }
                let args = Record { shape: Arc::clone(shape), values };
                Ok(Prepared::Args(Value::Record(Arc::new(args))))
            }
            Action::Flow { flow, args } => {
                let Some(flow) = strand.machine.program.flows.get(*flow as usize) else { return Ok(Prepared::Nothing) };
                let mut inner = vec![Value::Null; flow.slots as usize];
                for (slot, param) in flow.params.iter().enumerate() {
                    let value = match (args.get(slot), &param.default) {
                        (Some(Some(arg)), _) => strand.eval(frame, arg)?,
                        (_, Some(default)) => strand.eval(&mut inner, default)?,
                        _ => Value::Null,
                    };
                    set(&mut inner, slot as u32, value);
                }
                Ok(Prepared::Frame(inner))
            }
            Action::For(it) => strand.items(frame, &it.list).map(Prepared::Items),
            Action::ParallelFor(it) => strand.items(frame, &it.list).map(Prepared::Items),
            _ => Ok(Prepared::Nothing),
        }
    }

    pub(super) fn into_frame(self) -> Vec<Value> {
        if let Prepared::Frame(frame) = self { frame } else { Vec::new() }
    }

    pub(super) fn into_items(self) -> Arc<Vec<Value>> {
        if let Prepared::Items(items) = self { items } else { Arc::default() }
    }

    pub(super) fn into_args(self) -> Value {
        if let Prepared::Args(args) = self { args } else { Value::Null }
    }
}
