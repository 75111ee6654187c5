//! `vercel`: deployments.

use serde_json::json;

use crate::tools::standard::Namespace;
use crate::types::{Annotations, Signature, Type};

/// A deployment's states, as <https://vercel.com/docs/rest-api/deployments> has them.
const STATES: [&str; 8] = ["QUEUED", "INITIALIZING", "BUILDING", "READY", "ERROR", "CANCELED", "BLOCKED", "DELETED"];

pub(super) fn namespace() -> Namespace {
    Namespace::of("vercel", "Deployments on Vercel.", [deployments(), deployment(), logs()])
}

fn state() -> Type {
    Type::union(STATES.map(Type::literal)).named("DeploymentState")
}

fn a_deployment() -> Type {
    let commit =
        Type::record_of([("sha", Type::String), ("message", Type::String), ("branch", Type::String)]).named("Commit");
    Type::record_of([
        ("id", Type::String),
        ("project", Type::String),
        ("url", Type::Url),
        ("state", state()),
        ("target", Type::union(["production", "preview"].map(Type::literal)).or_null()),
        ("created_at", Type::Datetime),
        ("ready_at", Type::Datetime.or_null()),
        ("creator", Type::String.or_null()),
        ("commit", commit.or_null()),
        ("error", Type::String.or_null()),
    ])
    .named("Deployment")
}

fn deployments() -> Signature {
    Signature::new("vercel.deployments", "Lists a project's deployments, the newest first.", Type::list(a_deployment()))
        .param("project", Type::String, "The project's name or id.")
        .optional("limit", Type::Int, Some(json!(20)), "How many at most.")
        .optional("state", state(), None, "Only those in this state.")
        .annotated(Annotations::read_only())
}

fn deployment() -> Signature {
    Signature::new("vercel.deployment", "Looks at one deployment.", a_deployment())
        .param("id", Type::String, "Its id, or its address without `https://`.")
        .annotated(Annotations::read_only())
}

fn logs() -> Signature {
    let line = Type::record_of([
        ("at", Type::Datetime),
        ("level", Type::union(["info", "warning", "error"].map(Type::literal))),
        ("source", Type::String),
        ("text", Type::String),
    ])
    .named("LogLine");
    Signature::new("vercel.logs", "Reads a deployment's build log, the oldest line first.", Type::list(line))
        .param("id", Type::String, "The deployment's id.")
        .optional("limit", Type::Int, Some(json!(100)), "How many lines at most, counted from the end.")
        .annotated(Annotations::read_only())
}
