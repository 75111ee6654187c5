//! `time`, `random`, `log`: what every host has.

use serde_json::json;

use crate::tools::standard::{Namespace, reads};
use crate::types::{Annotations, Signature, Type};

pub(super) fn time() -> Namespace {
    let sleep = Signature::new(
        "time.sleep",
        "Waits. In tests, time is virtual and this takes none. It has no timeout of its own.",
        Type::Null,
    )
    .param("duration", Type::Duration, "How long.")
    .annotated(reads());
    let now = Signature::new("time.now", "Tells the time.", Type::Datetime).annotated(Annotations::read_only());
    Namespace::of("time", "The clock. Expressions have none, so that a run can be replayed; steps do.", [sleep, now])
}

pub(super) fn random() -> Namespace {
    let uuid = Signature::new("random.uuid", "Makes a random identifier (UUID, version 4).", Type::String)
        .annotated(Annotations::read_only());
    Namespace::of("random", "Chance.", [uuid])
}

pub(super) fn log() -> Namespace {
    let level = Type::union(["debug", "info", "warning", "error"].map(Type::literal));
    let write = Signature::new("log.write", "Writes a line to the log of the process that runs the flow.", Type::Null)
        .param("message", Type::String, "The line.")
        .optional("level", level, Some(json!("info")), "How much it matters.")
        .optional("fields", Type::Json, None, "More, for programs that read the log.")
        .annotated(Annotations { read_only: Some(false), destructive: Some(false), ..Annotations::default() });
    Namespace::of("log", "The log of the process. To tell the caller of a flow something, `emit` it instead.", [write])
}
