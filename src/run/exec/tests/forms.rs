use std::sync::atomic::Ordering;

use crate::program::{Action, Expr, Stmt, Try};
use crate::run::exec::tests::build::*;
use crate::value::{ErrorKind, Value};

#[tokio::test(start_paused = true)]
async fn for_gives_what_its_iterations_yield() {
    let body = block([step("s", call(ECHO, Expr::Slot(0))).into_slot(1).stmt(), Stmt::Yield(Expr::Slot(1))]);
    let ended = run([step("all", each(ints(3), body)).into_slot(2).stmt(), Stmt::Return(Expr::Slot(2))]).await;
    assert_eq!(ended.json(), "[0,1,2]");
    assert_eq!(
        ended.told(),
        [
            "run.started",
            "started all",
            "started all[0].s",
            "completed all[0].s",
            "started all[1].s",
            "completed all[1].s",
            "started all[2].s",
            "completed all[2].s",
            "completed all",
            "run.completed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn parallel_for_keeps_the_order_and_the_limit() {
    let body = block([step("s", call(SLEEP, Expr::Slot(0))).into_slot(1).stmt(), Stmt::Yield(Expr::Slot(1))]);
    let list = konst(Value::list([30, 10, 20, 5, 1].map(Value::Int)));
    let ended =
        run([step("all", parallel_each(list, Some(2), body)).into_slot(2).stmt(), Stmt::Return(Expr::Slot(2))]).await;
    assert_eq!(ended.json(), "[30,10,20,5,1]");
    assert_eq!(ended.world.most_in_flight.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn parallel_for_has_sixteen_in_flight() {
    let body = block([step("s", call(SLEEP, int(10))).stmt()]);
    let ended = run([step("all", parallel_each(ints(100), None, body)).stmt()]).await;
    assert_eq!(ended.world.most_in_flight.load(Ordering::SeqCst), 16);
}

#[tokio::test(start_paused = true)]
async fn the_host_bounds_what_is_in_flight() {
    let body = || block([step("s", call(SLEEP, int(10))).stmt()]);
    let ended = run([step("all", parallel_each(ints(1000), Some(1000), body())).stmt()]).await;
    assert_eq!(ended.world.most_in_flight.load(Ordering::SeqCst), 256);
    let ended = run([step("all", parallel_each(ints(10_001), None, body())).stmt()]).await;
    assert_eq!(ended.error().kind, ErrorKind::Exhausted);
    let ended = run([step("all", parallel_each(ints(1), Some(0), body())).stmt()]).await;
    assert_eq!(ended.error().kind, ErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_of_a_parallel_cancels_the_others() {
    let both = Action::Parallel(vec![
        step("slow", call(HANG, konst("x"))).branch(),
        step("bad", call(FAIL, konst("x"))).branch(),
    ]);
    let ended = run([step("p", both).stmt()]).await;
    assert_eq!(
        ended.told(),
        [
            "run.started",
            "started p",
            "started p.slow",
            "started p.bad",
            "failed p.bad tool",
            "cancelled p.slow",
            "failed p tool",
            "run.failed tool"
        ]
    );
    assert_eq!(ended.error().step, "p.bad");
}

#[tokio::test(start_paused = true)]
async fn parallel_gives_a_record_and_binds_as_a_statement() {
    let branches = || {
        let mut a = step("a", call(ECHO, int(1))).branch();
        a.bind = Some(4);
        vec![a, step("b", call(ECHO, int(2))).branch()]
    };
    let ended = run([step("p", Action::Parallel(branches())).into_slot(0).stmt(), Stmt::Return(Expr::Slot(0))]).await;
    assert_eq!(ended.json(), r#"{"a":1,"b":2}"#);
    let ended = run([statement("parallel@1", Action::Parallel(branches())), Stmt::Return(Expr::Slot(4))]).await;
    assert_eq!(ended.json(), "1");
    assert_eq!(ended.told().get(1).map(String::as_str), Some("started parallel@1.a"));
}

#[tokio::test(start_paused = true)]
async fn the_first_success_wins_a_race() {
    let race = Action::Race(vec![
        step("bad", call(FAIL, konst("x"))).branch(),
        step("slow", call(SLEEP, int(500))).branch(),
        step("fast", call(SLEEP, int(20))).branch(),
    ]);
    let ended = run([step("r", race).into_slot(0).stmt(), Stmt::Return(Expr::Slot(0))]).await;
    assert_eq!(ended.json(), "20");
    assert!(ended.told().contains(&"cancelled r.slow".to_owned()));
    assert!(ended.told().contains(&"failed r.bad tool".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_race_fails_when_all_fail() {
    let race =
        Action::Race(vec![step("a", call(FAIL, konst("x"))).branch(), step("b", call(DESTROY, konst("x"))).branch()]);
    let ended = run([step("r", race).stmt()]).await;
    assert_eq!(ended.error().kind, ErrorKind::Tool);
    assert_eq!(ended.error().step, "r");
    assert!(ended.error().message.contains("`a` tool: it says no; `b` network: cut off"), "{}", ended.error().message);
}

#[tokio::test(start_paused = true)]
async fn repeat_goes_round_until_it_yields_or_is_exhausted() {
    let began = tokio::time::Instant::now();
    let body = block([step("s", call(ECHO, int(1))).stmt()]);
    let ended = run([step("poll", repeat(3, Some((10_000, None)), body)).stmt()]).await;
    assert_eq!(ended.error().kind, ErrorKind::Exhausted);
    assert_eq!(began.elapsed().as_secs(), 20);
    let started: Vec<_> = ended.told().into_iter().filter(|told| told.starts_with("started poll")).collect();
    assert_eq!(started, ["started poll", "started poll.s", "started poll~2.s", "started poll~3.s"]);
    let ended = run([
        step("poll", repeat(3, None, block([Stmt::Yield(int(7))]))).into_slot(0).stmt(),
        Stmt::Return(Expr::Slot(0)),
    ])
    .await;
    assert_eq!(ended.json(), "7");
}

#[tokio::test(start_paused = true)]
async fn a_growing_repeat_doubles_its_wait() {
    let began = tokio::time::Instant::now();
    let body = block([step("s", call(ECHO, int(1))).stmt()]);
    run([step("poll", repeat(5, Some((1000, Some(5000))), body)).stmt()]).await;
    assert_eq!(began.elapsed().as_secs(), 1 + 2 + 4 + 5);
}

#[tokio::test(start_paused = true)]
async fn break_and_continue() {
    let body = block([Stmt::Yield(Expr::Slot(0))]);
    let ended = run([step("a", each(ints(2), body)).into_slot(1).stmt(), Stmt::Return(Expr::Slot(1))]).await;
    assert_eq!(ended.json(), "[0,1]");
    let body = block([Stmt::Break]);
    let ended = run([step("a", each(ints(2), body)).into_slot(1).stmt(), Stmt::Return(Expr::Slot(1))]).await;
    assert_eq!(ended.json(), "[]");
    let body = block([Stmt::Continue]);
    let ended = run([statement("repeat@1", repeat(2, None, body))]).await;
    assert_eq!(ended.error().kind, ErrorKind::Exhausted);
    let ended = run([statement("repeat@1", repeat(2, None, block([Stmt::Break])))]).await;
    assert!(ended.value.is_ok());
}

#[tokio::test(start_paused = true)]
async fn return_leaves_the_blocks_around_it() {
    let inner = each(ints(3), block([Stmt::Return(konst("out"))]));
    let ended = run([step("d", Action::Do(block([step("f", inner).stmt()]))).stmt(), fail("not here")]).await;
    assert_eq!(ended.json(), r#""out""#);
    assert_eq!(
        ended.told(),
        ["run.started", "started d", "started d.f", "completed d.f", "completed d", "run.completed"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_called_flow_runs_under_the_steps_path() {
    let called = flow(
        "summary",
        [
            step("s", call(ECHO, int(1))).into_slot(0).stmt(),
            Stmt::Emit(konst("e")),
            Stmt::Emit(konst("f")),
            Stmt::Return(Expr::Slot(0)),
        ],
    );
    let main = flow(
        "main",
        [
            step("research", Action::Flow { flow: 1, args: Vec::new() }).into_slot(0).stmt(),
            Stmt::Emit(konst("g")),
            Stmt::Return(Expr::Slot(0)),
        ],
    );
    let ended = run_program(program([main, called])).await;
    assert_eq!(
        ended.told(),
        [
            "run.started",
            "started research",
            "started research/s",
            "completed research/s",
            r#"run.emitted research/emit@1 "e""#,
            r#"run.emitted research/emit@2 "f""#,
            "completed research",
            r#"run.emitted emit@1 "g""#,
            "run.completed"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn attempts_of_a_block_are_in_the_paths_within() {
    let body = block([step("ok", call(ECHO, int(1))).stmt(), step("bad", call(DESTROY, int(1))).stmt()]);
    let ended = run([step("d", Action::Do(body)).retried(1).stmt()]).await;
    assert_eq!(
        ended.told(),
        [
            "run.started",
            "started d",
            "started d.ok",
            "completed d.ok",
            "started d.bad",
            "failed d.bad network",
            "retrying d network",
            "started d#2",
            "started d#2.ok",
            "completed d#2.ok",
            "started d#2.bad",
            "failed d#2.bad network",
            "failed d network",
            "run.failed network"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn try_catch_finally_statements() {
    let guarded = |catch_body: Option<Vec<Stmt>>, finally: Option<Vec<Stmt>>, body: Vec<Stmt>| {
        Stmt::Try(Box::new(Try { body: block(body), catch: catch_body.map(catch), finally: finally.map(block) }))
    };
    let bad = || vec![step("bad", call(FAIL, int(1))).stmt()];
    let last = || Some(vec![step("f", call(ECHO, int(2))).stmt()]);
    // Without either the failure is swallowed.
    let ended = run([guarded(None, None, bad()), Stmt::Return(int(1))]).await;
    assert_eq!(ended.json(), "1");
    // With a `finally` alone it goes on.
    let ended = run([guarded(None, last(), bad()), Stmt::Return(int(1))]).await;
    assert_eq!(ended.error().kind, ErrorKind::Tool);
    assert_eq!(ended.calls().len(), 2);
    // `catch` binds the error, and passes returns through.
    let ended = run([guarded(Some(vec![Stmt::Return(Expr::Slot(3))]), last(), bad()), Stmt::Return(int(1))]).await;
    assert_eq!(ended.value.as_ref().unwrap().get("kind").and_then(Value::as_str), Some("tool"));
    assert_eq!(ended.calls().len(), 2);
    // What fails in `finally` counts only where nothing failed before.
    let ended = run([guarded(None, Some(vec![fail("late")]), bad())]).await;
    assert_eq!(ended.error().message, "it says no");
    let ended = run([guarded(None, Some(vec![fail("late")]), vec![])]).await;
    assert_eq!(ended.error().message, "late");
}

#[tokio::test(start_paused = true)]
async fn fail_err_keeps_what_the_error_says() {
    let again = Stmt::Refail { error: Expr::Slot(3), span: crate::source::Span::default() };
    let body = block([step("bad", call(FAIL, int(1))).stmt()]);
    let ended = run([Stmt::Try(Box::new(Try { body, catch: Some(catch([again])), finally: None }))]).await;
    assert_eq!((ended.error().kind, ended.error().step.as_str()), (ErrorKind::Tool, "bad"));
}
