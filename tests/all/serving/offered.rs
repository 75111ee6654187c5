//! What a server offers beside its tools: prompts, resources, pictures and files themselves.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rmcp::model::{
    ArgumentInfo, CallToolRequestParams, CallToolResult, CompleteRequestParams, GetPromptRequestParams,
    ReadResourceRequestParams, Reference, ResourceUpdatedNotificationParam, SubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, ServiceExt};
use serde_json::{Value, json};

const FLOWS: &str = r#"
/// Looks at an order.
flow order(id: string, detail: "short" | "long" = "short") -> { id: string, detail: string } {
    return { id, detail }
}

/// Asks for a review.
flow review(
    /// What to review.
    text: string,
    tone: "kind" | "keen" | "stern" = "kind",
    times: int = 1,
) -> list<string | image | { role: string, content: string } | { resource: string }> {
    step picture = media.run("picture") as image
    return [
        "Review {{text}} {{times}} times, be {{tone}}.",
        { role: "assistant", content: "I will." },
        { resource: "docs://style" },
        picture,
    ]
}

/// A picture.
flow draw() -> image {
    step picture = media.run("picture") as image
    return picture
}

/// A report with a picture in it.
flow report() -> { title: string, cover: image } {
    step picture = media.run("picture") as image
    return { title: "Report", cover: picture }
}
"#;

const SETTINGS: &str = r#"
[provide.media]
skills = "skills"

[mcp]
prompts = ["review"]

[mcp.resources."docs://style"]
file = "style.md"
description = "How we write."

[mcp.resources."orders://{id}"]
flow = "order"
"#;

#[derive(Clone, Default)]
struct Reader(Arc<Mutex<Vec<String>>>);

impl ClientHandler for Reader {
    async fn on_resource_updated(&self, told: ResourceUpdatedNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.lock().unwrap().push(told.uri);
    }
}

type Client = RunningService<RoleClient, Reader>;

fn folder(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.flow", FLOWS);
    write("flow.toml", settings);
    write("style.md", "Be brief.");
    let skill = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp/project/skills/picture");
    super::official::copy(&skill, &folder.path().join("skills/picture"));
    folder
}

async fn client(folder: &tempfile::TempDir) -> Client {
    let (server, _) = TokioChildProcess::builder(super::flowc(folder)).stderr(Stdio::null()).spawn().unwrap();
    Reader::default().serve(server).await.unwrap()
}

async fn read(client: &Client, uri: &str) -> Value {
    let read = client.read_resource(ReadResourceRequestParams::new(uri)).await.unwrap();
    serde_json::to_value(read).unwrap()["contents"][0].clone()
}

async fn blocks(client: &Client, tool: &'static str) -> (CallToolResult, Vec<Value>) {
    let result = client.call_tool(CallToolRequestParams::new(tool)).await.unwrap();
    let blocks = result.content.iter().map(|block| serde_json::to_value(block).unwrap()).collect();
    (result, blocks)
}

