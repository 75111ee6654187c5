//! Workflows and tools as function definitions for a model, in the form that each API wants.

use serde_json::{Map, Value as Json, json};

use super::{Orchestrator, Workflow};
use crate::program::{Expr, Flow};
use crate::types::{Signature, Text, Type};

/// Whose form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `tools` of the Anthropic Messages API.
    Anthropic,
    /// `tools` of OpenAI's chat completions and what is compatible with it.
    OpenAi,
    /// `tools` of an MCP server's `tools/list`.
    Mcp,
}

/// The longest name that every API takes.
const LONGEST_NAME: usize = 64;

/// The name under which a tool or workflow is told to a model: APIs take letters, digits, `_` and `-` only, so the dot of
/// `web.scrape` is written `web__scrape`. One that is too long is cut and ends in a hash of the whole.
pub fn external_name(name: &str) -> String {
    let plain = name.replace('.', "__");
    if plain.len() <= LONGEST_NAME {
        return plain;
    }
    let hash = crate::run::ports::hex_sha256(&[name.as_bytes()]);
    let (start, end) = (plain.get(..LONGEST_NAME - 9).unwrap_or(&plain), hash.get(..8).unwrap_or_default());
    format!("{start}_{end}")
}

/// The JSON Schema of a workflow's input: a closed object with a property for each parameter.
pub fn input_schema(flow: &Flow) -> Json {
    object(properties(flow), None)
}

/// The same, with each record that has a name among the schema's definitions, for readers that follow references.
fn input_schema_with_definitions(flow: &Flow) -> Json {
    let mut definitions = Map::new();
    let mut schema = object(properties(flow), Some(&mut definitions));
    if let (Some(schema), false) = (schema.as_object_mut(), definitions.is_empty()) {
        // Readers of older drafts look for definitions elsewhere.
        schema.shift_insert(0, "$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("$defs".into(), definitions.into());
    }
    schema
}

fn properties(flow: &Flow) -> impl Iterator<Item = Property<'_>> {
    flow.params.iter().map(|param| {
        let default = match &param.default {
            Some(Expr::Const(constant)) => Some(Json::from(&constant.0)),
            _ => None,
        };
        Property { name: &param.name, ty: &param.ty, doc: &param.doc, required: !param.optional, default }
    })
}

/// The JSON Schema of what a workflow gives; none where it is no object, which is all that MCP can declare.
pub fn output_schema(flow: &Flow) -> Option<Json> {
    matches!(flow.result, Type::Record(_) | Type::Image | Type::File | Type::Map(_))
        .then(|| flow.result.to_json_schema())
}

impl Orchestrator {
    /// Every workflow, and the tools that `include` wants, as definitions. A call of one is answered by [`Orchestrator::execute`].
    pub fn definitions(&self, dialect: Dialect, include: impl Fn(&Signature) -> bool) -> Vec<Json> {
        let workflows = self.workflow_definitions(dialect, |_| true);
        let tools = self.engine.catalog().iter().filter(|tool| include(tool)).map(|tool| of_tool(tool, dialect));
        workflows.into_iter().chain(tools).collect()
    }

    /// The workflows that `include` wants, by their names.
    pub fn workflow_definitions(&self, dialect: Dialect, include: impl Fn(&str) -> bool) -> Vec<Json> {
        let workflows = self.workflows().filter(|workflow| include(workflow.name()));
        workflows.map(|workflow| of_workflow(workflow, dialect)).collect()
    }
}

fn of_workflow(workflow: &Workflow, dialect: Dialect) -> Json {
    let flow = workflow.flow();
    // Some clients refuse a tool without a description.
    let mut doc =
        if flow.doc.trim().is_empty() { format!("The flow `{}`.", flow.name) } else { flow.doc.trim().to_owned() };
    if let Some(trigger) = flow.triggers.first() {
        doc.push_str(&format!("\nFor requests like: {trigger}"));
    }
    let input = if dialect == Dialect::Mcp { input_schema_with_definitions(flow) } else { input_schema(flow) };
    define(workflow.name(), doc.trim(), input, output_schema(flow), dialect)
}

