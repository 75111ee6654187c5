//! What is told of a run, as JSON. The names are part of what programs rely on.

use serde_json::{Map, Value as Json, json};

use crate::run::RunSummary;
use crate::run::journal::Labels;

/// A run without its events; what is not there is left out.
pub(super) fn run(run: &RunSummary) -> Json {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Json| {
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
    };
    let Labels { key, user, conversation, forked_from } = &run.labels;
    add("id", json!(run.run));
    add("flow", json!(run.flow));
    add("status", json!(run.status));
    add("program", json!(run.program));
    for (name, label) in [("key", key), ("user", user), ("conversation", conversation), ("forked_from", forked_from)] {
        add(name, json!(label));
    }
    add("started_at", json!(run.started_at));
    add("ended_at", json!(run.ended_at));
    add("duration_ms", json!(took(run)));
    add("wakes_at", json!(run.wakes_at));
    add("steps_completed", json!(run.steps_completed));
    add("steps_total", json!(run.steps_total));
    add("events", json!(run.events));
    add("recoveries", json!(run.recoveries));
    add("usage", json!(run.usage));
    add("error", json!(run.error));
    fields.into()
}

/// From its start to its end, in milliseconds.
pub(super) fn took(run: &RunSummary) -> Option<u64> {
    u64::try_from(run.ended_at?.duration_since(run.started_at).as_millis()).ok()
}
