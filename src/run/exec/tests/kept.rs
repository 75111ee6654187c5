//! Runs that are kept in a store: what engines that share one do with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::program::{Program, Stmt};
use crate::run::exec::tests::build::*;
use crate::run::journal::{Filter, Journal, JournalError, Labels, Lease, Note, Opening, Page};
use crate::run::{
    Engine, Event, EventKind, Limits, MemoryJournal, Once, OnceError, Request, RequestKind, ResumeError, Run,
    RunStatus, RunStore, ToolContext, tool_in_context,
};
use crate::types::Type;
use crate::value::{ErrorKind, Value};

/// An engine on a store, with the scripted tools, and one that waits for the signal `go`, an int.
fn on(store: MemoryJournal, world: &Arc<World>, program: &Program) -> Engine {
    let wait = tool_in_context("signal.wait", "", |_: Empty, context: ToolContext<'_>| {
        let request = Request::new(RequestKind::Signal, "go", Type::Int);
        Box::pin(async move { context.desk.wait(request).await.map(|value| serde_json::Value::from(&value)) })
    });
    let scripted = tools(program, world).into_iter().filter(|tool| tool.signature().namespace() == "test");
    Engine::builder().tools(scripted).tool(wait).store(Arc::new(store)).build().unwrap()
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Empty {}

/// A flow that waits for the signal between two steps.
fn waiting() -> Arc<Program> {
    let mut program = Arc::into_inner(program([])).unwrap();
    let signature = crate::types::Signature::new("signal.wait", "", Type::Json);
    program.tools.push(Arc::new(signature));
    let wait = crate::program::Action::Tool {
        tool: u32::try_from(program.tools.len() - 1).unwrap(),
        shape: Arc::new(crate::value::Shape::new([])),
        args: Vec::new(),
    };
    program.flows.push(flow(
        "main",
        [
            step("a", call(ECHO, int(1))).stmt(),
            step("w", wait).into_slot(0).stmt(),
            step("b", call(ECHO, int(2))).stmt(),
            Stmt::Return(crate::program::Expr::Slot(0)),
        ],
    ));
    Arc::new(program)
}

