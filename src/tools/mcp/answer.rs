//! What servers answer, as values and errors.
//!
//! A result is its `structuredContent` where it has one. Else its content: a single block is its value, several texts are
//! one text (or a list, where each is JSON), and texts with pictures or files are `{ text, images, files }`. A text is
//! taken as JSON where the tool's result is declared as something else than a string; where nothing is declared, where it
//! is an object or a list.
//!
//! Servers tell failures in four forms: `isError`, a JSON-RPC error, a text that says so, and a JSON object that holds
//! nothing but the error. All are one: an error of kind `tool`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, ErrorData, ProgressNotificationParam, ResourceContents};
use serde_json::Value as Json;

use crate::run::{ToolContext, ToolError};
use crate::types::Type;
use crate::value::{ErrorKind, Value};

/// How much of what a server says of a failure is its message.
const MESSAGE: usize = 2_000;

/// A call's result as a value of about the declared type; the engine makes it fit. Pictures and files are kept, and are
/// handles.
pub(super) async fn value(
    tool: &str,
    answer: CallToolResult,
    declared: &Type,
    context: ToolContext<'_>,
) -> Result<Value, ToolError> {
    if answer.is_error == Some(true) {
        return Err(failed(tool, &answer));
    }
    if let Some(structured) = answer.structured_content {
        return Ok(structured.into());
    }
    let (mut texts, mut images, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for block in answer.content {
        match read(tool, block, context).await? {
            Part::Text(text) => texts.push(text),
            Part::Kept(handle) if handle.get("width").is_some() => images.push(handle),
            Part::Kept(handle) => files.push(handle),
        }
    }
    if let [text] = texts.as_slice()
        && let Some(error) = said_as_success(tool, text)
    {
        return Err(error);
    }
    let (kept, said) = (images.len() + files.len(), !texts.is_empty());
    Ok(match (kept, said) {
        (0, _) => of_texts(texts, declared),
        (1, false) => images.pop().or_else(|| files.pop()).unwrap_or(Value::Null),
        // Declared as a picture or a file: the words beside it are not asked for.
        (1, true) if matches!(declared, Type::Image | Type::File) => {
            images.pop().or_else(|| files.pop()).unwrap_or(Value::Null)
        }
        _ => Value::record_of([
            ("text", texts.join("\n").into()),
            ("images", Value::list(images)),
            ("files", Value::list(files)),
        ]),
    })
}

/// A piece of an answer.
enum Part {
    Text(String),
    Kept(Value),
}

async fn read(tool: &str, block: ContentBlock, context: ToolContext<'_>) -> Result<Part, ToolError> {
    let broken = |_| ToolError::new(ErrorKind::Tool, format!("`{tool}` sent what is no base64"));
    let (bytes, mime_type, name) = match block {
        ContentBlock::Text(text) => return Ok(Part::Text(text.text)),
        ContentBlock::Image(image) => {
            (STANDARD.decode(image.data.trim()).map_err(broken)?, image.mime_type, String::new())
        }
        ContentBlock::Audio(audio) => {
            (STANDARD.decode(audio.data.trim()).map_err(broken)?, audio.mime_type, String::new())
        }
        ContentBlock::Resource(embedded) => match embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => return Ok(Part::Text(text)),
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                let name = uri.rsplit('/').next().unwrap_or_default().to_owned();
                (STANDARD.decode(blob.trim()).map_err(broken)?, mime_type.unwrap_or_default(), name)
            }
            _ => return Ok(Part::Text(String::new())),
        },
        // A link is not followed: only the server knows what it leads to.
        ContentBlock::ResourceLink(link) => return Ok(Part::Text(link.uri)),
        other => return Ok(Part::Text(serde_json::to_string(&other).unwrap_or_default())),
    };
    context.store(bytes, &mime_type, &name).await.map(Part::Kept)
}

fn of_texts(mut texts: Vec<String>, declared: &Type) -> Value {
    if texts.len() == 1 {
        return of_text(texts.pop().unwrap_or_default(), declared);
    }
    let structures: Option<Vec<Value>> = texts.iter().map(|text| structure(text).map(Value::from)).collect();
    match structures {
        Some(structures) if !structures.is_empty() && *declared != Type::String => Value::list(structures),
        _ => of_text(texts.join("\n"), declared),
    }
}

fn of_text(text: String, declared: &Type) -> Value {
    let json = match declared {
        Type::String | Type::Url | Type::Datetime | Type::Duration => None,
        Type::Json => structure(&text),
        _ => serde_json::from_str(&text).ok(),
    };
    json.map_or_else(|| text.into(), Value::from)
}

