//! Chat completions as OpenAI made them and many services copy them:
//! <https://platform.openai.com/docs/api-reference/chat>.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::run::ToolError;
use crate::tools::api::explanation;
use crate::tools::llm::chat::{Answer, Heard};
use crate::tools::llm::prompts::{Prompt, Turn, json_only};
use crate::tools::llm::{JsonMode, Model, object};
use crate::value::ErrorKind;

pub(super) fn request(model: &Model, prompt: &Prompt, stream: bool) -> Json {
    let mut system = prompt.system.clone();
    if let (Some(schema), JsonMode::Prompt) = (&prompt.schema, model.json) {
        system = Some(format!("{}\n\n{}", system.unwrap_or_default(), json_only(schema)));
    }
    let system = system.map(|text| json!({ "role": "system", "content": text }));
    let turn = |turn: &Turn| json!({ "role": turn.role.name(), "content": turn.text });
    let messages: Json = system.into_iter().chain(prompt.turns.iter().map(turn)).collect();
    let mut body = object([("model", model.name.as_str().into()), ("messages", messages)]);
    // The newer name; a model of a service that knows the older one only has that among its parameters.
    if !model.parameters.contains_key("max_tokens") {
        body.extend(object([("max_completion_tokens", prompt.max_tokens.into())]));
    }
    if let (Some(schema), JsonMode::Schema) = (&prompt.schema, model.json) {
        // Not `strict`: that takes only a part of JSON Schema, and the answer is checked here anyway.
        let format = json!({ "name": "answer", "schema": schema, "strict": false });
        body.extend(object([("response_format", json!({ "type": "json_schema", "json_schema": format }))]));
    }
    if stream {
        body.extend(object([("stream", true.into()), ("stream_options", json!({ "include_usage": true }))]));
    }
    body.extend(model.parameters.clone());
    body.into()
}

#[derive(Deserialize)]
pub(super) struct Completion {
    choices: Vec<Choice>,
    usage: Option<Spent>,
}

#[derive(Deserialize)]
struct Choice {
    /// Of a whole answer.
    #[serde(default)]
    message: Said,
    /// Of a stream.
    #[serde(default)]
    delta: Said,
    finish_reason: Option<String>,
}

/// `content` is null beside a refusal, and where the model wanted to use a tool.
#[derive(Deserialize, Default)]
struct Said {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
#[allow(clippy::struct_field_names, reason = "as the API has them")]
struct Spent {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

impl Completion {
    pub(super) fn into_answer(self, answer: &mut Answer) {
        if let Some(usage) = self.usage {
            answer.input_tokens = usage.prompt_tokens;
            answer.output_tokens = usage.completion_tokens;
        }
        let Some(choice) = self.choices.into_iter().next() else { return };
        for said in [choice.message, choice.delta] {
            answer.text.push_str(&said.content.unwrap_or_default());
            if let Some(refusal) = said.refusal.filter(|refusal| !refusal.is_empty()) {
                answer.refusal.get_or_insert_default().push_str(&refusal);
            }
        }
        answer.stop = choice.finish_reason.or(answer.stop.take());
    }
}

/// Takes in an event of a stream. The one with the usage comes last and has no choices.
pub(super) fn hear(data: &str, answer: &mut Answer) -> serde_json::Result<Heard> {
    if data == "[DONE]" {
        return Ok(Heard::End);
    }
    match serde_json::from_str::<Completion>(data) {
        Ok(chunk) => chunk.into_answer(answer),
        Err(why) => match explanation(data.as_bytes()) {
            Some(said) => {
                let mut error = ToolError::new(ErrorKind::Tool, format!("the model's service broke off: {said}"));
                error.retryable = true;
                return Ok(Heard::Failed(error));
            }
            None => return Err(why),
        },
    }
    Ok(Heard::More)
}
