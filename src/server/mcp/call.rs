//! Flows as tools.

use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Tool};
use serde_json::{Value as Json, json};

use super::client::Client;
use super::content::Contents;
use super::{McpServer, scripts, watch};
use crate::orchestrator::{Dialect, external_name, output_schema};
use crate::run::{Run, StartError};
use crate::types::Type;
use crate::value::Value;

/// What became of a call.
enum Called {
    /// A run, what it gives, and whether that's schema was told.
    Running(Run, Type, bool),
    /// An answer, or what is wrong.
    Ended(Result<Json, Json>),
}

impl McpServer {
    pub(super) fn tools(&self) -> Vec<Tool> {
        let is_tool = |name: &str| !self.offer.flows().any(|flow| flow == name);
        let mut tools = self.orchestrator.workflow_definitions(Dialect::Mcp, is_tool);
        if self.scripts {
            tools.extend(scripts::definitions());
        }
        tools.into_iter().filter_map(|tool| serde_json::from_value(tool).ok()).collect()
    }

    pub(super) async fn call(
        &self,
        request: CallToolRequestParams,
        client: &Client,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Json::Object(request.arguments.unwrap_or_default());
        let result = match self.start(&request.name, arguments)? {
            Called::Ended(Ok(answer)) => CallToolResult::structured(answer),
            Called::Ended(Err(why)) => failed(&why),
            Called::Running(run, declared, structured) => match watch::follow(&run, client).await {
                Ok(value) => {
                    let mut result = answered(&value, structured);
                    let contents = Contents::new(self.orchestrator.engine(), &self.offer);
                    result.content.extend(contents.beside(&value, &declared).await);
                    result
                }
                Err(error) => failed(&json!({ "error": Json::from(&error.to_value()) })),
            },
        };
        Ok(result.into())
    }

    /// Starts what was called; what ends at once is answered at once.
    fn start(&self, name: &str, arguments: Json) -> Result<Called, ErrorData> {
        let engine = self.orchestrator.engine();
        match name {
            scripts::CHECK if self.scripts => return Ok(Called::Ended(scripts::check(engine, &arguments))),
            scripts::RUN if self.scripts => {
                return Ok(match scripts::start(engine, &arguments) {
                    Ok((run, declared)) => Called::Running(run, declared, false),
                    Err(why) => Called::Ended(Err(why)),
                });
            }
            _ => {}
        }
        let workflow = self.orchestrator.workflows().find(|workflow| {
            external_name(workflow.name()) == name && !self.offer.flows().any(|flow| flow == workflow.name())
        });
        let Some(workflow) = workflow else {
            return Err(ErrorData::invalid_params(format!("there is no tool `{name}`"), None));
        };
        let declared = workflow.flow().result.clone();
        let structured = output_schema(workflow.flow()).is_some();
        Ok(match self.orchestrator.start_workflow(workflow.name(), Value::from(arguments)) {
            Ok(run) => Called::Running(run, declared, structured),
            Err(error) => Called::Ended(Err(refused(&error))),
        })
    }
}

/// Why a run did not start, for a model to mend its arguments.
pub(super) fn refused(error: &StartError) -> Json {
    let fields = match error {
        StartError::Input(input) => {
            input.fields.iter().map(|it| json!({ "field": it.field, "message": it.message })).collect()
        }
        _ => Vec::new(),
    };
    json!({ "error": { "kind": "invalid", "message": error.to_string(), "fields": fields } })
}

/// A result as text for models, and as data where a schema for it was told.
fn answered(value: &Value, structured: bool) -> CallToolResult {
    let json = Json::from(value);
    if structured {
        return CallToolResult::structured(json);
    }
    let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// Text only: data beside a failure would have to fit the result's schema.
fn failed(why: &Json) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(why.to_string())])
}