#[tokio::test]
async fn flows_are_prompts() {
    let folder = folder(SETTINGS);
    let client = client(&folder).await;
    let prompts = client.list_all_prompts().await.unwrap();
    assert_eq!(prompts.len(), 1);
    let arguments = serde_json::to_value(prompts[0].arguments.as_ref().unwrap()).unwrap();
    assert_eq!(arguments[0], json!({ "name": "text", "description": "What to review.", "required": true }));
    assert_eq!(arguments[1], json!({ "name": "tone", "required": false }));
    let tools = client.list_all_tools().await.unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    assert_eq!(names, ["draw", "report", "flow_check", "flow_run"], "a prompt and what is read are no tools");

    let given = json!({ "text": "\"it\"", "times": "3" }).as_object().unwrap().clone();
    let got = client.get_prompt(GetPromptRequestParams::new("review").with_arguments(given)).await.unwrap();
    let messages = serde_json::to_value(got.messages).unwrap();
    assert_eq!(
        messages[0],
        json!({ "role": "user", "content": { "type": "text", "text": "Review \"it\" 3 times, be kind." } })
    );
    assert_eq!(messages[1]["role"], "assistant");
    assert_eq!(messages[2]["content"]["resource"]["text"], "Be brief.");
    assert_eq!(messages[3]["content"]["mimeType"], "image/png");
    let wrong = json!({ "text": "x", "times": "often" }).as_object().unwrap().clone();
    let refused = client.get_prompt(GetPromptRequestParams::new("review").with_arguments(wrong)).await.unwrap_err();
    assert!(refused.to_string().contains("times"), "{refused}");

    let complete = |reference, name: &str, value: &str| {
        client.complete(CompleteRequestParams::new(reference, ArgumentInfo::new(name, value)))
    };
    let tones = complete(Reference::for_prompt("review"), "tone", "k").await.unwrap();
    assert_eq!(tones.completion.values, ["kind", "keen"]);
    let details = complete(Reference::for_resource("orders://{id}"), "detail", "").await.unwrap();
    assert_eq!(details.completion.values, ["short", "long"]);
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn files_and_flows_are_read() {
    let folder = folder(SETTINGS);
    let client = client(&folder).await;
    let listed = client.list_all_resources().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|it| (it.uri.as_str(), it.mime_type.as_deref())).collect();
    assert_eq!(listed, [("flow://guide", Some("text/markdown")), ("docs://style", Some("text/markdown"))]);
    let templates = client.list_all_resource_templates().await.unwrap();
    assert_eq!(templates[0].uri_template, "orders://{id}");

    let style = read(&client, "docs://style").await;
    assert_eq!((&style["text"], &style["mimeType"]), (&json!("Be brief."), &json!("text/markdown")));
    let order = read(&client, "orders://a%20b").await;
    assert_eq!(order["text"], r#"{"id":"a b","detail":"short"}"#);
    assert!(read(&client, "flow://guide").await["text"].as_str().unwrap().contains("flow "));
    for unknown in ["docs://other", "orders://a/b", "file:///etc/passwd"] {
        let refused = client.read_resource(ReadResourceRequestParams::new(unknown)).await.unwrap_err();
        assert!(refused.to_string().contains("there is no resource"), "{refused}");
    }
    client.cancel().await.unwrap();
}

#[tokio::test]
#[allow(deprecated, reason = "clients of the protocol as it is spoken today subscribe so")]
async fn a_file_that_changes_is_told() {
    let folder = folder(SETTINGS);
    let client = client(&folder).await;
    client.subscribe(SubscribeRequestParams::new("docs://style")).await.unwrap();
    assert!(client.subscribe(SubscribeRequestParams::new("orders://1")).await.is_err(), "nothing tells");
    // The first look may come after the first change: it is changed until one is seen.
    let heard = client.service().0.clone();
    tokio::time::timeout(Duration::from_secs(30), async {
        for round in 0.. {
            std::fs::write(folder.path().join("style.md"), "!".repeat(round)).unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            if !heard.lock().unwrap().is_empty() {
                return;
            }
        }
    })
    .await
    .expect("it is told");
    assert_eq!(heard.lock().unwrap()[0], "docs://style");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_picture_is_linked_and_itself_where_it_was_asked_for() {
    let folder = folder(SETTINGS);
    let client = client(&folder).await;
    let (drawn, blocks_) = blocks(&client, "draw").await;
    assert_eq!(blocks_.len(), 2);
    assert_eq!((&blocks_[1]["type"], &blocks_[1]["mimeType"]), (&json!("image"), &json!("image/png")));
    assert!(!super::text(&drawn).contains("iVBOR"), "no base64 in the text");
    let picture = BASE64_STANDARD.decode(blocks_[1]["data"].as_str().unwrap()).unwrap();
    let (_, linked) = blocks(&client, "report").await;
    assert_eq!(linked[1]["type"], "resource_link");
    let uri = linked[1]["uri"].as_str().unwrap();
    assert!(uri.starts_with("file:"), "{uri}");
    let stored = read(&client, uri).await;
    assert_eq!(stored["mimeType"], "image/png");
    assert_eq!(BASE64_STANDARD.decode(stored["blob"].as_str().unwrap()).unwrap(), picture);
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn the_operator_says_what_goes_along() {
    let embed = |what: &str| folder(&SETTINGS.replace("[mcp]\n", &format!("[mcp]\n{what}\n")));
    for (what, drawn, reported) in [
        ("embed = \"all\"", "image", "image"),
        ("embed = \"never\"", "resource_link", "resource_link"),
        ("embed = \"all\"\nembed_bytes = 8", "resource_link", "resource_link"),
    ] {
        let folder = embed(what);
        let client = client(&folder).await;
        assert_eq!(blocks(&client, "draw").await.1[1]["type"], drawn, "{what}");
        assert_eq!(blocks(&client, "report").await.1[1]["type"], reported, "{what}");
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_offered_is_said_at_the_start() {
    let writes = "flow write(id: string) -> null { step log.write(id) return null }";
    for (settings, why) in [
        ("[mcp]\nprompts = [\"nobody\"]\n", "there is no such flow"),
        ("[mcp.resources.\"style\"]\nfile = \"style.md\"\n", "it has no scheme"),
        ("[mcp.resources.\"a://{x}\"]\nflow = \"write\"\n", "`log.write`, which may change something"),
        ("[mcp.resources.\"a://{x}\"]\nflow = \"plain\"\n", "has no parameter `x`"),
        ("[mcp.resources.\"a://x\"]\nflow = \"open\"\n", "gives nothing for `y`"),
        ("[mcp]\nembed = \"some\"\n", "`embed` must be"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let flows = format!("{writes}\nflow plain() -> int {{ return 1 }}\nflow open(y: int) -> int {{ return y }}\n");
        std::fs::write(folder.path().join("a.flow"), flows).unwrap();
        std::fs::write(folder.path().join("flow.toml"), settings).unwrap();
        let ended = super::flowc(&folder).stdin(Stdio::null()).output().await.unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
}
