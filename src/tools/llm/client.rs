//! The model of whoever runs the flow: asked at the run's desk, where an MCP client lends its own. The run waits for it as
//! it waits for a person, and keeps the answer as it keeps theirs.

use serde_json::json;

use crate::run::{Request, RequestKind, ToolContext, ToolError};
use crate::tools::llm::Model;
use crate::tools::llm::chat::Answer;
use crate::tools::llm::prompts::{Prompt, Turn, json_only};
use crate::types::{Field, Type};
use crate::value::Value;

/// Asks. The request's details are `{ system, messages: [{ role, text }], max_tokens, model }`; the answer is
/// `{ text, stop?, model? }`.
pub(super) async fn ask(
    model: &Model,
    prompt: &Prompt,
    answer: &mut Answer,
    context: ToolContext<'_>,
) -> Result<(), ToolError> {
    // Nothing but words holds such a model to JSON.
    let schema = prompt.schema.as_ref().map(json_only);
    let system: Vec<String> = prompt.system.iter().cloned().chain(schema).collect();
    let messages: Vec<_> =
        prompt.turns.iter().map(|Turn { role, text }| json!({ "role": role.name(), "text": text })).collect();
    let details = json!({
        "system": (!system.is_empty()).then(|| system.join("\n\n")),
        "messages": messages,
        "max_tokens": prompt.max_tokens,
        "model": model.name,
    });
    let request = Request {
        kind: RequestKind::Model,
        text: model.name.as_str().into(),
        details: details.into(),
        wanted: wanted(),
        form: Value::Null,
    };
    let said = context.desk.wait(request).await?;
    let text = |name| said.get(name).and_then(Value::as_str).map(str::to_owned);
    answer.text = text("text").unwrap_or_default();
    // MCP's word for it.
    answer.stop = text("stop").map(|stop| if stop == "maxTokens" { "max_tokens".to_owned() } else { stop });
    Ok(())
}

fn wanted() -> Type {
    let optional = || Field::optional(Type::String);
    Type::record([
        ("text".into(), Field::required(Type::String)),
        ("stop".into(), optional()),
        ("model".into(), optional()),
    ])
}
