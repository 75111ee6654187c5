use crate::program::{Action, Stmt, Try};
use crate::run::exec::tests::build::*;

fn booked(name: &str) -> Stmt {
    step(name, call(ECHO, konst(name))).undone_by(name).stmt()
}

fn undone(ended: &Ended) -> Vec<String> {
    let calls = ended.calls();
    calls.iter().filter_map(|call| call.strip_prefix("compensate ")).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn a_failed_flow_undoes_its_steps_newest_first() {
    let ended = run([booked("a"), booked("b"), fail("no")]).await;
    assert_eq!(undone(&ended), [r#"b~undo "b""#, r#"a~undo "a""#]);
    assert_eq!(
        ended.told().get(5..),
        Some(
            ["started b~undo", "completed b~undo", "started a~undo", "completed a~undo", "run.failed failed"]
                .map(str::to_owned)
                .as_slice()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn what_succeeded_is_not_undone() {
    assert!(undone(&run([booked("a")]).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_try_body_undoes_its_own_and_before_its_catch() {
    let body = block([booked("b"), fail("no")]);
    let handler = catch([step("c", call(ECHO, konst("c"))).stmt()]);
    let guarded = Stmt::Try(Box::new(Try { body, catch: Some(handler), finally: None }));
    let ended = run([booked("a"), guarded]).await;
    assert_eq!(ended.calls(), [r#"echo a "a""#, r#"echo b "b""#, r#"compensate b~undo "b""#, r#"echo c "c""#]);
}

#[tokio::test(start_paused = true)]
async fn what_a_try_body_did_passes_to_what_holds_it() {
    let guarded = Stmt::Try(Box::new(Try { body: block([booked("b")]), catch: None, finally: None }));
    let ended = run([booked("a"), guarded, fail("no")]).await;
    assert_eq!(undone(&ended), [r#"b~undo "b""#, r#"a~undo "a""#]);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_undoes_its_own() {
    let body = block([booked("b"), step("bad", call(DESTROY, konst("x"))).stmt()]);
    let ended = run([booked("a"), step("d", Action::Do(body)).retried(1).stmt()]).await;
    assert_eq!(undone(&ended), [r#"d.b~undo "b""#, r#"d#2.b~undo "b""#, r#"a~undo "a""#]);
}

#[tokio::test(start_paused = true)]
async fn branches_pass_their_undos_on_in_the_order_of_completion() {
    let slow = step("slow", call(SLEEP, int(50))).undone_by("slow");
    let fast = step("fast", call(SLEEP, int(10))).undone_by("fast");
    let both = Action::Parallel(vec![slow.branch(), fast.branch()]);
    let ended = run([booked("a"), step("p", both).stmt(), fail("no")]).await;
    assert_eq!(undone(&ended), [r#"p.slow~undo "slow""#, r#"p.fast~undo "fast""#, r#"a~undo "a""#]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_branch_undoes_its_own_before_the_block_ends() {
    let body = block([booked("x"), step("h", call(HANG, konst("x"))).stmt()]);
    let branches = vec![step("b", Action::Do(body)).branch(), step("bad", call(FAIL, konst("x"))).branch()];
    let ended = run([step("p", Action::Parallel(branches)).stmt()]).await;
    let told = ended.told();
    let at = |what: &str| told.iter().position(|told| told == what).unwrap_or_else(|| panic!("{what} in {told:?}"));
    assert!(at("completed p.b.x~undo") < at("cancelled p.b"));
    assert!(at("cancelled p.b") < at("failed p tool"));
}

#[tokio::test(start_paused = true)]
async fn the_losers_of_a_race_undo_what_they_did() {
    let body = block([booked("x"), step("h", call(HANG, konst("x"))).stmt()]);
    let branches = vec![step("lost", Action::Do(body)).branch(), step("won", call(SLEEP, int(5))).branch()];
    let ended = run([step("r", Action::Race(branches)).stmt()]).await;
    assert_eq!(undone(&ended), [r#"r.lost.x~undo "x""#]);
    assert!(ended.value.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_failing_undo_is_recorded_and_the_rest_still_run() {
    let bad = step("b", call(ECHO, konst("b"))).undone_by("b").with(|step| {
        step.undo.as_mut().unwrap().call = call(FAIL, konst("x"));
    });
    let ended = run([booked("a"), bad.stmt(), fail("no")]).await;
    assert!(ended.told().contains(&"failed b~undo tool".to_owned()));
    assert_eq!(undone(&ended), [r#"a~undo "a""#]);
    assert_eq!(ended.error().message, "no");
}

#[tokio::test(start_paused = true)]
async fn an_undo_may_be_a_flow_and_is_not_undone_itself() {
    let undoing = flow("undoing", [booked("u")]);
    let held = step("a", call(ECHO, konst("a"))).undone_by("a").with(|step| {
        step.undo.as_mut().unwrap().call = Action::Flow { flow: 1, args: Vec::new() };
    });
    let ended = run_program(program([flow("main", [held.stmt(), fail("no")]), undoing])).await;
    assert_eq!(ended.calls(), [r#"echo a "a""#, r#"echo a~undo/u "u""#]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_was_tried_and_failed_has_nothing_to_undo() {
    let tried = step("a", call(FAIL, konst("a"))).undone_by("a").with(|step| {
        step.guard = Some(crate::program::Guard::Outcome);
    });
    assert!(undone(&run([tried.stmt(), fail("no")]).await).is_empty());
}
