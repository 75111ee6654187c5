//! Runs that wait for people and signals.

use std::sync::Arc;
use std::time::Duration;

use flowc::run::{AnswerError, Engine, Event, EventKind, RequestKind, Run, RunError};
use flowc::source::SourceFile;
use flowc::tools::human;
use flowc::value::{ErrorKind, Value};
use futures::StreamExt;
use serde_json::{Value as Json, json};

fn start(flow: &str) -> Run {
    let engine = Engine::builder().tools(human::tools()).build().unwrap();
    let program = engine.compile(SourceFile::new("it.flow", flow)).unwrap_or_else(|wrong| panic!("{wrong}"));
    engine.start(&program, "it", Value::map([])).unwrap()
}

/// The next time the run begins to wait: the path, and what for.
async fn waits(run: &Run) -> (String, Json) {
    let known = run.recorded().len() as u64;
    let is_waiting = |event: &Arc<Event>| matches!(event.kind, EventKind::RunWaiting { .. });
    let event = match run.recorded().into_iter().rev().find(is_waiting) {
        Some(event) if !run.waiting().is_empty() => event,
        _ => {
            run.events_after(known).filter(|event| std::future::ready(is_waiting(event))).next().await.expect("a wait")
        }
    };
    let json = serde_json::to_value(&*event).unwrap();
    (json["path"].as_str().unwrap().to_owned(), json)
}

async fn failure(run: &Run) -> RunError {
    run.value().await.expect_err("it fails")
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_all_the_time_it_takes_and_fits() {
    let run = start(
        r#"
        type Plan = { colour: "red" | "blue", copies: int }
        flow it() -> string {
            step plan = human.ask("Which colour?", into: Plan, details: { for: "the door" })
            step sure = human.approve("Print {{plan.copies}}?")
            return if sure then "{{plan.copies}} {{plan.colour}}" else "none"
        }
        "#,
    );
    let (path, event) = waits(&run).await;
    assert_eq!(path, "plan");
    assert_eq!(event["reason"], "an answer: Which colour?");
    let request = &event["request"];
    assert_eq!((&request["kind"], &request["question"]), (&json!("answer"), &json!("Which colour?")));
    assert_eq!(request["details"], json!({ "for": "the door" }));
    assert_eq!(request["schema"]["properties"]["colour"], json!({ "enum": ["red", "blue"] }));
    // Neither the default timeout of tool calls nor a retry ends the wait.
    tokio::time::sleep(Duration::from_hours(48)).await;
    let [waiting] = <[_; 1]>::try_from(run.waiting()).expect("one question");
    assert_eq!((waiting.path.as_str(), waiting.request.kind), ("plan", RequestKind::Answer));

    let misfit = run.answer("plan", json!({ "colour": "green", "copies": 2 })).expect_err("no such colour");
    assert!(matches!(&misfit, AnswerError::Misfit(misfit) if misfit.path == ".colour"), "{misfit}");
    let stray = run.answer("plna", json!({})).expect_err("no such step");
    assert_eq!(stray.to_string(), "`plna` does not wait; what waits is `plan`");
    run.answer("plan", json!({ "colour": "red", "copies": 2.0, "more": true })).unwrap();
    tokio::task::yield_now().await;
    let (path, event) = waits(&run).await;
    assert_eq!((path.as_str(), &event["reason"]), ("sure", &json!("approval: Print 2?")));
    run.answer("sure", true).unwrap();
    assert_eq!(run.value().await.unwrap(), Value::from("2 red"));
    assert_eq!(run.answer("sure", true), Err(AnswerError::Ended));
    let kinds: Vec<_> = run.recorded().iter().map(|event| event.kind.name()).collect();
    let step = ["step.started", "run.waiting", "run.received", "step.completed"];
    assert_eq!(kinds, [&["run.started"][..], &step, &step, &["run.completed"]].concat());
}

#[tokio::test(start_paused = true)]
async fn signals_are_kept_until_they_are_waited_for_and_given_once() {
    let run = start(
        r#"
        flow it() -> list<int> {
            step time.sleep(1m)
            step first = signal.wait("paid", into: int)
            parallel {
                step a = signal.wait("paid", into: int)
                step b = signal.wait("paid", into: int)
            }
            return [first, a, b]
        }
        "#,
    );
    run.signal("paid", 1).unwrap();
    run.signal("other", 7).unwrap();
    let (_, event) = waits(&run).await;
    assert_eq!(event["request"], json!({ "kind": "signal", "name": "paid", "schema": { "type": "integer" } }));
    while run.waiting().len() < 2 {
        tokio::task::yield_now().await;
    }
    let misfit = run.signal("paid", "two").expect_err("no int");
    assert!(matches!(misfit, AnswerError::Misfit(_)), "{misfit}");
    run.signal("paid", 2).unwrap();
    run.signal("paid", 3).unwrap();
    assert_eq!(run.output::<Vec<i64>>().await.unwrap(), [1, 2, 3]);
    assert_eq!(run.signal("paid", 4), Err(AnswerError::Ended));
    let waits = run.recorded().iter().filter(|event| event.kind.name() == "run.waiting").count();
    assert_eq!(waits, 2, "what was there already was not waited for");
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_does_not_fit_is_told_by_the_step_that_comes_late() {
    let run = start("flow it() -> int { step time.sleep(1s) step n = signal.wait(\"n\", into: int) return n }");
    run.signal("n", "many").unwrap();
    let error = failure(&run).await;
    assert_eq!((error.kind, error.attempts), (ErrorKind::Invalid, 1));
    assert_eq!(error.message, "the signal `n` does not fit: expected an int, found the string \"many\"");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_timeout_and_is_not_tried_again() {
    let run = start(
        "flow it() -> string { step name = human.ask(\"Who?\", into: string) retry 3 timeout 1h else \"nobody\" return name }",
    );
    let began = tokio::time::Instant::now();
    waits(&run).await;
    assert_eq!(run.value().await.unwrap(), Value::from("nobody"));
    assert_eq!(began.elapsed().as_secs(), 3600);
    assert!(run.waiting().is_empty());
    let retries = run.recorded().iter().filter(|event| event.kind.name() == "step.retrying").count();
    assert_eq!(retries, 0);
}

#[tokio::test(start_paused = true)]
async fn waits_are_declined_and_cancelled() {
    let flow = "flow it() -> bool { step sure = human.approve(\"Sure?\") return sure }";
    let run = start(flow);
    let (path, _) = waits(&run).await;
    run.decline(&path, "nobody is here").unwrap();
    let error = failure(&run).await;
    assert_eq!((error.kind, error.attempts, error.message.as_str()), (ErrorKind::Denied, 1, "nobody is here"));

    for late in [false, true] {
        let run = start(flow);
        if late {
            waits(&run).await;
        }
        run.unattended("nobody is here");
        let error = failure(&run).await;
        assert_eq!((error.kind, error.attempts), (ErrorKind::Denied, 1));
        assert_eq!(error.message, "nobody is here (the step waits for approval: Sure?)");
    }

    let run = start(flow);
    waits(&run).await;
    run.cancel();
    assert_eq!(failure(&run).await.kind, ErrorKind::Cancelled);
    assert!(run.waiting().is_empty());

    let run = start(
        r#"flow it() -> string { race { step a = human.ask("A?", into: string) step b = signal.wait("b", into: string) } return "x" }"#,
    );
    waits(&run).await;
    run.signal("b", "now").unwrap();
    run.value().await.unwrap();
    assert!(run.waiting().is_empty(), "the question that lost is withdrawn");
}
