//! `vercel`, with the answers that Vercel's own SDK was recorded with.

use std::path::Path;
use std::sync::Arc;

use flowc::run::Tool;
use flowc::tools::vercel;
use serde_json::{Value as Json, json};

use super::{Answer, Server, call, client};

fn tools(server: &Server, team: Option<&str>) -> Vec<Arc<dyn Tool>> {
    let mut config = vercel::config("KEY");
    config.api.base_url = server.url("");
    config.team = team.map(str::to_owned);
    vercel::tools(config, &client())
}

/// The recorded answer to the first call of a tool of the SDK.
fn recorded(tool: &str) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/http/vercel-mcp-loopback.json");
    let all: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let exchanges = all["exchanges"].as_array().unwrap();
    exchanges.iter().find(|exchange| exchange["tool"] == tool).unwrap()["http_response"]["body"].clone()
}

#[tokio::test]
async fn the_recorded_list_is_read() {
    let server = Server::answering([Answer::json(&recorded("deployments-get-deployments"))]).await;
    let args = json!({ "project": "demo", "limit": 5, "state": "READY" });
    let list = call(&tools(&server, None), "vercel.deployments", &args).await.unwrap();
    let expected = json!([{
        "id": "dpl_1", "project": "demo", "url": "https://demo-1.vercel.app", "state": "READY", "target": "preview",
        "created_at": "2023-11-14T22:13:20Z", "ready_at": "2023-11-14T22:13:20.002Z", "creator": "u1", "commit": null,
        "error": null,
    }]);
    assert_eq!(list, expected);
    let [request] = server.seen().try_into().ok().expect("one request");
    assert_eq!(request.target, "/v6/deployments?projectId=demo&limit=5&state=READY");
}

fn page(ids: std::ops::Range<i64>, next: Option<i64>) -> Answer {
    let deployment =
        |id| json!({ "uid": format!("d{id}"), "name": "n", "url": "n.example", "state": "READY", "created": id });
    Answer::json(&json!({
        "deployments": ids.map(deployment).collect::<Vec<_>>(),
        "pagination": { "count": 100, "next": next, "prev": null },
    }))
}

#[tokio::test]
async fn pages_follow_until_there_are_enough_or_no_more() {
    let ids = |list: Json| list.as_array().unwrap().len();
    let server = Server::answering([page(0..100, Some(900)), page(100..150, Some(800))]).await;
    let args = json!({ "project": "demo", "limit": 130 });
    assert_eq!(ids(call(&tools(&server, Some("team_1")), "vercel.deployments", &args).await.unwrap()), 130);
    let targets: Vec<_> = server.seen().into_iter().map(|request| request.target).collect();
    assert_eq!(
        targets,
        [
            "/v6/deployments?projectId=demo&limit=100&teamId=team_1",
            "/v6/deployments?projectId=demo&limit=30&until=900&teamId=team_1",
        ]
    );
    let server = Server::answering([page(0..3, Some(900)), page(3..5, None)]).await;
    assert_eq!(ids(call(&tools(&server, Some("acme")), "vercel.deployments", &args).await.unwrap()), 5);
    assert!(server.seen()[1].target.ends_with("&until=900&slug=acme"));
    // A server that repeats itself is not asked forever.
    let server = Server::answering([page(0..1, Some(7))]).await;
    assert_eq!(ids(call(&tools(&server, None), "vercel.deployments", &args).await.unwrap()), 2);
}

#[tokio::test]
async fn a_deployment_alone_has_other_names_for_the_same() {
    let server = Server::answering([Answer::json(&json!({
        "id": "dpl_9", "name": "shop", "url": "shop-9.vercel.app", "readyState": "ERROR", "createdAt": 1_700_000_000_000_i64,
        "target": "production", "creator": { "uid": "u", "username": "ada" }, "errorMessage": "Command \"npm run build\" exited with 1",
        "meta": { "githubCommitSha": "4f1c", "githubCommitMessage": "Mend", "githubCommitRef": "main" },
    }))])
    .await;
    let args = json!({ "id": "https://shop-9.vercel.app/" });
    let deployment = call(&tools(&server, None), "vercel.deployment", &args).await.unwrap();
    assert_eq!(deployment["state"], "ERROR");
    assert_eq!(deployment["creator"], "ada");
    assert_eq!(deployment["commit"], json!({ "sha": "4f1c", "message": "Mend", "branch": "main" }));
    assert_eq!(deployment["error"], "Command \"npm run build\" exited with 1");
    let [request] = server.seen().try_into().ok().expect("one request");
    assert_eq!(request.target, "/v13/deployments/shop-9.vercel.app");
}

#[tokio::test]
async fn log_lines_come_in_both_forms_and_in_order() {
    let server = Server::answering([Answer::json(&recorded("deployments-get-deployment-events"))]).await;
    let args = json!({ "id": "dpl_1", "limit": 2 });
    let lines = call(&tools(&server, None), "vercel.logs", &args).await.unwrap();
    assert_eq!(lines, json!([{ "at": "1970-01-01T00:00:00.001Z", "level": "info", "source": "stdout", "text": "hi" }]));
    let [request] = server.seen().try_into().ok().expect("one request");
    assert_eq!(request.target, "/v3/deployments/dpl_1/events?builds=1&direction=backward&follow=0&limit=2");

    let backwards = json!([
        { "type": "stderr", "created": 4, "text": "npm ERR! missing script: build\n", "deploymentId": "d", "id": "4" },
        { "type": "deployment-state", "created": 3, "payload": { "deploymentId": "d", "info": { "readyState": "ERROR" } } },
        { "type": "stdout", "created": 2, "level": "warning", "text": "old lock file" },
        { "type": "command", "created": 1, "payload": { "text": "npm run build", "date": 1 } },
    ]);
    let server = Server::answering([Answer::json(&backwards)]).await;
    let lines = call(&tools(&server, None), "vercel.logs", &args).await.unwrap();
    let seen: Vec<_> =
        lines.as_array().unwrap().iter().map(|line| (line["level"].clone(), line["text"].clone())).collect();
    assert_eq!(
        seen,
        [(json!("warning"), json!("old lock file")), (json!("error"), json!("npm ERR! missing script: build"))]
    );
}
