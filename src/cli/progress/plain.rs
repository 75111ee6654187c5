//! A run's progress line by line, for pipes and logs: what began (blocks only), what was retried, how each step ended.

use std::time::Duration;

use super::super::output::{brief, count};
use super::tree::{Tree, one_line};
use crate::run::{Event, EventKind};

/// The line that an event is worth, if it is worth one. The tree has taken the event already.
pub(super) fn line(event: &Event, tree: &Tree) -> Option<String> {
    let took = |millis: &u64| brief(Duration::from_millis(*millis));
    // A step without a title goes by its name, with which its path ends.
    let named = |path: &str| match tree.label(path) {
        Some(label) if !path.ends_with(label) => format!("{path} ({label})"),
        _ => path.to_owned(),
    };
    Some(match &event.kind {
        EventKind::RunStarted { run, flow, .. } => format!("run        {flow} started, {run}"),
        EventKind::StepStarted { path, items: Some(items), attempt: 1, .. } => {
            format!("started    {}, {}", named(path), count(*items as usize, "item"))
        }
        EventKind::StepRetrying { path, error, wait_ms, .. } => {
            format!("retrying   {} in {}: {}: {}", named(path), took(wait_ms), error.kind, one_line(&error.message))
        }
        EventKind::StepOutput { path, .. } if tree.logs(path) => return None,
        EventKind::StepOutput { path, output } => {
            format!("output     {}: {}", named(path), one_line(&output.to_json_text()))
        }
        EventKind::StepCompleted { path, duration_ms, .. } => {
            format!("completed  {} in {}", named(path), took(duration_ms))
        }
        EventKind::StepFailed { path, error, duration_ms, .. } => {
            let tries = if error.attempts > 1 { format!(", {} attempts", error.attempts) } else { String::new() };
            let why = one_line(&error.message);
            format!("failed     {} in {}{tries}: {}: {why}", named(path), took(duration_ms), error.kind)
        }
        EventKind::StepSkipped { path } => format!("skipped    {}", named(path)),
        EventKind::StepCancelled { path, duration_ms } => {
            format!("cancelled  {} in {}", named(path), took(duration_ms))
        }
        EventKind::Emitted { path, value } => format!("emitted    {path}: {}", value.to_json_text()),
        EventKind::RunWaiting { path, reason, .. } => format!("waiting    {}: {reason}", named(path)),
        EventKind::RunReceived { path, declined: None, .. } => format!("received   {}", named(path)),
        EventKind::RunReceived { path, declined: Some(why), .. } => {
            format!("declined   {}: {}", named(path), one_line(why))
        }
        EventKind::RunSignalled { name, .. } => format!("signalled  {name}"),
        EventKind::RunCancelling { .. } => "cancelling".to_owned(),
        EventKind::RunResumed => "resumed".to_owned(),
        EventKind::StepCaught { path, error, .. } => {
            format!("caught     {}: {}: {}", named(path), error.kind, one_line(&error.message))
        }
        EventKind::StepStarted { .. }
        | EventKind::StepReturned { .. }
        | EventKind::StepExpired { .. }
        | EventKind::StepStopped { .. }
        | EventKind::RunCompleted { .. }
        | EventKind::RunFailed { .. }
        | EventKind::RunCancelled { .. } => return None,
    })
}
