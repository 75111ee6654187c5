//! What a run may use of the machine.

use std::time::Duration;

use crate::value::Value;

/// Bounds that hold for every run, whatever its program says. Meeting one is a failure of kind `exhausted` (or
/// `invalid`, for a value that is too large).
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Evaluation fuel of one expression: about the number of operations.
    pub fuel: u64,
    /// How deeply flows may call flows.
    pub depth: u32,
    /// How large a value may be, in bytes, roughly.
    pub value_bytes: usize,
    /// How large a tool's result may be, in bytes, roughly.
    pub tool_output_bytes: usize,
    /// How many items a `parallel for` may have.
    pub fan_out: usize,
    /// How many iterations of one `parallel for` may be in flight, whatever its `limit` says.
    pub in_flight: usize,
    /// How many events a run may make; past it no step begins.
    pub events: u64,
    /// How long an attempt of a tool call may take where its step does not say.
    pub tool_timeout: Duration,
    /// How long an attempt of a tool call may take whatever its step says; `None` bounds nothing.
    pub longest_timeout: Option<Duration>,
    /// What a run may spend, in US dollars; `None` bounds nothing. The call that would spend more fails with `budget`.
    pub usd_per_run: Option<f64>,
    /// What all runs may spend within 24 hours, in US dollars, by what the engine's store knows.
    pub usd_per_day: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 50_000_000,
            depth: 64,
            value_bytes: 8 << 20,
            tool_output_bytes: 8 << 20,
            fan_out: 10_000,
            in_flight: 256,
            events: 50_000,
            tool_timeout: Duration::from_mins(1),
            longest_timeout: None,
            usd_per_run: None,
            usd_per_day: None,
        }
    }
}

/// Whether a value takes more than `most` bytes, roughly: 24 for each value, and its texts. Looks no further than it
/// has to.
pub(crate) fn exceeds(value: &Value, most: usize) -> bool {
    fn left(value: &Value, budget: usize) -> Option<usize> {
        let budget = budget.checked_sub(size_of::<Value>())?;
        match value {
            Value::String(text) => budget.checked_sub(text.len()),
            Value::Secret(name) => budget.checked_sub(name.len()),
            Value::List(items) => items.iter().try_fold(budget, |budget, item| left(item, budget)),
            Value::Record(record) => record.values.iter().try_fold(budget, |budget, item| left(item, budget)),
            Value::Map(map) => {
                map.iter().try_fold(budget, |budget, (name, item)| left(item, budget.checked_sub(name.len())?))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Duration(_)
            | Value::Datetime(_) => Some(budget),
        }
    }
    left(value, most).is_none()
}