async fn status(store: &MemoryJournal, run: &str) -> RunStatus {
    store.summary(run).await.unwrap().status
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_leaves_the_memory_and_a_signal_brings_it_back() {
    let (store, world, program) = (MemoryJournal::durable(), Arc::new(World::default()), waiting());
    let engine = on(store.owner(), &world, &program);
    let keeper = engine.keep();
    let run = engine.start(&program, "main", Value::Null).unwrap();
    let id = run.id().to_owned();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(status(&store, &id).await, RunStatus::Running, "as long as somebody looks");
    drop(run);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(status(&store, &id).await, RunStatus::Waiting);
    assert!(engine.run(&id).is_none(), "nothing of it is in memory");
    // From another process, which does nothing else.
    let misfit = store.send("no such run", Note::Cancel, jiff::Timestamp::UNIX_EPOCH).await;
    assert!(matches!(misfit, Err(JournalError::Unknown(_))));
    let go = Note::Signal { name: "go".into(), value: Value::Int(7) };
    store.send(&id, go, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let kept = store.load(&id).await.unwrap();
    let told: Vec<_> = kept.events.iter().map(|event| tell(&event.kind)).collect();
    assert_eq!(kept.summary.status, RunStatus::Completed, "{told:?}");
    let waited = ["run.waiting w", "run.signalled", "run.resumed", "run.received w", "completed w"];
    assert!(told.windows(5).any(|part| part == waited), "{told:?}");
    assert_eq!(world.calls.lock().unwrap().len(), 2);
    drop(keeper);
}

/// The call is still at work: if the run left, it would be cut off.
#[tokio::test(start_paused = true)]
async fn a_run_whose_call_asks_stays_in_memory() {
    let store = MemoryJournal::durable();
    let ask = tool_in_context("test.ask", "", |_: Empty, context: ToolContext<'_>| {
        let request = Request::new(RequestKind::Approval, "Sure?", Type::Bool);
        Box::pin(async move { context.desk.wait(request).await.map(|value| serde_json::Value::from(&value)) })
    });
    let engine = Engine::builder().tool(ask.destructive()).store(Arc::new(store.owner())).build().unwrap();
    let keeper = engine.keep();
    let run = engine.call("test.ask", Value::map([])).unwrap();
    let id = run.id().to_owned();
    drop(run);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let run = engine.run(&id).expect("it is in memory");
    assert_eq!(status(&store, &id).await, RunStatus::Running);
    run.answer(&run.waiting()[0].path, true).unwrap();
    assert_eq!(run.value().await.unwrap(), Value::Bool(true));
    drop(keeper);
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_came_early_outlives_the_process() {
    let (store, world, program) = (MemoryJournal::durable(), Arc::new(World::default()), waiting());
    let first = store.owner();
    let engine = on(first.peer(), &world, &program);
    let run = engine.start(&program, "main", Value::Null).unwrap();
    run.signal("go", 1).unwrap();
    run.signal("go", 2).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let taken = run.value().await.unwrap();
    assert_eq!(taken, Value::Int(1), "the first");
    let events = run.recorded();
    assert_eq!(events.iter().filter(|event| matches!(event.kind, EventKind::RunSignalled { .. })).count(), 2);
    // They came before the step waited: so they do in a copy that begins there.
    let copy = engine.fork(run.id(), Some("w")).await.unwrap();
    assert_eq!(copy.value().await.unwrap(), Value::Int(1));
    assert_eq!(world.calls.lock().unwrap().iter().filter(|call| call.contains(" a ")).count(), 1);
    assert_eq!(store.load(copy.id()).await.unwrap().opening.labels.forked_from.as_deref(), Some(run.id()));
    let unknown = engine.fork(run.id(), Some("ww")).await.unwrap_err().to_string();
    assert_eq!(unknown, "the run never began a step `ww`; did you mean `w`?");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_dead_owner_is_taken_over_and_a_stale_owner_writes_nothing() {
    let (store, world) = (MemoryJournal::durable(), Arc::new(World::default()));
    let body = [step("s", call(SLEEP, int(10_000))).retried(1).stmt(), step("b", call(ECHO, int(2))).stmt()];
    let program = program([flow("main", body)]);
    let stale = store.owner();
    let engine = on(stale.peer(), &world, &program);
    let run = engine.start(&program, "main", Value::Null).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(store.owner().take(run.id(), jiff::Timestamp::UNIX_EPOCH).await, Err(JournalError::Held(_))));
    stale.abandon();
    let other = on(store.owner(), &world, &program);
    let _keeper = other.keep();
    // The stale owner wakes up and wants to go on.
    let error = run.value().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(error.message.contains("taken over"), "{}", error.message);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(status(&store, run.id()).await, RunStatus::Completed);
    let calls = world.calls.lock().unwrap().clone();
    assert_eq!(calls.iter().filter(|call| call.starts_with("echo")).count(), 1, "{calls:?}");
    check_events(&store.recorded(run.id()));
}

/// A journal whose process falls asleep once it was told that what comes before the first call is durable.
struct Asleep {
    journal: MemoryJournal,
    other: MemoryJournal,
    commits: AtomicUsize,
}

impl Journal for Asleep {
    fn open(&self, opening: Arc<Opening>) -> Lease {
        self.journal.open(opening)
    }

    fn append(&self, lease: &Lease, events: &[Arc<Event>]) {
        self.journal.append(lease, events);
    }

    fn commit<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            self.journal.commit(lease).await?;
            if self.commits.fetch_add(1, Ordering::SeqCst) == 1 {
                tokio::time::sleep(self.lease()).await;
                self.journal.abandon();
                self.other.claim(1, jiff::Timestamp::UNIX_EPOCH).await?;
            }
            Ok(())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_asleep_for_a_lease_asks_again_before_it_calls() {
    let (store, world) = (MemoryJournal::durable(), Arc::new(World::default()));
    let program = program([flow("main", [step("a", call(ECHO, int(1))).stmt()])]);
    let journal = Asleep { journal: store.owner(), other: store.owner(), commits: AtomicUsize::new(0) };
    let engine = Engine::builder().tools(tools(&program, &world)).journal(journal).build().unwrap();
    let error = engine.start(&program, "main", Value::Null).unwrap().value().await.unwrap_err();
    assert!(error.message.contains("taken over"), "{}", error.message);
    assert_eq!(*world.calls.lock().unwrap(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_may_do_harm_twice_is_interrupted_and_can_be_caught() {
    let (store, world) = (MemoryJournal::durable(), Arc::new(World::default()));
    let guarded = step("s", call(SLEEP, int(10_000))).into_slot(0);
    let guarded = guarded.with(|step| step.guard = Some(crate::program::Guard::Outcome));
    let program = program([flow("main", [guarded.stmt(), Stmt::Return(crate::program::Expr::Slot(0))])]);
    let first = store.owner();
    let run = on(first.peer(), &world, &program).start(&program, "main", Value::Null).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.abandon();
    let again = on(store.owner(), &world, &program).take(run.id()).await.unwrap();
    let outcome = again.value().await.unwrap();
    let error = outcome.get("error").unwrap();
    assert_eq!(error.get("kind").and_then(Value::as_str), Some("interrupted"));
    assert!(error.get("message").and_then(Value::as_str).unwrap().contains("`test.sleep` was in flight"));
    assert_eq!(world.calls.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_start_key_has_one_run() {
    let (store, world, program) = (MemoryJournal::durable(), Arc::new(World::default()), waiting());
    let engine = on(store.owner(), &world, &program);
    let labels = || Labels { key: Some("order 7".into()), user: Some("ann".into()), ..Labels::default() };
    let start = |input: Value| engine.start_once(&program, "main", input, labels());
    let Once::New(run) = start(Value::Null).await.unwrap() else { panic!("there is none yet") };
    let Once::Known(known) = start(Value::Null).await.unwrap() else { panic!("there is one") };
    assert_eq!(known, run.id());
    assert!(matches!(start(Value::map([])).await, Err(OnceError::Other(other)) if other == run.id()));
    let of = |user: &str| Filter { user: Some(user.into()), ..Filter::default() };
    let page = || Page { most: 10, after: None };
    assert_eq!(store.list(&of("ann"), page()).await.unwrap().len(), 1);
    assert!(store.list(&of("bob"), page()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_migrates_to_a_program_that_fits_and_to_no_other() {
    let (store, world, old) = (MemoryJournal::durable(), Arc::new(World::default()), waiting());
    let first = store.owner();
    let run: Run = on(first.peer(), &world, &old).start(&old, "main", Value::Null).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.abandon();
    let changed = |change: fn(&mut Vec<Stmt>)| {
        let mut program = Arc::into_inner(waiting()).unwrap();
        change(&mut program.flows[0].body.stmts);
        Arc::new(program)
    };
    let fits = changed(|stmts| stmts[2] = step("b", call(ECHO, int(3))).stmt());
    let differs = changed(|stmts| stmts[0] = step("a", call(ECHO, int(9))).stmt());
    let gone = changed(|stmts| {
        stmts.remove(0);
    });
    let engine = on(store.owner(), &world, &old);
    let why = engine.migrate(run.id(), &differs).await.unwrap().unwrap_err();
    assert!(why.message.contains("step `a`: it called `test.echo` with other arguments"), "{}", why.message);
    let why = engine.migrate(run.id(), &gone).await.unwrap().unwrap_err();
    assert!(why.message.contains("step `a`: `step.started` was recorded"), "{}", why.message);
    engine.migrate(run.id(), &fits).await.unwrap().unwrap();
    assert_eq!(world.calls.lock().unwrap().len(), 1, "a rehearsal calls nothing");
    let run = engine.take(run.id()).await.unwrap();
    run.signal("go", 5).unwrap();
    assert_eq!(run.value().await.unwrap(), Value::Int(5));
    assert_eq!(world.calls.lock().unwrap().last().map(String::as_str), Some("echo b 3"));
    assert!(matches!(engine.take(run.id()).await, Err(ResumeError::Journal(JournalError::Ended(_)))));
    assert_eq!(world.in_flight.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_its_process_down_is_parked() {
    let (store, world, program) = (MemoryJournal::durable(), Arc::new(World::default()), waiting());
    let first = store.owner();
    let run = on(first.peer(), &world, &program).start(&program, "main", Value::Null).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.abandon();
    let mut claimed = 0;
    while let [_lease] = store.owner().claim(9, jiff::Timestamp::UNIX_EPOCH).await.unwrap().as_slice() {
        claimed += 1;
    }
    assert_eq!(claimed, crate::run::journal::MOST_RECOVERIES);
    assert_eq!(status(&store, run.id()).await, RunStatus::Parked);
    // Somebody looked at it.
    let again = on(store.owner(), &world, &program).take(run.id()).await.unwrap();
    again.signal("go", 1).unwrap();
    assert_eq!(again.value().await.unwrap(), Value::Int(1));
}

#[tokio::test(start_paused = true)]
async fn no_call_is_made_that_would_spend_more_than_the_operator_lets_runs() {
    let (store, world) = (MemoryJournal::durable(), Arc::new(World::default()));
    let mut program = Arc::into_inner(program([])).unwrap();
    for tool in &mut program.tools {
        Arc::make_mut(tool).annotations.cost_usd = Some(0.5);
    }
    let calls = ["a", "b", "c"].map(|name| step(name, call(ECHO, int(1))).stmt());
    program.flows.push(flow("main", calls));
    let program = Arc::new(program);
    let engine = |limits: Limits| {
        let owner = Arc::new(store.owner());
        Engine::builder().tools(tools(&program, &world)).limits(limits).store(owner).build().unwrap()
    };
    let limits =
        |run: Option<f64>, day: Option<f64>| Limits { usd_per_run: run, usd_per_day: day, ..Limits::default() };
    let run = engine(limits(Some(1.2), None)).start(&program, "main", Value::Null).unwrap();
    let error = run.value().await.unwrap_err();
    assert_eq!((error.kind, error.step.as_str()), (ErrorKind::Budget, "c"));
    assert_eq!(error.message, "the run may spend 1.2 USD, 1.0000 are spent: raise `usd_per_run`");
    assert!((store.load(run.id()).await.unwrap().summary.usage.usd - 1.0).abs() < 1e-9);
    // Another process, which learns of that.
    let run = engine(limits(None, Some(1.6))).start(&program, "main", Value::Null).unwrap();
    let error = run.value().await.unwrap_err();
    assert_eq!((error.kind, error.step.as_str()), (ErrorKind::Budget, "b"));
    assert!(error.message.starts_with("all runs of 24 hours may spend 1.6 USD, 1.5"), "{}", error.message);
}
