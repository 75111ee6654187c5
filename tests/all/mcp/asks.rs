//! A server that asks while it works on a call: flowc's own, with flows that ask.

use std::sync::Arc;
use std::time::Duration;

use flowc::project::EngineOptions;
use flowc::run::{Run, Waiting};
use flowc::source::SourceFile;
use serde_json::{Value as Json, json};

const SERVED: &str = r#"
type Trip = { city: string, days: int }

flow book() -> { trip: Trip, sure: bool } {
    step trip = human.ask("Where to?", into: Trip, form: { days: { default: 3 } })
    step sure = human.approve("Book it?")
    return { trip, sure }
}
"#;

const FLOW: &str = "flow main() -> json {\n    step booked = travel.book()\n    return booked\n}\n";

async fn waiting(run: &Run, path: &str) -> Waiting {
    tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            if let Some(waiting) = run.waiting().into_iter().find(|waiting| waiting.path == path) {
                return waiting;
            }
            assert!(!run.ended(), "{:?}", run.value().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("a question in time")
}

#[tokio::test]
async fn what_a_server_asks_is_asked_of_the_runs_person() {
    let folder = tempfile::tempdir().expect("a folder");
    let flows = folder.path().join("flows");
    std::fs::create_dir(&flows).expect("a folder");
    std::fs::write(flows.join("b.flow"), SERVED).expect("a file");
    let command = json!([env!("CARGO_BIN_EXE_flowc"), "mcp", flows]);
    let settings = format!("[provide.travel]\nmcp = {{ command = {command} }}\n");
    let asking = super::project(&folder, &settings);
    let synced = asking.sync().await;
    asking.close().await;
    std::fs::write(asking.lock_file(), synced.lock.text()).expect("the lock file");

    let project = super::project(&folder, &settings);
    let engine = project.engine_builder(EngineOptions::default()).build().expect("an engine");
    let program = Arc::new(engine.compile(SourceFile::new("a.flow", FLOW)).expect("a program"));
    let run = engine.start(&program, "main", json!({})).expect("a run");
    let first = waiting(&run, "booked").await;
    assert_eq!(first.request.text, "Where to?");
    assert_eq!(first.request.schema()["properties"]["days"]["default"], 3);
    assert!(run.answer("booked", json!({ "city": 3 })).is_err(), "no city");
    run.answer("booked", json!({ "city": "Rome" })).expect("an answer");
    let second = waiting(&run, "booked?2").await;
    assert_eq!(second.request.text, "Book it?");
    run.answer("booked?2", json!({ "approved": true })).expect("an answer");
    let booked: Json = run.output().await.expect("a booking");
    assert_eq!(booked, json!({ "trip": { "city": "Rome", "days": 3 }, "sure": true }));

    let run = engine.start(&program, "main", json!({})).expect("a run");
    waiting(&run, "booked").await;
    run.decline("booked", "not today").expect("a step that waits");
    let error = run.value().await.expect_err("nobody answered");
    assert!(error.message.contains("declined"), "{error}");
    project.close().await;
}
