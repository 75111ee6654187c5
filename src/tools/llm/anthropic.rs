//! Anthropic's Messages API: <https://docs.anthropic.com/en/api/messages>, and its streams:
//! <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::run::ToolError;
use crate::tools::llm::chat::{Answer, Heard};
use crate::tools::llm::prompts::{Prompt, Turn, json_only};
use crate::tools::llm::{JsonMode, Model, object};
use crate::value::ErrorKind;

/// The tool through which a model gives JSON.
const GIVE: &str = "give";

pub(super) fn request(model: &Model, prompt: &Prompt, stream: bool) -> Json {
    let turn = |turn: &Turn| json!({ "role": turn.role.name(), "content": turn.text });
    let mut body = object([
        ("model", model.name.as_str().into()),
        ("max_tokens", prompt.max_tokens.into()),
        ("messages", prompt.turns.iter().map(turn).collect()),
    ]);
    let mut system = prompt.system.clone();
    match (&prompt.schema, model.json) {
        (Some(schema), JsonMode::Schema) => {
            let description = "Gives the facts that were found.";
            body.extend(object([
                ("tools", json!([{ "name": GIVE, "description": description, "input_schema": schema }])),
                ("tool_choice", json!({ "type": "tool", "name": GIVE })),
            ]));
        }
        (Some(schema), JsonMode::Prompt) => {
            system = Some(format!("{}\n\n{}", system.unwrap_or_default(), json_only(schema)));
        }
        (None, _) => {}
    }
    body.extend(system.map(|system| ("system".to_owned(), system.into())));
    if stream {
        body.extend(object([("stream", true.into())]));
    }
    body.extend(model.parameters.clone());
    body.into()
}

#[derive(Deserialize)]
pub(super) struct Message {
    content: Vec<Block>,
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Spent,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        input: Json,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize, Default)]
#[allow(clippy::struct_field_names, reason = "as the API has them")]
struct Spent {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Spent {
    /// Numbers of a stream are totals so far, and those that are left out have not changed.
    fn count(&self, answer: &mut Answer) {
        let cached = self.cache_creation_input_tokens.unwrap_or(0) + self.cache_read_input_tokens.unwrap_or(0);
        if let Some(input) = self.input_tokens {
            answer.input_tokens = input + cached;
        }
        answer.output_tokens = self.output_tokens.unwrap_or(answer.output_tokens);
    }
}

impl Message {
    pub(super) fn into_answer(self, answer: &mut Answer) {
        self.usage.count(answer);
        answer.stop = self.stop_reason;
        for block in self.content {
            match block {
                Block::Text { text } => answer.text.push_str(&text),
                // What it gives through the tool is the answer, whatever it said before.
                Block::ToolUse { input } => {
                    answer.text = input.to_string();
                    break;
                }
                Block::Other => {}
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Started,
    },
    ContentBlockDelta {
        delta: Delta,
    },
    MessageDelta {
        delta: Stopped,
        #[serde(default)]
        usage: Spent,
    },
    MessageStop,
    Error {
        error: Failure,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    usage: Spent,
}

#[derive(Deserialize)]
struct Delta {
    text: Option<String>,
}

#[derive(Deserialize)]
struct Stopped {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    message: String,
}

/// Takes in an event of a stream.
pub(super) fn hear(data: &str, answer: &mut Answer) -> serde_json::Result<Heard> {
    match serde_json::from_str(data)? {
        Event::MessageStart { message } => message.usage.count(answer),
        Event::ContentBlockDelta { delta } => answer.text.push_str(&delta.text.unwrap_or_default()),
        Event::MessageDelta { delta, usage } => {
            usage.count(answer);
            answer.stop = delta.stop_reason.or(answer.stop.take());
        }
        Event::MessageStop => return Ok(Heard::End),
        Event::Error { error } => return Ok(Heard::Failed(error.into())),
        Event::Other => {}
    }
    Ok(Heard::More)
}

/// The errors that a stream may end with: <https://docs.anthropic.com/en/api/errors>.
impl From<Failure> for ToolError {
    fn from(failure: Failure) -> Self {
        let (kind, retryable) = match failure.kind.as_str() {
            "rate_limit_error" => (ErrorKind::RateLimit, true),
            "timeout_error" => (ErrorKind::Timeout, true),
            "authentication_error" | "permission_error" | "billing_error" => (ErrorKind::Denied, false),
            "overloaded_error" | "api_error" => (ErrorKind::Tool, true),
            _ => (ErrorKind::Tool, false),
        };
        let mut error = ToolError::new(
            kind,
            format!("the model's service broke the answer off with `{}`: {}", failure.kind, failure.message),
        );
        error.retryable = retryable;
        error
    }
}
