//! `flow_check` and `flow_run`: scripts that a model writes. Checked against the engine's tools, run within its limits; a
//! script reads no other file.

use serde_json::{Value as Json, json};

use super::call::refused;
use crate::compile::{analyze, compile};
use crate::diagnostic;
use crate::program::Program;
use crate::run::{Engine, Run};
use crate::source::{NoLoader, SourceFile};
use crate::types::Type;
use crate::value::Value;

pub(super) const CHECK: &str = "flow_check";
pub(super) const RUN: &str = "flow_run";

/// What a script is called in messages.
const NAME: &str = "script.flow";

/// Their definitions, in MCP's form.
pub(super) fn definitions() -> [Json; 2] {
    let source = json!({ "type": "string", "description": "The whole text of the script." });
    let check = json!({
        "name": CHECK,
        "description": "Checks a Flow script without running it. Answers its diagnostics (code, message, help, span, fixes); none \
                        is an error where `ok` is true.",
        "inputSchema": {
            "type": "object",
            "properties": { "source": source },
            "required": ["source"],
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "object",
            "properties": { "ok": { "type": "boolean" }, "diagnostics": { "type": "array", "items": { "type": "object" } } },
            "required": ["ok", "diagnostics"],
        },
        "annotations": { "readOnlyHint": true, "idempotentHint": true, "openWorldHint": false },
    });
    let run = json!({
        "name": RUN,
        "description": "Checks a Flow script and runs one of its flows. Answers what the flow returns, or what is wrong.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "source": source,
                "flow": { "type": "string", "description": "The flow to run; may be left out where there is only one, or one named `main`." },
                "input": { "type": "object", "description": "The flow's parameters by name." },
            },
            "required": ["source"],
            "additionalProperties": false,
        },
    });
    [check, run]
}

/// Answers a script's diagnostics.
pub(super) fn check(engine: &Engine, arguments: &Json) -> Result<Json, Json> {
    let source = source(arguments)?;
    let analysis = analyze(source, engine.catalog(), &NoLoader);
    let told = diagnostic::json(&analysis.diagnostics, &analysis.sources);
    Ok(json!({ "ok": !analysis.has_errors(), "diagnostics": told.get("diagnostics") }))
}

/// Starts a flow of a script; tells what it gives, too.
pub(super) fn start(engine: &Engine, arguments: &Json) -> Result<(Run, Type), Json> {
    let program = compile(source(arguments)?, engine.catalog(), &NoLoader)
        .map_err(|wrong| diagnostic::json(&wrong.list, &wrong.sources))?;
    let flow = match arguments.get("flow").and_then(Json::as_str) {
        Some(flow) => flow.to_owned(),
        None => only(&program)?,
    };
    let input = arguments.get("input").cloned().unwrap_or_else(|| json!({}));
    let declared = program.flow(&flow).map_or(Type::Json, |flow| flow.result.clone());
    let run = engine.start(&program.into(), &flow, Value::from(input)).map_err(|error| refused(&error))?;
    Ok((run, declared))
}

fn source(arguments: &Json) -> Result<SourceFile, Json> {
    match arguments.get("source").and_then(Json::as_str) {
        Some(source) => Ok(SourceFile::new(NAME, source)),
        None => Err(wrong("`source` is missing: give the whole text of the script")),
    }
}

fn only(program: &Program) -> Result<String, Json> {
    let flows: Vec<&str> = program.flows.iter().map(|flow| flow.name.as_str()).collect();
    match flows.as_slice() {
        [] => Err(wrong("the script has no flow")),
        [only] => Ok((*only).to_owned()),
        several if several.contains(&"main") => Ok("main".to_owned()),
        several => Err(wrong(&format!("the script has several flows: say which as `flow`: {}", several.join(", ")))),
    }
}

fn wrong(message: &str) -> Json {
    json!({ "error": { "kind": "invalid", "message": message } })
}