/// A JSON object or list.
fn structure(text: &str) -> Option<Json> {
    let text = text.trim();
    if text.starts_with(['{', '[']) { serde_json::from_str(text).ok() } else { None }
}

/// The error of an answer that says it is one.
fn failed(tool: &str, answer: &CallToolResult) -> ToolError {
    let texts: Vec<&str> = answer.content.iter().filter_map(|block| Some(block.as_text()?.text.trim())).collect();
    let said = texts.join("\n");
    let error = error(tool, if said.is_empty() { "it says nothing of why" } else { &said });
    match &answer.structured_content {
        Some(structured) => error.details(structured.clone().into()),
        None => error,
    }
}

/// A failure that looks like a success: `Error: …` on one line, or JSON that holds the error and nothing else.
fn said_as_success(tool: &str, text: &str) -> Option<ToolError> {
    let text = text.trim();
    if let Some(Json::Object(fields)) = structure(text) {
        const ABOUT: [&str; 8] = ["error", "message", "code", "status", "success", "ok", "details", "isError"];
        let said = match fields.get("error")? {
            Json::String(said) if !said.is_empty() => said.clone(),
            Json::Object(of) => of
                .get("message")
                .and_then(Json::as_str)
                .map_or_else(|| Json::from(of.clone()).to_string(), str::to_owned),
            _ => return None,
        };
        let only = fields.keys().all(|key| ABOUT.contains(&key.as_str()));
        return only.then(|| error(tool, &said).details(Json::Object(fields).into()));
    }
    let (head, _) = text.split_once(": ")?;
    let words: Vec<&str> = head.split(' ').collect();
    let says_so = words.last().is_some_and(|last| last.eq_ignore_ascii_case("error")) && words.len() <= 2;
    (says_so && !text.contains('\n') && text.len() <= MESSAGE).then(|| error(tool, text))
}

/// The error of a JSON-RPC error.
pub(super) fn refused(server: &str, said: &ErrorData) -> ToolError {
    let error = error(server, &said.message).details(Value::record_of([
        ("code", Value::Int(said.code.0.into())),
        ("data", said.data.clone().map_or(Value::Null, Value::from)),
    ]));
    if said.code == ErrorCode::METHOD_NOT_FOUND { error.undelivered() } else { error }
}

fn error(of: &str, said: &str) -> ToolError {
    let said: String = said.chars().take(MESSAGE).collect();
    ToolError::new(ErrorKind::Tool, format!("`{of}` failed: {said}"))
}

/// A progress notification as partial output.
pub(super) fn progress(progress: &ProgressNotificationParam) -> Value {
    Value::record_of([
        ("progress", Value::Float(progress.progress)),
        ("total", progress.total.map_or(Value::Null, Value::Float)),
        ("message", progress.message.clone().into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_look_like_successes_are_found() {
        for text in [
            "Error: no such table: x",
            "Database error: locked",
            "error: nothing here",
            r#"{"error": "nothing here"}"#,
            r#"{"error": {"code": 3, "message": "nothing here"}, "status": 500}"#,
        ] {
            let error = said_as_success("t", text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(error.kind, ErrorKind::Tool, "{text}");
        }
        for text in [
            "Errors: 3",
            "the last error: none of them",
            "Error: one\nError: two",
            "no error",
            r#"{"error": null, "rows": []}"#,
            r#"{"error": "", "rows": []}"#,
            r#"{"rows": [], "error": "partial"}"#,
            "[1, 2]",
        ] {
            assert!(said_as_success("t", text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_text_is_json_where_that_is_wanted() {
        let of = |text: &str, declared: &Type| of_text(text.to_owned(), declared);
        assert_eq!(of("3", &Type::Int), Value::Int(3));
        assert_eq!(of("3", &Type::Json), Value::from("3"));
        assert_eq!(of("[3]", &Type::Json), Value::list([Value::Int(3)]));
        assert_eq!(of("[3]", &Type::String), Value::from("[3]"));
        assert_eq!(of("{ no json", &Type::Json), Value::from("{ no json"));
        let texts = |texts: &[&str]| of_texts(texts.iter().map(|text| (*text).to_owned()).collect(), &Type::Json);
        assert_eq!(texts(&["a", "b"]), Value::from("a\nb"));
        assert_eq!(texts(&["[1]", "[2]"]), Value::list([1, 2].map(|n| Value::list([Value::Int(n)]))));
        assert_eq!(texts(&[]), Value::from(""));
    }
}
