use std::time::Duration;

use crate::program::{Action, Expr, Guard, Stmt};
use crate::run::exec::tests::build::*;
use crate::run::{EventKind, Limits};
use crate::value::{ErrorKind, Value};

#[tokio::test(start_paused = true)]
async fn a_step_tells_its_beginning_and_its_end() {
    let ended = run([
        step("a", call(ECHO, konst("x"))).into_slot(0).stmt(),
        step("b", call(ECHO, Expr::Slot(0))).into_slot(1).stmt(),
        Stmt::Return(Expr::Slot(1)),
    ])
    .await;
    assert_eq!(ended.json(), r#""x""#);
    assert_eq!(ended.told(), ["run.started", "started a", "completed a", "started b", "completed b", "run.completed"]);
}

#[tokio::test(start_paused = true)]
async fn tools_are_tried_again_by_default() {
    let program = program([flow("main", [step("a", call(FLAKY, konst("x"))).stmt()])]);
    let (run, world) = start(&program);
    world.flaky.store(2, std::sync::atomic::Ordering::SeqCst);
    let ended = finish(run, world).await;
    assert_eq!(
        ended.told(),
        [
            "run.started",
            "started a",
            "retrying a network",
            "started a#2",
            "retrying a#2 network",
            "started a#3",
            "completed a",
            "run.completed"
        ]
    );
    assert_eq!(ended.calls(), [r#"flaky a "x""#, r#"flaky a#2 "x""#, r#"flaky a#3 "x""#]);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_in_the_error() {
    let program = program([flow("main", [step("a", call(FLAKY, konst("x"))).retried(1).stmt()])]);
    let (run, world) = start(&program);
    world.flaky.store(9, std::sync::atomic::Ordering::SeqCst);
    let ended = finish(run, world).await;
    let error = ended.error();
    assert_eq!((error.kind, error.step.as_str(), error.attempts), (ErrorKind::Network, "a", 2));
    assert_eq!(ended.calls().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_destructive_tool_is_not_tried_again() {
    let ended = run([step("a", call(DESTROY, konst("x"))).stmt()]).await;
    assert_eq!(ended.calls().len(), 1);
    assert_eq!(ended.told(), ["run.started", "started a", "failed a network", "run.failed network"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_retryable_is_not_tried_again() {
    let ended = run([step("a", call(FAIL, konst("x"))).retried(5).stmt()]).await;
    assert_eq!(ended.calls().len(), 1);
    let named = step("a", call(FAIL, konst("x"))).retried(2).with(|step| {
        step.retry.as_mut().unwrap().on = vec![ErrorKind::Tool];
    });
    assert_eq!(run([named.stmt()]).await.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_of_one_attempt() {
    let began = tokio::time::Instant::now();
    let ended = run([step("a", call(HANG, konst("x"))).timed(1000).retried(1).stmt()]).await;
    assert_eq!(ended.error().kind, ErrorKind::Timeout);
    assert_eq!(ended.error().attempts, 2);
    assert!(ended.error().message.contains("1s"));
    assert!((Duration::from_secs(2)..Duration::from_secs(3)).contains(&began.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn a_tool_has_sixty_seconds() {
    let began = tokio::time::Instant::now();
    let ended = run([step("a", call(HANG, konst("x"))).retried(0).stmt()]).await;
    assert_eq!(ended.error().kind, ErrorKind::Timeout);
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_a_block_cancels_what_is_in_it() {
    let inner = block([step("in", call(HANG, konst("x"))).stmt()]);
    let ended = run([step("a", Action::Do(inner)).timed(500).stmt()]).await;
    assert_eq!(
        ended.told(),
        ["run.started", "started a", "started a.in", "cancelled a.in", "failed a timeout", "run.failed timeout"]
    );
}

#[tokio::test(start_paused = true)]
async fn otherwise_is_the_value_of_what_failed() {
    let ended = run([
        step("a", call(FAIL, konst("x"))).with(|step| step.otherwise = Some(konst("y"))).into_slot(0).stmt(),
        Stmt::Return(Expr::Slot(0)),
    ])
    .await;
    assert_eq!(ended.json(), r#""y""#);
    assert_eq!(ended.told(), ["run.started", "started a", "failed a tool", "run.completed"]);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_step_is_null() {
    let ended = run([
        step("a", call(ECHO, konst("x"))).with(|step| step.when = Some(konst(false))).into_slot(0).stmt(),
        Stmt::Return(Expr::Slot(0)),
    ])
    .await;
    assert_eq!(ended.json(), "null");
    assert_eq!(ended.told(), ["run.started", "skipped a", "run.completed"]);
}

#[tokio::test(start_paused = true)]
async fn try_gives_an_outcome() {
    let ended = run([
        step("a", call(FAIL, konst("x"))).with(|step| step.guard = Some(Guard::Outcome)).into_slot(0).stmt(),
        step("b", call(ECHO, konst("x"))).with(|step| step.guard = Some(Guard::Outcome)).into_slot(1).stmt(),
        Stmt::Return(Expr::Slot(0)),
    ])
    .await;
    let outcome = ended.value.as_ref().unwrap();
    assert_eq!(outcome.get("success"), Some(&Value::Bool(false)));
    assert_eq!(outcome.get("error").and_then(|error| error.get("step")).and_then(Value::as_str), Some("a"));
}

#[tokio::test(start_paused = true)]
async fn catch_and_finally_of_a_step_run_within_it() {
    let guard = Guard::Catch {
        catch: Some(catch([step("c", call(ECHO, konst("c"))).into_slot(4).stmt(), Stmt::Yield(Expr::Slot(4))])),
        finally: Some(block([step("f", call(ECHO, konst("f"))).stmt()])),
    };
    let ended = run([
        step("a", call(FAIL, konst("x"))).with(|step| step.guard = Some(guard)).into_slot(0).stmt(),
        Stmt::Return(Expr::Slot(0)),
    ])
    .await;
    assert_eq!(ended.json(), r#""c""#);
    assert_eq!(
        ended.told(),
        [
            "run.started",
            "started a",
            "caught a",
            "started a.c",
            "completed a.c",
            "started a.f",
            "completed a.f",
            "completed a",
            "run.completed"
        ]
    );
    let caught = ended.events.iter().find_map(|event| match &event.kind {
        EventKind::StepCaught { error, .. } => Some(error.kind),
        _ => None,
    });
    assert_eq!(caught, Some(ErrorKind::Tool));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_tool_is_a_failure() {
    let ended = run([step("a", call(PANIC, konst("x"))).stmt()]).await;
    assert_eq!(ended.error().kind, ErrorKind::Internal);
    assert!(ended.error().message.contains("it broke"));
}

#[tokio::test(start_paused = true)]
async fn an_argument_that_is_null_is_left_out() {
    let ended = run([step("a", call(ECHO, konst(Value::Null))).stmt()]).await;
    assert_eq!(ended.calls(), ["echo a null"]);
}

#[tokio::test(start_paused = true)]
async fn no_step_begins_past_the_events_a_run_may_make() {
    let (engine, world) = engine(Limits { events: 10, ..Limits::default() });
    let many = each(ints(100), block([step("s", call(ECHO, konst("x"))).stmt()]));
    let program = program([flow("main", [statement("for@1", many)])]);
    let ended = finish(engine.start(&program, "main", Value::Null).unwrap(), world).await;
    assert_eq!(ended.error().kind, ErrorKind::Exhausted);
    assert!(ended.events.len() <= 13);
}

#[tokio::test(start_paused = true)]
async fn a_budget_of_calls_bounds_attempts() {
    let mut main = flow("main", [step("a", call(FLAKY, konst("x"))).stmt(), step("b", call(ECHO, konst("x"))).stmt()]);
    main.budget.calls = Some(2);
    let program = program([main]);
    let (run, world) = start(&program);
    world.flaky.store(1, std::sync::atomic::Ordering::SeqCst);
    let ended = finish(run, world).await;
    assert_eq!(ended.error().kind, ErrorKind::Budget);
    assert_eq!(ended.calls().len(), 2);
    assert_eq!(ended.error().step, "b");
}

#[tokio::test(start_paused = true)]
async fn a_flow_has_its_timeout() {
    let mut main = flow("main", [step("a", call(HANG, konst("x"))).undone_by("never").stmt()]);
    main.timeout = Some(2000);
    let ended = run_program(program([main])).await;
    assert_eq!(ended.error().kind, ErrorKind::Timeout);
    assert_eq!(ended.told(), ["run.started", "started a", "cancelled a", "run.failed timeout"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_listens_late_hears_everything() {
    use futures::StreamExt;
    let program = program([flow("main", [step("a", call(SLEEP, int(50))).stmt()])]);
    let (run, _world) = start(&program);
    let early = run.events();
    run.value().await.unwrap();
    let late: Vec<_> = run.events().map(|event| event.number).collect().await;
    assert_eq!(late, [1, 2, 3, 4]);
    assert_eq!(early.map(|event| event.number).collect::<Vec<_>>().await, late);
    assert_eq!(run.events_after(2).map(|event| event.number).collect::<Vec<_>>().await, [3, 4]);
}
