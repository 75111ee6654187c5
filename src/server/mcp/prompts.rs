//! Flows as prompts: a person picks one, and what it returns is put before the model.
//!
//! A result is a message of the user, a list one for each of its items. An item is a text; a picture or file, which goes
//! along itself; `{ resource: URI }`, for one of the server's own; or `{ role, content }` of these.

use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock, ErrorData, GetPromptRequestParams,
    GetPromptResult, Prompt, PromptArgument, PromptMessage, Reference, Role,
};
use serde_json::{Map, Value as Json};

use super::client::Client;
use super::content::{Contents, Handle};
use super::{McpServer, watch};
use crate::orchestrator::{Workflow, external_name, read_text};
use crate::program::{Flow, Param};
use crate::types::{Literal, Type};
use crate::value::Value;

impl McpServer {
    /// The flows that are prompts.
    fn prompt_flows(&self) -> impl Iterator<Item = &Workflow> {
        self.offer.prompts.iter().filter_map(|name| self.orchestrator.workflow(name))
    }

    fn find_prompt(&self, name: &str) -> Result<&Workflow, ErrorData> {
        self.prompt_flows()
            .find(|flow| external_name(flow.name()) == name)
            .ok_or_else(|| ErrorData::invalid_params(format!("there is no prompt `{name}`"), None))
    }

    pub(super) fn prompts(&self) -> Vec<Prompt> {
        let prompt = |workflow: &Workflow| {
            let flow = workflow.flow();
            let arguments = flow.params.iter().map(argument).collect();
            Prompt::new(external_name(workflow.name()), Some(doc(flow)), Some(arguments))
        };
        self.prompt_flows().map(prompt).collect()
    }

    pub(super) async fn prompt(
        &self,
        request: GetPromptRequestParams,
        client: &Client,
    ) -> Result<GetPromptResult, ErrorData> {
        let workflow = self.find_prompt(&request.name)?;
        let value = self.run(workflow, request.arguments.unwrap_or_default(), client).await?;
        let items = match &value {
            Value::List(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut messages = Vec::with_capacity(items.len());
        for item in items {
            messages.push(self.message(item, client).await?);
        }
        Ok(GetPromptResult::new(messages).with_description(doc(workflow.flow())))
    }

    /// Runs a flow with arguments that are texts.
    pub(super) async fn run(
        &self,
        workflow: &Workflow,
        arguments: Map<String, Json>,
        client: &Client,
    ) -> Result<Value, ErrorData> {
        let flow = workflow.flow();
        let given = arguments.into_iter().map(|(name, json)| {
            let param = flow.params.iter().find(|param| param.name == name);
            let value = match (param, json.as_str()) {
                (Some(param), Some(text)) => given(text, &param.ty),
                _ => Value::from(json),
            };
            (name.as_str().into(), value)
        });
        let input = Value::record(given);
        let run = self.orchestrator.start_workflow(workflow.name(), input);
        let run = run.map_err(|wrong| ErrorData::invalid_params(wrong.to_string(), None))?;
        watch::follow(&run, client).await.map_err(|error| ErrorData::internal_error(error.to_string(), None))
    }

    async fn message(&self, item: &Value, client: &Client) -> Result<PromptMessage, ErrorData> {
        let role = match item.get("role").and_then(Value::as_str) {
            Some("assistant") => Role::Assistant,
            _ => Role::User,
        };
        let said = item.get("content").filter(|_| item.get("role").is_some()).unwrap_or(item);
        let content = match (said.as_str(), Handle::of(said), said.get("resource").and_then(Value::as_str)) {
            (Some(text), ..) => ContentBlock::text(text),
            (None, Some(handle), _) => Contents::new(self.orchestrator.engine(), &self.offer).asked(handle).await,
            (None, None, Some(uri)) => {
                let read = Box::pin(self.read(uri, client)).await?;
                let contents = read.contents.into_iter().next();
                contents.map_or_else(|| ContentBlock::text(""), ContentBlock::resource)
            }
            _ => ContentBlock::text(said.to_json_text()),
        };
        Ok(PromptMessage::new(role, content))
    }

    /// What an argument of a prompt or a variable of a template may be.
    pub(super) fn completion(&self, request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
        let workflow = match &request.r#ref {
            Reference::Prompt(prompt) => Some(self.find_prompt(&prompt.name)?),
            Reference::Resource(template) => {
                self.resources.flow_of(&template.uri).and_then(|flow| self.orchestrator.workflow(flow))
            }
            _ => None,
        };
        let params = workflow.map(|workflow| workflow.flow().params.as_slice()).unwrap_or_default();
        let param = params.iter().find(|param| param.name == request.argument.name);
        let begun = request.argument.value.to_lowercase();
        let mut values = param.map(|param| choices(&param.ty)).unwrap_or_default();
        values.retain(|value| value.to_lowercase().starts_with(&begun));
        values.truncate(CompletionInfo::MAX_VALUES);
        let completion = CompletionInfo::with_all_values(values).map_err(|why| ErrorData::internal_error(why, None))?;
        Ok(CompleteResult::new(completion))
    }
}

fn doc(flow: &Flow) -> String {
    let doc = flow.doc.trim();
    if doc.is_empty() { format!("The flow `{}`.", flow.name) } else { doc.to_owned() }
}

fn argument(param: &Param) -> PromptArgument {
    let argument = PromptArgument::new(param.name.as_str()).with_required(!param.optional);
    let doc = param.doc.trim();
    if doc.is_empty() { argument } else { argument.with_description(doc) }
}

/// A text as the value of a parameter; one that is none is left to the engine, which says so.
fn given(text: &str, ty: &Type) -> Value {
    match ty.without_null() {
        Type::String => text.into(),
        ty => read_text(text, &ty).unwrap_or_else(|| text.into()),
    }
}

/// The values of a type that has few.
fn choices(ty: &Type) -> Vec<String> {
    let of = |ty: &Type| match ty {
        Type::Bool => vec!["true".to_owned(), "false".to_owned()],
        Type::Literal(Literal::String(text)) => vec![text.to_string()],
        Type::Literal(Literal::Int(int)) => vec![int.to_string()],
        Type::Literal(Literal::Bool(bool)) => vec![bool.to_string()],
        _ => Vec::new(),
    };
    ty.members().iter().flat_map(of).collect()
}
