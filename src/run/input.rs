//! A run's input: made to fit the flow's parameters once, field by field.

use crate::program::Flow;
use crate::run::engine::{FieldError, InputError};
use crate::types::Text;
use crate::value::Value;

/// The values of a flow's parameters, and which of them have yet to take their default.
pub(crate) struct Arguments {
    /// One for each parameter.
    pub(crate) values: Vec<Value>,
    /// The parameters that were not given and have a default.
    pub(crate) defaults: Vec<usize>,
}

/// Makes an input fit.
pub(crate) fn arguments(flow: &Flow, input: &Value) -> Result<Arguments, InputError> {
    let mut fields = Vec::new();
    let mut wrong = |field: &str, message: String| fields.push(FieldError { field: Text::new(field), message });
    if !matches!(input, Value::Map(_) | Value::Record(_) | Value::Null) {
        wrong("", format!("expected an object with a field for each parameter, found {}", input.kind()));
        return Err(InputError { flow: flow.name.clone(), fields });
    }
    let mut values = Vec::with_capacity(flow.params.len());
    let mut defaults = Vec::new();
    for (at, param) in flow.params.iter().enumerate() {
        let given = input.get(&param.name).filter(|value| !value.is_null() || param.ty.allows_null());
        let value = match given {
            Some(value) => match value.clone().conform(&param.ty) {
                Ok(value) => value,
                Err(misfit) => {
                    wrong(&param.name, misfit.to_string());
                    Value::Null
                }
            },
            None if param.default.is_some() => {
                defaults.push(at);
                Value::Null
            }
            None if param.optional || param.ty.allows_null() => Value::Null,
            None => {
                wrong(&param.name, format!("missing; expected {}", param.ty));
                Value::Null
            }
        };
        values.push(value);
    }
    for name in names(input) {
        if flow.params.iter().all(|param| param.name != *name) {
            let known = flow.params.iter().map(|param| (strsim::damerau_levenshtein(&param.name, name), &param.name));
            let near = known.min().filter(|(distance, near)| *distance <= near.len().div_ceil(3));
            let hint = near.map(|(_, near)| format!("; did you mean `{near}`?")).unwrap_or_default();
            wrong(name, format!("`{}` has no such parameter{hint}", flow.name));
        }
    }
    if fields.is_empty() {
        Ok(Arguments { values, defaults })
    } else {
        Err(InputError { flow: flow.name.clone(), fields })
    }
}

fn names(input: &Value) -> Vec<&Text> {
    match input {
        Value::Map(map) => map.keys().collect(),
        Value::Record(record) => record.shape.names().collect(),
        _ => Vec::new(),
    }
}
