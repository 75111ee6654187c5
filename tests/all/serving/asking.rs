//! What runs ask of the client: its person, by forms, and its model; and what they tell it on the way.

#![allow(deprecated, reason = "clients of the protocol as it is spoken today lend their models and set levels so")]

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, CreateMessageRequestParams,
    CreateMessageResult, ElicitRequestParams, ElicitResult, ElicitationAction, ErrorData,
    LoggingMessageNotificationParam, SamplingMessage, SetLevelRequestParams,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, ServiceExt};
use serde_json::{Value, json};

const FLOWS: &str = r#"
type Trip = { city: string, days: int, class: "first" | "second", extras: list<"meal" | "seat"> }

flow book(nights: int = 2) -> { trip: Trip, sure: bool } {
    step trip = human.ask("Where to?", into: Trip, form: {
        city: { title: "The city" },
        days: { default: 3, minimum: 1 },
        class: { oneOf: [{ const: "first", title: "1st" }, { const: "second", title: "2nd" }] },
    })
    step sure = human.approve("Book it?", details: { nights })
    return { trip, sure }
}

flow name() -> string {
    step name = human.ask("Your name?", into: string)
    return name
}

type Nested = { where: { city: string } }
type Age = { age: int }

flow nested() -> string {
    step told = try human.ask("?", into: Nested)
    return told.error?.message ?? "asked"
}

flow sum_up(text: string) -> string {
    step short = llm.summarize(text)
    return short
}

flow facts(text: string) -> { age: int } {
    step found = llm.extract(text, into: Age)
    return found
}

flow wait() -> string {
    step told = try signal.wait("go", into: string) timeout 1h
    return told.error?.message ?? "went"
}

flow talk() -> string {
    step log.write("in detail", level: "debug")
    step log.write("careful", level: "warning", fields: { why: "thin ice" })
    emit { half: true }
    return "done"
}
"#;

const SETTINGS: &str =
    "[provide.llm]\nproviders.client = {}\nmodels.theirs = { provider = \"client\", model = \"small\" }\n";

/// A client whose person and model say what a test wants.
#[derive(Clone, Default)]
struct Person {
    able: bool,
    answers: Arc<Mutex<Vec<ElicitResult>>>,
    words: Arc<Mutex<Vec<&'static str>>>,
    asked: Arc<Mutex<Vec<Value>>>,
    told: Arc<Mutex<Vec<Value>>>,
}

impl ClientHandler for Person {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        if self.able {
            info.capabilities = ClientCapabilities::builder().enable_elicitation().enable_sampling().build();
        }
        info
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        self.asked.lock().unwrap().push(serde_json::to_value(&request).unwrap());
        Ok(self.answers.lock().unwrap().remove(0))
    }

    async fn create_message(
        &self,
        request: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.asked.lock().unwrap().push(serde_json::to_value(&request).unwrap());
        let words = self.words.lock().unwrap().remove(0);
        let mut said = CreateMessageResult::new(SamplingMessage::assistant_text(words), "theirs".into());
        said.stop_reason = Some(if words.is_empty() { "maxTokens" } else { "endTurn" }.into());
        Ok(said)
    }

    async fn on_logging_message(&self, told: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        self.told.lock().unwrap().push(serde_json::to_value(&told).unwrap());
    }
}

async fn client(person: &Person) -> (tempfile::TempDir, RunningService<RoleClient, Person>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.flow"), FLOWS).unwrap();
    std::fs::write(folder.path().join("flow.toml"), SETTINGS).unwrap();
    let (server, _) = TokioChildProcess::builder(super::flowc(&folder)).stderr(Stdio::null()).spawn().unwrap();
    (folder, person.clone().serve(server).await.unwrap())
}

async fn call(client: &RunningService<RoleClient, Person>, tool: &'static str, args: Value) -> CallToolResult {
    let Value::Object(args) = args else { panic!("no object") };
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(args)).await.unwrap()
}

fn accept(content: Value) -> ElicitResult {
    ElicitResult::new(ElicitationAction::Accept).with_content(content)
}

