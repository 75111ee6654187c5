//! What a run waits for, told from its events.

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::run::{Event, EventKind, Request, RequestKind, step_of};
use crate::types::{Text, Type};
use crate::value::Value;

/// A step that waits for a person or a signal.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) path: Text,
    /// What for, in a few words.
    pub(super) reason: Text,
    pub(super) request: Request,
    /// As it stands in the event.
    pub(super) data: Value,
    pub(super) since: Timestamp,
}

/// The steps that wait after these events, in the order they began to.
pub(super) fn waits<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Wait> {
    let mut open: IndexMap<Text, Wait> = IndexMap::new();
    for event in events {
        match &event.kind {
            EventKind::RunWaiting { path, reason, request: data } => {
                let (path, reason) = (path.clone(), reason.clone());
                let since = open.shift_remove(&path).map_or(event.at, |before| before.since);
                let wait = Wait { path: path.clone(), reason, request: request(data), data: data.clone(), since };
                open.insert(path, wait);
            }
            EventKind::RunReceived { path, .. } | EventKind::StepRetrying { path, .. } => drop(open.shift_remove(path)),
            kind if kind.ends_step() => {
                // The end of a step does not tell the attempt that waited.
                let ended = kind.path().unwrap_or_default();
                open.retain(|path, _| step_of(path) != ended && path != ended);
            }
            kind if kind.ends_run() => open.clear(),
            _ => {}
        }
    }
    open.into_values().collect()
}

/// The waiting step that a path names, with or without its attempt.
pub(super) fn find<'a>(waits: &'a [Wait], path: &str) -> Option<&'a Wait> {
    waits.iter().find(|wait| wait.path == path || step_of(&wait.path) == path)
}

/// What [`Request::to_value`] was made of.
fn request(data: &Value) -> Request {
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = match text("kind") {
        "signal" => RequestKind::Signal,
        "approval" => RequestKind::Approval,
        "model" => RequestKind::Model,
        _ => RequestKind::Answer,
    };
    let wanted = data.get("schema").map_or(Type::Json, |schema| Type::from_json_schema(&schema.into()));
    Request {
        kind,
        text: text(if kind == RequestKind::Signal { "name" } else { "question" }).into(),
        details: data.get("details").cloned().unwrap_or(Value::Null),
        // The schema holds all that the form does.
        form: data.get("schema").map_or(Value::Null, |schema| schema.get("properties").unwrap_or(schema).clone()),
        wanted,
    }
}
