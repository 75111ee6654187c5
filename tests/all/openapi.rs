//! Services that OpenAPI documents describe, against one on this machine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use flowc::project::{EngineOptions, Project};
use flowc::run::RunError;
use flowc::value::{ErrorKind, Value};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

const PETS: &str = include_str!("../fixtures/openapi/pets.yaml");
const PICTURE: &[u8] = include_bytes!("../../examples/site/images/courier.png");

/// A request that came.
struct Came {
    method: String,
    uri: String,
    headers: HeaderMap,
    body: String,
}

impl Came {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

type Requests = Arc<Mutex<Vec<Came>>>;

/// Serves pets, and gives out tokens of which only every second is any good.
async fn serve() -> (SocketAddr, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let requests = Requests::default();
    let kept = Arc::clone(&requests);
    let router = Router::new().fallback(move |request: Request| {
        let kept = Arc::clone(&kept);
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
            let came = Came {
                method: head.method.to_string(),
                uri: head.uri.to_string(),
                headers: head.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            let mut kept = kept.lock().expect("the requests");
            let response = answer(&came, kept.len());
            kept.push(came);
            response
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, requests)
}

fn answer(came: &Came, before: usize) -> Response<Body> {
    let path = came.uri.split('?').next().unwrap_or_default();
    let stale = came.header("authorization") == Some("Bearer token-0");
    let (status, kind, body): (u16, &str, Vec<u8>) = match (came.method.as_str(), path) {
        _ if stale => (401, "text/plain", b"stale".to_vec()),
        ("POST", "/token") => (
            200,
            "application/json",
            json!({ "access_token": format!("token-{before}"), "expires_in": 3600 }).to_string().into(),
        ),
        ("GET", "/v1/pets") => (200, "application/json", br#"[{"name":"Tom","kind":"cat","age":null}]"#.to_vec()),
        ("POST", "/v1/pets") => (201, "application/json; charset=utf-8", came.body.clone().into()),
        ("DELETE", _) => (204, "", Vec::new()),
        ("GET", "/v1/pets/tom/photo") => (200, "image/png", PICTURE.to_vec()),
        ("POST", "/v1/login") => (200, "text/plain", b"hello".to_vec()),
        _ => (404, "application/json", br#"{"message":"no such pet"}"#.to_vec()),
    };
    Response::builder().status(status).header("content-type", kind).body(Body::from(body)).expect("a response")
}

/// A project with these settings for its `pets`, synced.
async fn project(folder: &tempfile::TempDir, settings: &str) -> Project {
    std::fs::write(folder.path().join("pets.yaml"), PETS).expect("a file");
    std::fs::write(folder.path().join("secret"), "s3cret").expect("a file");
    let settings =
        format!("secrets.KEY = {{ file = \"secret\" }}\n[provide.pets]\nopenapi = \"pets.yaml\"\n{settings}\n");
    std::fs::write(folder.path().join("flow.toml"), settings).expect("a file");
    let project = Project::load(folder.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let synced = project.sync().await;
    assert!(synced.asked[0].1.as_ref().is_ok_and(|asked| asked.tools == 6), "{:?}", synced.asked);
    std::fs::write(project.lock_file(), synced.lock.text()).expect("the lock file");
    Project::load(folder.path()).unwrap_or_else(|wrong| panic!("{wrong}"))
}

async fn call(project: &Project, tool: &str, args: Json) -> Result<Json, RunError> {
    let engine = project.engine_builder(EngineOptions::default()).build().expect("an engine");
    let value: Value = engine.call(tool, args).unwrap_or_else(|why| panic!("{why}")).value().await?;
    Ok((&value).into())
}

#[tokio::test]
async fn operations_are_typed_tools() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = project(&folder, "base_url = \"http://127.0.0.1:9/v1\"").await;
    let catalog = project.catalog();
    let shown: Vec<String> = catalog
        .iter()
        .filter(|tool| tool.namespace() == "pets")
        .map(|tool| {
            let mark = |required: bool| if required { "" } else { "?" };
            let params: Vec<_> =
                tool.params.iter().map(|it| format!("{}{}: {}", it.name, mark(it.required), it.ty)).collect();
            let effects = (tool.annotations.read_only, tool.annotations.idempotent, tool.annotations.destructive);
            format!("{}({}) -> {} {effects:?}", tool.name, params.join(", "), tool.result)
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    pets.createPet(X_Trace?: string, body: { name: string, kind: "cat" | "dog", age?: int? }) -> { name: string, kind: "cat" | "dog", age?: int? } (Some(false), None, None)
    pets.deletePet(petId: string) -> null (Some(false), Some(true), Some(true))
    pets.get_pets_petId(petId: string) -> { name: string, kind: "cat" | "dog", age?: int? } (Some(true), Some(true), Some(false))
    pets.list_pets(limit?: int, tags?: list<string>, ids?: list<int>, filter?: { kind?: "cat" | "dog", min_age?: int }, X_Trace?: string) -> list<{ name: string, kind: "cat" | "dog", age?: int? }> (Some(true), Some(true), Some(false))
    pets.login(body?: { user: string }) -> string (Some(false), None, None)
    pets.photo(petId: string) -> image (Some(true), Some(true), Some(false))
    "#);
    let lock = std::fs::read_to_string(project.lock_file()).expect("the lock file");
    assert!(!lock.contains("Unused"), "schemas that nothing refers to are left out");
}

#[tokio::test]
async fn arguments_go_where_the_document_puts_them() {
    let (address, requests) = serve().await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = format!("base_url = \"http://{address}/v1/\"\napi_key = \"KEY\"\nheaders = {{ X-Team = \"flow\" }}");
    let project = project(&folder, &settings).await;
    let args = json!({
        "limit": 3, "tags": ["a b", "c&d"], "ids": [1, 2], "filter": { "kind": "cat", "min_age": 2 }, "X_Trace": "t1",
    });
    let pets = call(&project, "pets.list_pets", args).await.expect("pets");
    assert_eq!(pets, json!([{ "name": "Tom", "kind": "cat", "age": null }]));
    let rex = json!({ "name": "Rex", "kind": "dog" });
    let made = call(&project, "pets.createPet", json!({ "body": rex })).await.expect("a pet");
    assert_eq!(made["name"], "Rex");
    assert_eq!(call(&project, "pets.deletePet", json!({ "petId": "a/../b c" })).await.expect("nothing"), Json::Null);
    let photo = call(&project, "pets.photo", json!({ "petId": "tom" })).await.expect("a picture");
    assert!(photo["url"].as_str().is_some_and(|url| url.starts_with("file:")) && photo["width"].is_u64(), "{photo}");
    let hello = call(&project, "pets.login", json!({ "body": { "user": "a b" } })).await.expect("a greeting");
    assert_eq!(hello, "hello");
    let error = call(&project, "pets.get_pets_petId", json!({ "petId": "none" })).await.expect_err("no pet");
    assert!(error.kind == ErrorKind::Tool && error.message.contains("404"), "{error}");
    let error = call(&project, "pets.get_pets_petId", json!({ "petId": ".." })).await.expect_err("no segment");
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    let requests = requests.lock().expect("the requests");
    let uris: Vec<&str> = requests.iter().map(|came| came.uri.as_str()).collect();
    assert_eq!(
        uris,
        [
            "/v1/pets?limit=3&tags=a+b&tags=c%26d&ids=1%2C2&filter%5Bkind%5D=cat&filter%5Bmin_age%5D=2",
            "/v1/pets",
            "/v1/pets/a%2F..%2Fb%20c",
            "/v1/pets/tom/photo",
            "/v1/login",
            "/v1/pets/none",
        ]
    );
    assert_eq!(requests[0].header("x-trace"), Some("t1"));
    assert!(requests.iter().all(|came| came.header("x-team") == Some("flow")));
    let keyed: Vec<bool> = requests.iter().map(|came| came.header("x-pets-key") == Some("s3cret")).collect();
    assert_eq!(keyed, [true, true, true, true, false, true], "an operation without security is not given the key");
    assert_eq!(requests[1].body, rex.to_string());
    assert_eq!(requests[4].body, "user=a+b");
    assert_eq!(requests[4].header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[tokio::test]
async fn calls_say_who_they_are() {
    let (address, requests) = serve().await;
    let base = format!("base_url = \"http://{address}/v1\"");
    for (auth, expected) in
        [("bearer = \"KEY\"", "Bearer s3cret"), ("basic = { user = \"me\", password = \"KEY\" }", "Basic bWU6czNjcmV0")]
    {
        let folder = tempfile::tempdir().expect("a folder");
        call(&project(&folder, &format!("{base}\n{auth}")).await, "pets.list_pets", json!({})).await.expect("pets");
        assert_eq!(requests.lock().expect("the requests").pop().expect("one").header("authorization"), Some(expected));
    }
    requests.lock().expect("the requests").clear();
    let folder = tempfile::tempdir().expect("a folder");
    let oauth = format!(
        "{base}\noauth2 = {{ client_id = \"me\", client_secret = \"KEY\", token_url = \"http://{address}/token\", scopes = [\"a\", \"b\"] }}"
    );
    let project = project(&folder, &oauth).await;
    for _ in 0..2 {
        call(&project, "pets.list_pets", json!({})).await.expect("pets");
    }
    let requests = requests.lock().expect("the requests");
    let told: Vec<_> =
        requests.iter().map(|came| (came.uri.as_str(), came.header("authorization").unwrap_or(""))).collect();
    // The first token is stale; the next one is used for the second call, too.
    let client = "Basic bWU6czNjcmV0";
    assert_eq!(
        told,
        [
            ("/token", client),
            ("/v1/pets", "Bearer token-0"),
            ("/token", client),
            ("/v1/pets", "Bearer token-2"),
            ("/v1/pets", "Bearer token-2"),
        ]
    );
    assert_eq!(requests[0].body, "grant_type=client_credentials&scope=a+b");
}

#[tokio::test]
async fn a_document_at_an_address_leads_to_its_own_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let document = json!({
        "openapi": "3.1.0",
        "servers": [{ "url": "/api" }],
        "paths": { "/now": { "get": { "operationId": "now", "responses": { "200": { "content": {
            "application/json": { "schema": { "type": ["string", "null"], "format": "date-time" } },
        } } } } } },
    });
    let router = Router::new().fallback(move |request: Request| {
        let text = match request.uri().path() {
            "/openapi.json" => document.to_string(),
            "/api/now" => "\"2026-11-22T10:00:00Z\"".to_owned(),
            _ => String::new(),
        };
        async move { ([("content-type", "application/json")], text) }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().expect("a folder");
    let settings = format!("[provide.clock]\nopenapi = \"http://{address}/openapi.json\"\n");
    std::fs::write(folder.path().join("flow.toml"), settings).expect("a file");
    let project = Project::load(folder.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
    std::fs::write(project.lock_file(), project.sync().await.lock.text()).expect("the lock file");
    let project = Project::load(folder.path()).unwrap_or_else(|wrong| panic!("{wrong}"));
    let now = project.catalog().get("clock.now").expect("a tool").result.to_string();
    assert_eq!(now, "datetime?");
    assert_eq!(call(&project, "clock.now", json!({})).await.expect("a time"), "2026-11-22T10:00:00Z");
}
