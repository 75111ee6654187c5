//! `memory`, over a file that outlives its tools.

use flowc::tools::memory::{Config, tools};
use flowc::value::ErrorKind;
use serde_json::json;

use super::call;

#[tokio::test]
async fn notes_outlive_the_process_that_stored_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { path: folder.path().join("new/memory.db") };
    let first = tools(config.clone());
    let note = json!({ "text": "Ada likes tea.", "tags": ["taste"], "sources": ["https://a.example/"] });
    let stored = call(&first, "memory.store", &note).await.unwrap();
    let again = call(&first, "memory.store", &note).await.unwrap();
    assert_eq!(stored, again);
    drop(first);

    let second = tools(config.clone());
    let found = call(&second, "memory.search", &json!({ "query": "what does ada drink, tea?" })).await.unwrap();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["id"], stored["id"]);
    assert_eq!(found[0]["stored_at"], stored["stored_at"]);
    assert_eq!(found[0]["sources"], json!(["https://a.example/"]));
    // Two at once on one file.
    let third = tools(config);
    let other = json!({ "text": "Ben likes coffee." });
    let (a, b) = tokio::join!(call(&second, "memory.store", &other), call(&third, "memory.store", &other));
    assert_eq!(a.unwrap()["id"], b.unwrap()["id"]);
    assert_eq!(call(&third, "memory.forget", &json!({ "id": stored["id"] })).await.unwrap(), json!(true));
    assert_eq!(call(&second, "memory.get", &json!({ "id": stored["id"] })).await.unwrap(), json!(null));
    assert_eq!(call(&second, "memory.search", &json!({ "query": "tea" })).await.unwrap(), json!([]));
}

#[tokio::test]
async fn a_file_that_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("memory.db"), "this is a text and no database at all, however one looks at it")
        .unwrap();
    let tools = tools(Config { path: folder.path().join("memory.db") });
    let error = call(&tools, "memory.search", &json!({ "query": "x" })).await.expect_err("no database");
    assert_eq!((error.kind, error.retryable), (ErrorKind::Tool, false));
    assert!(error.message.contains("memory.db` cannot be used: file is not a database"), "{error}");
}