#[tokio::test]
async fn a_person_is_asked_by_a_form() {
    let person = Person { able: true, ..Person::default() };
    *person.answers.lock().unwrap() = vec![
        accept(json!({ "city": "Rome", "days": "many", "class": "first", "extras": [] })),
        accept(json!({ "city": "Rome", "class": "first", "extras": ["seat"] })),
        accept(json!({ "approved": true })),
        ElicitResult::new(ElicitationAction::Decline),
        ElicitResult::new(ElicitationAction::Cancel),
    ];
    let (_folder, client) = client(&person).await;
    let booked = call(&client, "book", json!({})).await;
    let trip = json!({ "city": "Rome", "days": 3, "class": "first", "extras": ["seat"] });
    assert_eq!(booked.structured_content, Some(json!({ "trip": trip, "sure": true })));
    let asked = person.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[0]["message"], "Where to?");
    let form = &asked[0]["requestedSchema"];
    assert_eq!(form["required"], json!(["city", "class", "extras"]), "{form}");
    assert_eq!(form["properties"]["city"], json!({ "type": "string", "title": "The city" }));
    assert_eq!(form["properties"]["days"], json!({ "type": "integer", "default": 3, "minimum": 1 }));
    assert_eq!(form["properties"]["class"]["oneOf"][1], json!({ "const": "second", "title": "2nd" }));
    assert!(asked[1]["message"].as_str().unwrap().contains("expected an int"), "{}", asked[1]["message"]);
    assert!(asked[2]["message"].as_str().unwrap().contains("\"nights\": 2"), "{}", asked[2]["message"]);
    for why in ["declined", "dismissed"] {
        let refused = call(&client, "name", json!({})).await;
        assert_eq!(refused.is_error, Some(true));
        let said: Value = serde_json::from_str(super::text(&refused)).unwrap();
        assert_eq!(said["error"]["kind"], "denied");
        assert!(said["error"]["message"].as_str().unwrap().contains(why), "{said}");
    }
    let nested = call(&client, "nested", json!({})).await;
    assert!(super::text(&nested).contains("no field for `where`"), "{}", super::text(&nested));
    let waited = call(&client, "wait", json!({})).await;
    assert!(super::text(&waited).contains("no signals"), "{}", super::text(&waited));
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn the_clients_model_is_asked() {
    let person = Person { able: true, ..Person::default() };
    *person.words.lock().unwrap() = vec!["short", "I think it is 7", "{\"age\": 7}", ""];
    let (_folder, client) = client(&person).await;
    assert_eq!(super::text(&call(&client, "sum_up", json!({ "text": "long" })).await), "short");
    let facts = call(&client, "facts", json!({ "text": "She is 7." })).await;
    assert_eq!(facts.structured_content, Some(json!({ "age": 7 })));
    let asked = person.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 3, "the second answer was sent back: {asked:?}");
    assert_eq!(asked[0]["modelPreferences"]["hints"], json!([{ "name": "small" }]));
    assert!(asked[0]["systemPrompt"].as_str().unwrap().contains("sum up"));
    assert!(asked[1]["systemPrompt"].as_str().unwrap().contains("JSON Schema"));
    assert_eq!(asked[2]["messages"].as_array().unwrap().len(), 3);
    let cut = call(&client, "sum_up", json!({ "text": "long" })).await;
    assert!(super::text(&cut).contains("cut off"), "{}", super::text(&cut));
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn who_cannot_be_asked_is_not() {
    let (_folder, client) = client(&Person::default()).await;
    for (tool, args, missing) in
        [("name", json!({}), "`elicitation`"), ("sum_up", json!({ "text": "long" }), "`sampling`")]
    {
        let refused = call(&client, tool, args).await;
        assert_eq!(refused.is_error, Some(true));
        assert!(super::text(&refused).contains(missing), "{}", super::text(&refused));
    }
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_client_hears_as_much_of_the_log_as_it_wants() {
    let person = Person::default();
    let (_folder, client) = client(&person).await;
    let heard = || person.told.lock().unwrap().drain(..).map(|told| told["level"].clone()).collect::<Vec<_>>();
    call(&client, "talk", json!({})).await;
    let told = person.told.lock().unwrap().clone();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["data"]["message"], "careful");
    assert_eq!(told[0]["data"]["fields"], json!({ "why": "thin ice" }));
    assert_eq!(told[1]["data"], json!({ "half": true }));
    heard();
    client.set_level(SetLevelRequestParams::new(rmcp::model::LoggingLevel::Debug)).await.unwrap();
    call(&client, "talk", json!({})).await;
    assert_eq!(heard(), ["debug", "warning", "info"]);
    client.set_level(SetLevelRequestParams::new(rmcp::model::LoggingLevel::Error)).await.unwrap();
    call(&client, "talk", json!({})).await;
    assert_eq!(heard(), Vec::<Value>::new());
    client.cancel().await.unwrap();
}
