//! Who calls, by OAuth: a person who logs in, a token that is renewed, a program with a secret of its own.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use flowc::run::{NoSecrets, SecretUse, Secrets};
use flowc::tools::Setting;
use flowc::tools::listed::{Opener, Remote};
use flowc::tools::mcp::{AuthSettings, Grant, McpServer, Reach};
use flowc::value::ErrorKind;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use url::Url;

/// A server of one tool, and what gives out its tokens, at the same port.
#[derive(Default)]
struct World {
    good: Mutex<HashSet<String>>,
    /// What was asked for tokens, each with its `Authorization`.
    asked: Mutex<Vec<(String, String)>>,
    /// Whether tokens are renewed.
    renews: Mutex<bool>,
    /// The name of the host that gives out tokens.
    issuer: Mutex<String>,
}

async fn world() -> (Url, Arc<World>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let world = Arc::new(World::default());
    *world.renews.lock().unwrap() = true;
    *world.issuer.lock().unwrap() = format!("http://{address}");
    let state = Arc::clone(&world);
    let router = Router::new().fallback(move |request: Request| answer(request, Arc::clone(&state)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/mcp").parse().expect("an address"), world)
}

fn reply(status: u16, headers: &[(&str, &str)], body: &Json) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body.to_string())).expect("a response")
}

async fn answer(request: Request, world: Arc<World>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let issuer = world.issuer.lock().unwrap().clone();
    let here = format!("http://{}", header("host"));
    let query = |name: &str| {
        let url = Url::parse(&format!("http://x{}", head.uri)).expect("an address");
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    match head.uri.path() {
        "/.well-known/oauth-protected-resource/mcp" => {
            reply(200, &[], &json!({ "resource": format!("{here}/mcp"), "authorization_servers": [issuer] }))
        }
        "/.well-known/oauth-authorization-server" => {
            let at = |path: &str| format!("{issuer}{path}");
            let told = json!({
                "issuer": issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
                "registration_endpoint": at("/register"), "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
            });
            reply(200, &[], &told)
        }
        "/register" => reply(201, &[], &json!({ "client_id": "registered" })),
        "/authorize" => {
            let back = format!("{}?code=the-code&state={}", query("redirect_uri"), query("state"));
            reply(302, &[("location", &back)], &json!(null))
        }
        "/token" => {
            let form = String::from_utf8(body.to_vec()).expect("a form");
            let mut asked = world.asked.lock().unwrap();
            let number = asked.len();
            let renewal = form.contains("grant_type=refresh_token");
            asked.push((form, header("authorization")));
            if renewal && !*world.renews.lock().unwrap() {
                return reply(400, &[], &json!({ "error": "invalid_grant" }));
            }
            let token = format!("token-{number}");
            world.good.lock().unwrap().insert(token.clone());
            reply(200, &[], &json!({ "access_token": token, "refresh_token": "again", "token_type": "Bearer" }))
        }
        "/mcp" if head.method != "POST" => reply(405, &[], &json!(null)),
        "/mcp" => {
            let token = header("authorization");
            let token = token.strip_prefix("Bearer ").unwrap_or_default();
            if !world.good.lock().unwrap().contains(token) {
                return reply(401, &[("www-authenticate", "Bearer scope=\"read\"")], &json!(null));
            }
            let message: Json = serde_json::from_slice(&body).expect("JSON");
            let Some(id) = message.get("id") else { return reply(202, &[], &json!(null)) };
            let result = match message["method"].as_str().unwrap_or_default() {
                "initialize" => json!({
                    "protocolVersion": "2025-06-18", "capabilities": { "tools": {} },
                    "serverInfo": { "name": "s", "version": "1" },
                }),
                _ => json!({ "tools": [{ "name": "do", "inputSchema": { "type": "object" } }] }),
            };
            reply(200, &[], &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
        }
        _ => reply(404, &[], &json!(null)),
    }
}

fn server(url: &Url, folder: &Path, grant: Grant, secrets: Arc<dyn Secrets>) -> McpServer {
    let known = matches!(grant, Grant::Secret(_)).then(|| Setting::Plain("us".to_owned()));
    let kept = folder.join("logins/server.json");
    let auth = AuthSettings { grant, client_id: known, scopes: Vec::new(), port: None, kept, secrets };
    super::server(Reach::Http { url: url.clone(), bearer: None, headers: indexmap::IndexMap::new(), auth: Some(auth) })
}

/// A browser whose person says yes.
fn browser() -> Opener {
    Arc::new(|address: &Url| {
        let address = address.clone();
        tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            client.get(address).send().await.expect("a way back")
        });
    })
}

#[tokio::test]
async fn a_person_logs_in_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, world) = world().await;
    let fresh = || server(&url, folder.path(), Grant::Person(None), Arc::new(NoSecrets));
    let error = fresh().list(&NoSecrets).await.expect_err("nobody is logged in");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Denied, true), "{error}");
    assert!(error.message.contains("flowc tools login server"), "{error}");

    assert_eq!(fresh().login(&NoSecrets, browser()).await.expect("a login"), 1);
    let asked = world.asked.lock().unwrap().clone();
    for part in
        ["grant_type=authorization_code", "code=the-code", "code_verifier=", "client_id=registered", "resource="]
    {
        assert!(asked[0].0.contains(part), "{part}: {asked:?}");
    }
    let kept = folder.path().join("logins/server.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::metadata(&kept).expect("a file").permissions();
        assert_eq!(permissions.mode() & 0o777, 0o600);
    }
    assert!(std::fs::read_to_string(kept.with_file_name(".gitignore")).expect("a file").contains('*'));

    // Another process has it, too; a token that is good no longer is renewed.
    assert_eq!(fresh().list(&NoSecrets).await.expect("a list").len(), 1);
    world.good.lock().unwrap().clear();
    assert_eq!(fresh().list(&NoSecrets).await.expect("a list").len(), 1);
    assert!(world.asked.lock().unwrap()[1].0.contains("refresh_token=again"));
    world.good.lock().unwrap().clear();
    *world.renews.lock().unwrap() = false;
    let error = fresh().list(&NoSecrets).await.expect_err("nobody is logged in any more");
    assert!(error.message.contains("flowc tools login server"), "{error}");
}

/// Secrets for the server's own host, and for no other.
struct Own;

impl Secrets for Own {
    fn resolve(&self, name: &str, of: SecretUse<'_>) -> Result<String, String> {
        match (name, of) {
            ("SECRET", SecretUse::Host("127.0.0.1")) => Ok("hush".to_owned()),
            _ => Err(format!("the secret `{name}` is not for `{of:?}`")),
        }
    }
}

#[tokio::test]
async fn a_program_gives_its_secret_to_no_host_that_it_is_not_bound_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, world) = world().await;
    let program = || server(&url, folder.path(), Grant::Secret("SECRET".into()), Arc::new(Own));
    assert_eq!(program().list(&NoSecrets).await.expect("a list").len(), 1);
    let (form, authorization) = world.asked.lock().unwrap()[0].clone();
    assert!(form.contains("grant_type=client_credentials") && form.contains("scope=read"), "{form}");
    assert!(authorization.starts_with("Basic "), "{authorization}");

    std::fs::remove_dir_all(folder.path().join("logins")).expect("a folder");
    let port = url.port().expect("a port");
    *world.issuer.lock().unwrap() = format!("http://localhost:{port}");
    let error = program().list(&NoSecrets).await.expect_err("refused");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Denied, true), "{error}");
    assert!(error.message.contains("`SECRET` is not for"), "{error}");
    assert_eq!(world.asked.lock().unwrap().len(), 1, "nothing was sent");
}
