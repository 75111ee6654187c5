//! Loops that are cancelled between two rounds, where no step tells of that.

use std::sync::Arc;

use crate::program::{Action, Expr, Program, Stmt, Try};
use crate::run::exec::tests::build::*;
use crate::run::exec::tests::crash::programs::repeatable;
use crate::run::exec::tests::crash::{builder, resumed};
use crate::run::{EventKind, MemoryJournal};
use crate::value::Value;

/// A flow that can be undone, loops for a while, and only then begins what has a `finally`.
fn looping(then: impl IntoIterator<Item = Stmt>) -> Arc<Program> {
    let first = step("a", call(ECHO, int(1))).undone_by("a").stmt();
    repeatable(program([flow("main", [first, long()].into_iter().chain(then))]))
}

/// A loop that nobody waits for the end of.
fn long() -> Stmt {
    let inner = each(ints(10_000), block([]));
    statement("for@1", each(ints(10_000), block([statement("for@1", inner)])))
}

/// In real time: events are shown once they are written, and the loops here leave no moment in which time could jump.
fn lively<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(body)
}

/// What a run records that is cancelled in its loop.
async fn cancelled(program: &Arc<Program>) -> Vec<Arc<crate::run::Event>> {
    let engine = builder(program, &Arc::default()).store(Arc::new(MemoryJournal::durable())).build().unwrap();
    let run = engine.start(program, "main", Value::Null).unwrap();
    while run.recorded().len() < 3 {
        tokio::task::yield_now().await;
    }
    run.cancel();
    assert_eq!(run.value().await.unwrap_err().kind, crate::value::ErrorKind::Cancelled);
    run.recorded()
}

/// Dead after any of its events, the run comes to the end it would have come to.
fn comes_to_the_same(program: &Arc<Program>) {
    let whole = lively(cancelled(program));
    let told: Vec<_> = whole.iter().map(|event| tell(&event.kind)).collect();
    let stopped = told.iter().position(|told| told.starts_with("stopped for@1[")).unwrap();
    let after = &told[stopped + 1..];
    assert_eq!(after, ["started a~undo", "completed a~undo", "run.cancelled"], "{told:?}");
    for kept in stopped + 1..whole.len() {
        let world = Arc::default();
        let run = lively(async {
            let run = resumed(program, &whole[..kept], &world).await;
            let _ = run.value().await;
            run
        });
        let again: Vec<_> = run.recorded().iter().map(|event| tell(&event.kind)).collect();
        let again: Vec<_> = again.iter().filter(|told| *told != "run.resumed").collect();
        assert_eq!(again, told.iter().collect::<Vec<_>>(), "dead after event {kept}");
    }
}

#[test]
fn a_try_after_the_place_where_it_stopped_is_not_entered() {
    let body = block([step("x", call(ECHO, int(1))).stmt()]);
    let finally = Some(block([step("f", call(ECHO, int(1))).stmt()]));
    comes_to_the_same(&looping([Stmt::Try(Box::new(Try { body, catch: None, finally }))]));
}

#[test]
fn neither_the_end_of_the_flow_nor_a_failure_comes_before_it() {
    comes_to_the_same(&looping([]));
    comes_to_the_same(&looping([fail("too late")]));
    let branch = |name: &str| step(name, Action::Do(block([fail("too late")]))).branch();
    comes_to_the_same(&looping([step("p", Action::Parallel(vec![branch("l"), branch("r")])).stmt()]));
}

/// A `repeat` whose rounds record nothing waits between them all the same.
#[test]
fn waits_between_rounds_in_which_nothing_happens_are_over_when_they_were() {
    let waits = || repeat(3, Some((20, None)), block([]));
    let tried = || step("r", waits()).with(|step| step.guard = Some(crate::program::Guard::Outcome)).stmt();
    let caught = Try { body: block([statement("repeat@1", waits())]), catch: Some(catch([])), finally: None };
    let last = || step("b", call(ECHO, int(1))).stmt();
    let program = repeatable(program([flow(
        "main",
        [tried(), last(), Stmt::Try(Box::new(caught)), step("c", call(ECHO, int(2))).stmt()],
    )]));
    let whole = lively(async {
        let engine = builder(&program, &Arc::default()).store(Arc::new(MemoryJournal::durable())).build().unwrap();
        let run = engine.start(&program, "main", Value::Null).unwrap();
        run.value().await.unwrap();
        run.recorded()
    });
    let told: Vec<_> = whole.iter().map(|event| tell(&event.kind)).collect();
    assert_eq!(told.len(), 8, "{told:?}");
    for kept in 1..whole.len() {
        let world = Arc::default();
        let again = lively(async {
            let run = resumed(&program, &whole[..kept], &world).await;
            run.value().await.unwrap();
            run.recorded()
        });
        let again = again.iter().map(|event| tell(&event.kind)).filter(|told| told != "run.resumed");
        assert_eq!(again.collect::<Vec<_>>(), told, "dead after event {kept}");
    }
}

/// No event tells when it failed, but what it cancelled does: what others did before is met again.
#[test]
fn an_iteration_that_fails_after_a_loop_cancels_the_others_where_it_did() {
    let list = |upto: i64| Value::list((0..upto).map(|_| Value::Int(1)));
    let body = block([
        statement("for@1", each(Expr::Slot(0), block([step("s", call(SLEEP, Expr::Slot(0))).stmt()]))),
        statement("for@2", each(ints(60_000), block([]))),
        fail("too late"),
    ]);
    let lists = konst(Value::list([list(1_000), list(0), list(1_000)]));
    let all = step("all", parallel_each(lists, Some(3), body)).stmt();
    let program = repeatable(program([flow("main", [all])]));
    let whole = lively(async {
        let engine = builder(&program, &Arc::default()).store(Arc::new(MemoryJournal::durable())).build().unwrap();
        let run = engine.start(&program, "main", Value::Null).unwrap();
        assert_eq!(run.value().await.unwrap_err().message, "too late");
        run.recorded()
    });
    let told: Vec<_> = whole.iter().map(|event| tell(&event.kind)).collect();
    assert!(told.len() > 9, "others go on meanwhile: {told:?}");
    let cut = told.iter().position(|told| told.starts_with("cancelled all[")).unwrap();
    for kept in 1..whole.len() {
        let run = lively(async {
            let run = resumed(&program, &whole[..kept], &Arc::default()).await;
            assert_eq!(run.value().await.unwrap_err().message, "too late", "dead after event {kept} of {told:#?}");
            run
        });
        let again: Vec<_> = run.recorded().iter().map(|event| tell(&event.kind)).collect();
        let again: Vec<_> = again.iter().filter(|told| *told != "run.resumed").collect();
        assert!(kept <= cut || again == told.iter().collect::<Vec<_>>(), "dead after event {kept}");
    }
}

/// A process that dies in a long loop comes back to it as a run that others can share the thread with, and can cancel.
#[test]
fn a_run_comes_back_to_a_loop_and_can_be_cancelled() {
    let program = looping([]);
    lively(async {
        let whole = cancelled(&program).await;
        let run = resumed(&program, &whole[..3], &Arc::default()).await;
        while !run.recorded().iter().any(|event| matches!(event.kind, EventKind::RunResumed)) {
            tokio::task::yield_now().await;
        }
        run.cancel();
        assert_eq!(run.value().await.unwrap_err().kind, crate::value::ErrorKind::Cancelled);
    });
}
