//! `llm.extract`: an answer that fits a type. It is checked here, so that a model that got it wrong is told what is
//! wrong and may mend it, once.

use serde_json::{Value as Json, json};

use crate::run::{ToolContext, ToolError};
use crate::tools::args::{Args, invalid};
use crate::tools::llm::chat::Chat;
use crate::tools::llm::prompts::Prompt;
use crate::types::Type;
use crate::value::{ErrorKind, Value};

/// APIs ask for an object; a type that is none stands in this field of one.
const FIELD: &str = "value";

pub(super) async fn extract(chat: &Chat, args: Args<'_>, context: ToolContext<'_>) -> Result<Value, ToolError> {
    let schema = args.get("into").map(Json::from).ok_or_else(|| invalid("`into` must be a schema, found nothing"))?;
    let wanted = Wanted { ty: Type::from_json_schema(&schema), wrapped: schema.get("properties").is_none() };
    let asked_for = if wanted.wrapped { in_an_object(schema) } else { schema };
    let instruction = args.optional_text("instruction")?.unwrap_or_default();
    let mut prompt = Prompt::extract(args.text("text")?, instruction, asked_for, chat.model.max_tokens);
    let first = chat.ask(&prompt, context).await?;
    let wrong = match wanted.read(&first) {
        Ok(value) => return Ok(value),
        Err(wrong) => wrong,
    };
    tracing::debug!(target: "flow", path = context.path, wrong, "the model's answer does not fit and is sent back");
    prompt.reply(first, format!("That does not fit the schema: {wrong}. Give all of it again, mended."));
    let second = chat.ask(&prompt, context).await?;
    wanted.read(&second).map_err(|wrong| {
        let excerpt: String = second.chars().take(2_000).collect();
        let message =
            format!("the answer of `{}` does not fit, and did not after it was mended: {wrong}", chat.model.name);
        ToolError::new(ErrorKind::Invalid, message).details(Value::record_of([("answer", excerpt.into())]))
    })
}

/// What the answer must be.
struct Wanted {
    ty: Type,
    wrapped: bool,
}

impl Wanted {
    /// The value in an answer, or what is wrong with it, in words for the model.
    fn read(&self, answer: &str) -> Result<Value, String> {
        let json: Json = serde_json::from_str(bare(answer)).map_err(|why| format!("it is not JSON ({why})"))?;
        let mut value = Value::from(json);
        if self.wrapped {
            value = value.get(FIELD).cloned().ok_or_else(|| format!("the field `{FIELD}` is missing"))?;
        }
        value.conform(&self.ty).map_err(|misfit| misfit.to_string())
    }
}

fn in_an_object(schema: Json) -> Json {
    json!({ "type": "object", "properties": { FIELD: schema }, "required": [FIELD], "additionalProperties": false })
}

/// JSON without the code fence that models like to put around it.
fn bare(answer: &str) -> &str {
    let answer = answer.trim();
    let Some(fenced) = answer.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return answer };
    fenced.split_once('\n').map_or(fenced, |(_, json)| json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_or_without_their_fence() {
        let wanted = Wanted { ty: Type::list(Type::Int), wrapped: true };
        let all = [r#"{"value":[1,2]}"#, "```json\n{\"value\": [1, 2]}\n```", "  {\"value\": [1.0, 2]} \n"];
        for answer in all {
            assert_eq!(wanted.read(answer), Ok(Value::list([Value::Int(1), Value::Int(2)])), "{answer}");
        }
        assert_eq!(wanted.read("[1]"), Err("the field `value` is missing".to_owned()));
        assert_eq!(
            wanted.read(r#"{"value":[1,"2"]}"#),
            Err("expected an int, found the string \"2\" at `[1]`".to_owned())
        );
        assert!(wanted.read("I cannot").is_err_and(|wrong| wrong.starts_with("it is not JSON")));
    }
}
