use std::time::Duration;

use crate::program::{Action, Guard, Step, Stmt, Try};
use crate::run::EventKind;
use crate::run::exec::tests::build::*;
use crate::value::ErrorKind;

#[tokio::test(start_paused = true)]
async fn cancelling_runs_undos_then_finally_and_is_recorded() {
    let body =
        block([step("a", call(ECHO, konst("a"))).undone_by("a").stmt(), step("h", call(HANG, konst("x"))).stmt()]);
    let last = block([step("f", call(SLEEP, int(10))).stmt()]);
    let handler = catch([step("never", call(ECHO, konst("x"))).stmt()]);
    let guarded = Stmt::Try(Box::new(Try { body, catch: Some(handler), finally: Some(last) }));
    let program = program([flow("main", [guarded, step("after", call(ECHO, konst("x"))).stmt()])]);
    let (run, world) = start(&program);
    tokio::time::sleep(Duration::from_millis(50)).await;
    run.cancel();
    let ended = finish(run, world).await;
    assert_eq!(ended.error().kind, ErrorKind::Cancelled);
    assert_eq!(
        ended.told(),
        [
            "run.started",
            "started a",
            "completed a",
            "started h",
            "run.cancelling",
            "cancelled h",
            "started a~undo",
            "completed a~undo",
            "started f",
            "completed f",
            "run.cancelled"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_catches_or_retries_the_runs_cancellation() {
    let tried = step("h", call(HANG, konst("x"))).retried(5).with(|step| step.guard = Some(Guard::Outcome));
    let program = program([flow("main", [tried.stmt(), step("after", call(ECHO, konst("x"))).stmt()])]);
    let (run, world) = start(&program);
    tokio::time::sleep(Duration::from_millis(50)).await;
    run.cancel();
    let ended = finish(run, world).await;
    assert_eq!(ended.told(), ["run.started", "started h", "run.cancelling", "cancelled h", "run.cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_between_attempts_or_rounds_is_cancelled() {
    let poll = repeat(100, Some((3_600_000, None)), block([step("s", call(ECHO, konst("x"))).stmt()]));
    let program = program([flow("main", [step("poll", poll).stmt()])]);
    let (run, world) = start(&program);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = tokio::time::Instant::now();
    run.cancel();
    let ended = finish(run, world).await;
    assert_eq!(ended.told().last().map(String::as_str), Some("run.cancelled"));
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_loop_without_waiting_can_be_cancelled() {
    let inner = each(ints(1000), block([]));
    let program =
        program([flow("main", [statement("for@1", each(ints(1_000_000), block([statement("for@1", inner)])))])]);
    let (run, world) = start(&program);
    tokio::task::yield_now().await;
    run.cancel();
    let ended = finish(run, world).await;
    assert_eq!(ended.told(), ["run.started", "run.cancelling", "run.cancelled"]);
}

/// A program with every form, some of which fail: deterministic, and different for each seed.
fn tangle(seed: &mut u64, depth: u32) -> Vec<Stmt> {
    let mut stmts = Vec::new();
    for at in 0..=next(seed) % 3 {
        let name = format!("s{at}");
        let pause = i64::try_from(next(seed) % 40).unwrap();
        let leaf = |seed: &mut u64| match next(seed) % 8 {
            0 => call(FAIL, konst("x")),
            1 => call(FLAKY, konst("x")),
            2 => call(ECHO, konst("x")),
            _ => call(SLEEP, int(pause)),
        };
        let kind = if depth == 0 { 0 } else { next(seed) % 9 };
        let inner = |seed: &mut u64| block(tangle(seed, depth - 1));
        let made = match kind {
            1 => step(&name, Action::Do(inner(seed))),
            2 => step(&name, each(ints(2), inner(seed))),
            3 => step(&name, parallel_each(ints(4), Some(3), inner(seed))),
            4 => step(
                &name,
                Action::Parallel(vec![
                    step("l", Action::Do(inner(seed))).branch(),
                    step("ru", Action::Do(inner(seed))).undone_by("r").branch(),
                ]),
            ),
            5 => step(
                &name,
                Action::Race(vec![
                    step("l", Action::Do(inner(seed))).branch(),
                    step("ru", Action::Do(inner(seed))).undone_by("r").branch(),
                ]),
            ),
            6 => step(&name, repeat(2, Some((20, None)), inner(seed))),
            7 => {
                let finally = Some(block([step(&format!("f{at}"), call(SLEEP, int(5))).stmt()]));
                let handler =
                    (next(seed).is_multiple_of(2)).then(|| catch(tangle(seed, depth - 1).into_iter().map(renamed)));
                let body = inner(seed);
                stmts.push(statement(
                    &format!("do@{at}"),
                    Action::Do(block([Stmt::Try(Box::new(Try { body, catch: handler, finally }))])),
                ));
                continue;
            }
            _ => step(&name, leaf(seed)),
        };
        let made = if next(seed).is_multiple_of(3) { named(made.undone_by(&name), "u") } else { made };
        let made = if next(seed).is_multiple_of(4) {
            made.retried(1).with(|step| step.retry.as_mut().unwrap().on = vec![ErrorKind::Tool, ErrorKind::Timeout])
        } else {
            made
        };
        let made = if next(seed).is_multiple_of(5) { made.timed(30) } else { made };
        let made =
            if next(seed).is_multiple_of(2) { made.with(|step| step.guard = Some(Guard::Outcome)) } else { made };
        stmts.push(made.stmt());
    }
    stmts
}

/// A catch stands in the block of its body: its steps need names of their own.
fn renamed(stmt: Stmt) -> Stmt {
    match stmt {
        Stmt::Step(mut step) => {
            step.segment = format!("c{}", step.segment).into();
            Stmt::Step(step)
        }
        Stmt::Block(mut block) => {
            block.segment = format!("c{}", block.segment).into();
            Stmt::Block(block)
        }
        other => other,
    }
}

pub(super) fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Cancelled at any moment, a run leaves nothing behind: no call in flight, one end for each step, numbers without
/// gaps, each completed step that nobody passed on undone, each `finally` begun has ended.
#[test]
fn a_run_cancelled_at_any_moment_ends_cleanly() {
    for seed in 0..400 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut state = seed * 7919 + 1;
            let body = tangle(&mut state, 3);
            let program = program([flow("main", body)]);
            let (run, world) = start(&program);
            world.flaky.store(u32::try_from(next(&mut state) % 5).unwrap(), std::sync::atomic::Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(next(&mut state) % 150)).await;
            run.cancel();
            let ended = finish(run, world).await;
            let told = ended.told();
            if told.last().is_some_and(|last| last == "run.cancelled") {
                every_completed_undo_ran(&told, &ended);
            }
        });
    }
}

/// On a cancelled run every completed step with an undo (their names end in `u`) was undone exactly once.
fn every_completed_undo_ran(told: &[String], ended: &Ended) {
    let of = |what: &str| -> Vec<String> {
        let mut paths: Vec<_> = told.iter().filter_map(|told| told.strip_prefix(what)).map(str::to_owned).collect();
        paths.sort_unstable();
        paths
    };
    let succeeded = |path: &String| {
        path.ends_with('u')
            && ended.events.iter().any(|event| match &event.kind {
                // What `try` made an outcome of ends as `failed`.
                EventKind::StepCompleted { path: at, .. } => at == path,
                _ => false,
            })
            && !told.contains(&format!("caught {path}"))
    };
    let mut due: Vec<_> = of("completed ").into_iter().filter(succeeded).map(|path| format!("{path}~undo")).collect();
    due.sort_unstable();
    let undone: Vec<_> = of("started ").into_iter().filter(|path| path.ends_with("~undo")).collect();
    assert_eq!(undone, due, "{told:#?}");
    let compensated = ended.calls().iter().filter(|call| call.starts_with("compensate ")).count();
    assert_eq!(compensated, undone.len());
}

/// The step under a longer name.
fn named(mut step: Step, more: &str) -> Step {
    step.segment = format!("{}{more}", step.segment).into();
    step
}