fn of_tool(tool: &Signature, dialect: Dialect) -> Json {
    let params = tool.params.iter().map(|param| Property {
        name: &param.name,
        ty: &param.ty,
        doc: &param.doc,
        required: param.required,
        default: param.default.clone(),
    });
    let input = object(params, None);
    let output = matches!(tool.result, Type::Record(_)).then(|| tool.result.to_json_schema());
    define(&tool.name, &tool.doc, input, output, dialect)
}

fn define(name: &str, doc: &str, input: Json, output: Option<Json>, dialect: Dialect) -> Json {
    let name = external_name(name);
    match dialect {
        Dialect::Anthropic => json!({ "name": name, "description": doc, "input_schema": input }),
        Dialect::OpenAi => json!({
            "type": "function",
            "function": { "name": name, "description": doc, "parameters": input },
        }),
        Dialect::Mcp => {
            let mut tool = json!({ "name": name, "description": doc, "inputSchema": input });
            if let (Some(output), Some(tool)) = (output, tool.as_object_mut()) {
                tool.insert("outputSchema".into(), output);
            }
            tool
        }
    }
}

struct Property<'a> {
    name: &'a Text,
    ty: &'a Type,
    doc: &'a str,
    required: bool,
    default: Option<Json>,
}

fn object<'a>(of: impl Iterator<Item = Property<'a>>, mut definitions: Option<&mut Map<String, Json>>) -> Json {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for property in of {
        let mut schema = match definitions.as_deref_mut() {
            Some(definitions) => property.ty.to_json_schema_with(definitions),
            None => property.ty.to_json_schema(),
        };
        if let Some(schema) = schema.as_object_mut() {
            let doc = match property.ty.without_null() {
                Type::Secret => "The name of a configured secret, never its value.",
                Type::Schema(_) => "The JSON Schema of what is wanted.",
                _ => property.doc.trim(),
            };
            if !doc.is_empty() {
                schema.insert("description".into(), doc.into());
            }
            if let Some(default) = property.default {
                schema.insert("default".into(), default);
            }
        }
        if property.required {
            required.push(property.name.as_str());
        }
        properties.insert(property.name.to_string(), schema);
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Engine;
    use crate::source::{NoLoader, SourceFile};

    #[test]
    fn names_fit_every_api() {
        assert_eq!(external_name("web.scrape"), "web__scrape");
        let long = external_name(&format!("a.{}", "b".repeat(100)));
        assert_eq!(long.len(), 64);
        assert_ne!(long, external_name(&format!("a.{}", "b".repeat(101))));
    }

    #[test]
    fn each_dialect_has_its_form() {
        let mut orchestrator = Orchestrator::new(Engine::builder().build().expect("an engine"));
        let source = "/// Doubles.\n@trigger(\"double {n}\")\nflow double(n: int,\n/// How often.\ntimes: int = 1) -> { n: int } { return { n: n * 2 * times } }";
        orchestrator.add(SourceFile::new("a.flow", source), &NoLoader).expect("a clean source");
        let input = json!({
            "type": "object",
            "properties": { "n": { "type": "integer" }, "times": { "type": "integer", "description": "How often.", "default": 1 } },
            "required": ["n"],
            "additionalProperties": false,
        });
        let of = |dialect| orchestrator.definitions(dialect, |_| false).remove(0);
        let doc = "Doubles.\nFor requests like: double {n}";
        assert_eq!(of(Dialect::Anthropic), json!({ "name": "double", "description": doc, "input_schema": input }));
        assert_eq!(of(Dialect::OpenAi)["function"]["parameters"], input);
        assert_eq!(of(Dialect::Mcp)["inputSchema"], input);
        assert_eq!(of(Dialect::Mcp)["outputSchema"]["properties"]["n"], json!({ "type": "integer" }));
        let tools = orchestrator.definitions(Dialect::Mcp, |tool| tool.name == "time.sleep");
        assert_eq!(tools[1]["name"], "time__sleep");
    }
}
