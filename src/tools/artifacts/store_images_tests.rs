use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;

use super::*;
use crate::run::{Engine, RunError, Tool};
use crate::source::SourceFile;
use crate::tools::artifacts::LocalArtifacts;

const PNG: &[u8] = include_bytes!("../../../examples/site/images/courier.png");

/// A tool that gives, says and fails with what it is told to.
struct Given {
    signature: Arc<Signature>,
    output: Value,
    result: Result<Value, ToolError>,
}

impl Tool for Given {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, _args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        context.report.output(self.output.clone());
        Box::pin(std::future::ready(self.result.clone()))
    }
}

/// What a run of one call gives, and all that its events tell.
async fn run(ty: Type, output: Value, result: Result<Value, ToolError>) -> (Result<Value, RunError>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    run_with(LocalArtifacts::new(folder.path()), ty, output, result).await
}

async fn run_with(
    store: LocalArtifacts,
    ty: Type,
    output: Value,
    result: Result<Value, ToolError>,
) -> (Result<Value, RunError>, String) {
    let signature = Arc::new(Signature::new("test.give", "Gives.", ty));
    let engine = Engine::builder()
        .tools([Arc::new(Given { signature, output, result }) as Arc<dyn Tool>])
        .artifacts(store)
        .hook(StoreImages)
        .build()
        .expect("an engine");
    let program =
        engine.compile(SourceFile::new("a.flow", "flow main() {\n    step a = test.give()\n    return a\n}\n"));
    let run = engine.start(&program.expect("a program"), "main", json!({})).expect("started");
    let value = run.value().await;
    let events = run.recorded().iter().map(|event| serde_json::to_string(&**event).expect("JSON")).collect::<String>();
    assert!(!events.contains(&BASE64_STANDARD.encode(PNG)[..60]), "base64 reached the events");
    (value, events)
}

async fn give(ty: Type, value: serde_json::Value) -> Value {
    run(ty, Value::Null, Ok(value.into())).await.0.expect("a value")
}

fn png() -> String {
    BASE64_STANDARD.encode(PNG)
}

fn is_handle(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.matches(&Type::Image) && value.get("mime_type") == Some(&"image/png".into()))
}

fn is_address(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|text| text.starts_with("file:///") && text.ends_with("png"))
}

#[tokio::test]
async fn pictures_become_handles_wherever_they_are() {
    let value = json!({
        "plain": png(),
        "listed": [1, { "deep": format!("data:image/png;base64,{}", png()) }],
        "content": [{ "type": "text", "text": "a shot" }, { "type": "image", "data": png(), "mimeType": "image/png" }],
        "page": format!("<img src='data:image/png;base64,{}'>", png()),
        "kept": "as it is",
    });
    let value = give(Type::Json, value).await;
    assert!(is_handle(value.get("plain")));
    let at =
        |name: &str, index: usize| value.get(name).and_then(Value::as_list).and_then(|list| list.get(index)).cloned();
    assert!(is_handle(at("listed", 1).expect("an item").get("deep")));
    assert!(is_handle(at("content", 1).as_ref()));
    let page = value.get("page").and_then(Value::as_str).expect("a text");
    assert!(page.starts_with("<img src='file:///") && page.ends_with("png'>"), "{page}");
    assert_eq!(value.get("kept"), Some(&"as it is".into()));
}

#[tokio::test]
async fn the_declared_type_settles_whether_it_is_a_handle_or_an_address() {
    assert!(is_handle(Some(&give(Type::Image, json!(png())).await)));
    assert!(give(Type::File, json!(png())).await.matches(&Type::File));
    assert!(is_address(Some(&give(Type::Url, json!(png())).await)));
    assert!(is_address(Some(&give(Type::String, json!(png())).await)));
    let shots = Type::record_of([
        ("shots", Type::list(Type::union([Type::String, Type::Null]))),
        ("data", Type::String),
        ("any", Type::union([Type::String, Type::Image])),
        ("type", Type::String),
        ("mimeType", Type::String),
    ]);
    let value =
        json!({ "shots": [png(), null], "data": png(), "any": png(), "type": "image", "mimeType": "image/png" });
    let value = give(shots, value).await;
    assert!(is_address(value.get("shots").and_then(Value::as_list).and_then(|list| list.first())));
    assert!(is_address(value.get("data")));
    assert!(is_handle(value.get("any")));
    assert_eq!(value.get("mimeType"), Some(&"image/png".into()));
}

#[tokio::test]
async fn partial_output_and_errors_hold_handles_too() {
    let shot = json!({ "shot": png() });
    let mut error = ToolError::new(ErrorKind::Tool, format!("no: data:image/png;base64,{}", png()));
    error.details = shot.clone().into();
    let (result, events) = run(Type::Json, shot.into(), Err(error)).await;
    let error = result.expect_err("it fails");
    assert!(is_handle(error.details.get("shot")), "{:?}", error.details);
    assert!(error.message.starts_with("no: file:///"), "{}", error.message);
    assert!(events.contains("step.output") && events.contains(r#""mime_type":"image/png""#), "{events}");
}

#[tokio::test]
async fn what_is_no_picture_is_told_and_does_not_fail_the_step() {
    let broken = BASE64_STANDARD.encode(&PNG[..PNG.len() - 30]);
    let (value, events) = run(Type::Json, Value::Null, Ok(json!({ "shot": broken, "more": 1 }).into())).await;
    let value = value.expect("a value");
    let told = value.get("shot").and_then(Value::as_str).expect("a text");
    assert_eq!(told, "(a PNG picture is not kept that breaks off before its end)");
    assert!(events.contains(r#""warning":"a PNG picture is not kept"#), "{events}");
    let (result, _) = run(Type::Image, Value::Null, Ok(broken.into())).await;
    assert_eq!(result.expect_err("no picture").kind, ErrorKind::Invalid);
    let many = serde_json::Value::Array(vec![json!(png()); MOST + 5]);
    let many = give(Type::Json, many).await;
    let handles = many.as_list().expect("a list").iter().filter(|item| is_handle(Some(item))).count();
    assert_eq!(handles, MOST);
}

#[tokio::test]
async fn a_store_that_fails_fails_the_call() {
    let store = LocalArtifacts::new("/dev/null/artifacts");
    let (result, _) = run_with(store, Type::Json, Value::Null, Ok(png().into())).await;
    let error = result.expect_err("it fails");
    assert_eq!((error.kind, error.retryable), (ErrorKind::Internal, false));
}

#[test]
fn values_without_pictures_are_left_as_they_are() {
    let value = Value::from(json!({ "a": ["x".repeat(1000), { "b": null }], "url": "https://example.com/a.png" }));
    let mut places = Vec::new();
    search(&value, None, &mut Vec::new(), &mut places);
    assert!(places.is_empty());
}
