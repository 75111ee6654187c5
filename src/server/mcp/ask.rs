//! What a run waits for, asked of the client: a person's answer by a form (`elicitation/create`), a model's by its
//! messages (`sampling/createMessage`).

#![allow(deprecated, reason = "clients of the protocol as it is spoken today lend their models so")]

use rmcp::model::{
    CancelledNotificationParam, ClientResult, CreateMessageRequest, CreateMessageRequestParams, ElicitRequest,
    ElicitRequestParams, ElicitationAction, ModelHint, ModelPreferences, RequestId, SamplingMessage, ServerRequest,
};
use rmcp::service::{Peer, PeerRequestOptions, RoleServer, ServiceError};
use serde_json::{Value as Json, json};

use super::client::Client;
use super::form::Form;
use crate::run::{AnswerError, Request, RequestKind, Run, Waiting};
use crate::value::Value;

/// How often a person is asked whose answers do not fit.
const TRIES: usize = 3;

/// Asks, and gives the run the answer, or says why there is none.
pub(super) async fn ask(run: &Run, waiting: Waiting, client: &Client) {
    let Waiting { path, request } = waiting;
    let refused = match request.kind {
        RequestKind::Signal => Err("an MCP client that calls a flow sends it no signals".to_owned()),
        RequestKind::Model if !client.lends() => {
            Err("the MCP client lends no model: it has not the capability `sampling`".to_owned())
        }
        RequestKind::Model => model(&request, client).await.map(|said| answer(run, &path, said)),
        _ if !client.asks() => {
            Err("nobody can be asked: the MCP client has not the capability `elicitation`".to_owned())
        }
        _ => person(run, &path, &request, client).await.map(Ok),
    };
    let refused = refused.and_then(|given| given);
    if let Err(why) = refused {
        // A step that does not wait any more needs no answer.
        let _ = run.decline(&path, &why);
    }
}

/// Gives an answer. The error is one that does not fit.
fn answer(run: &Run, path: &str, value: Value) -> Result<(), String> {
    match run.answer(path, value) {
        Err(error @ AnswerError::Misfit(_)) => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Puts a form before the client's person until an answer fits.
async fn person(run: &Run, path: &str, request: &Request, client: &Client) -> Result<(), String> {
    let form = Form::of(request)?;
    let question = question(request);
    let mut wrong = String::new();
    for _ in 0..TRIES {
        let message = if wrong.is_empty() { question.clone() } else { format!("{question}\n\n{wrong}") };
        let params =
            ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema: form.schema.clone() };
        let asked = ServerRequest::ElicitRequest(ElicitRequest::new(params));
        let ClientResult::ElicitResult(said) = send(asked, client).await? else {
            return Err("the MCP client answered with something else than what was asked for".to_owned());
        };
        match said.action {
            ElicitationAction::Accept => {}
            // Who declines to approve says no.
            ElicitationAction::Decline if request.kind == RequestKind::Approval => {
                return answer(run, path, Value::Bool(false));
            }
            ElicitationAction::Decline => return Err("the person declined to answer".to_owned()),
            _ => return Err("the person dismissed the question".to_owned()),
        }
        match answer(run, path, form.answer(said.content.unwrap_or_else(|| json!({})))) {
            Ok(()) => return Ok(()),
            Err(why) => wrong = why,
        }
    }
    Err(format!("the person's answers did not fit: {wrong}"))
}

fn question(request: &Request) -> String {
    match &request.details {
        Value::Null => request.text.to_string(),
        Value::String(details) => format!("{}\n\n{details}", request.text),
        details => {
            format!("{}\n\n{}", request.text, serde_json::to_string_pretty(&Json::from(details)).unwrap_or_default())
        }
    }
}

/// Asks the client's model.
async fn model(request: &Request, client: &Client) -> Result<Value, String> {
    let details = Json::from(&request.details);
    let text = |of: &Json, name: &str| of.get(name).and_then(Json::as_str).map(str::to_owned);
    let messages = details.get("messages").and_then(Json::as_array).into_iter().flatten();
    let messages = messages.map(|message| {
        let said = text(message, "text").unwrap_or_default();
        match message.get("role").and_then(Json::as_str) {
            Some("assistant") => SamplingMessage::assistant_text(said),
            _ => SamplingMessage::user_text(said),
        }
    });
    let max_tokens = details.get("max_tokens").and_then(Json::as_u64).and_then(|tokens| u32::try_from(tokens).ok());
    let mut params = CreateMessageRequestParams::new(messages.collect(), max_tokens.unwrap_or(4096));
    params.system_prompt = text(&details, "system");
    params.model_preferences = text(&details, "model").map(|name| {
        let mut preferences = ModelPreferences::new();
        preferences.hints = Some(vec![ModelHint::new(name)]);
        preferences
    });
    let asked = ServerRequest::CreateMessageRequest(CreateMessageRequest::new(params));
    let ClientResult::CreateMessageResult(said) = send(asked, client).await? else {
        return Err("the MCP client answered with something else than its model's words".to_owned());
    };
    let words: Vec<String> =
        said.message.content.into_vec().iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect();
    let answer = json!({ "text": words.join("\n"), "stop": said.stop_reason, "model": said.model });
    Ok(answer.into())
}

/// Sends a request to the client. One that is dropped is cancelled there: its form closes.
async fn send(request: ServerRequest, client: &Client) -> Result<ClientResult, String> {
    let refused = |error: ServiceError| match error {
        ServiceError::McpError(said) => format!("the MCP client refused: {}", said.message),
        other => format!("the MCP client did not answer: {other}"),
    };
    let sent = client.peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await;
    let handle = sent.map_err(refused)?;
    let mut open = Open { peer: Some(&client.peer), id: handle.id.clone() };
    let answer = handle.await_response().await;
    open.peer = None;
    answer.map_err(refused)
}

/// A request that is not answered yet.
struct Open<'a> {
    peer: Option<&'a Peer<RoleServer>>,
    id: RequestId,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Some(peer) = self.peer.cloned() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let cancelled =
            CancelledNotificationParam::new(Some(self.id.clone()), Some("nobody waits for the answer".to_owned()));
        runtime.spawn(async move { peer.notify_cancelled(cancelled).await });
    }
}
