//! Databases that an earlier flowc wrote, with runs in every state: they go up to the newest version, are read whole, and each
//! run goes on to its end.
//!
//! `then.sql` is what a flowc of version 1 kept, row by row, program included. Version 2 added an index, version 3 keeps
//! the same events in another order, and rows of version 4 may be behind them: what is there has the same form. No version has
//! had other statuses than today's; that a run is being cancelled is told by its events, and the run is `running` meanwhile.
//! `FLOW_UPDATE=1` writes the file anew, with today's flowc and the tables of version 1: that forgets what an earlier one wrote,
//! so it is for a version that nobody has used yet.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowc::program::Program;
use flowc::run::journal::{Filter, Labels, Note, Page, Rest, Standing};
use flowc::run::{
    Clock, Engine, Event, EventKind, JournalError, ResumeError, Run, RunError, RunStatus, RunStore, RunSummary,
    TokioClock, Tool, ToolContext, ToolError, Usage, tool_in_context,
};
use flowc::source::SourceFile;
use flowc::store::SqliteStore;
use flowc::tools::human;
use flowc::value::{ErrorKind, Value};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::store::work::until;

const FLOW: &str = r#"
flow steps() -> int {
    step a = work.read(1)
    step b = work.put(a)
    return b
}

flow tries() -> int {
    step a = work.read(2)
    step c = work.flaky(a) retry 3 backoff 1h..2h
    return c
}

flow sleeps() -> int {
    step a = work.read(3)
    step time.sleep(1h)
    step b = work.put(a)
    return b
}

flow asks() -> int {
    step a = work.read(4)
    step sure = human.approve("Go on?")
    step b = work.put(if sure then a else 0)
    return b
}

flow pays() -> int {
    step paid = signal.wait("paid", into: int)
    step b = work.put(paid)
    return b
}

flow books() -> int {
    step book = work.put(5) undo work.cancel(book)
    step a = work.read(book)
    return a
}
"#;

/// A clock that shows another time: so much later than tokio's.
struct At(SignedDuration, TokioClock);

impl At {
    fn new(now: &str) -> Arc<Self> {
        let clock = TokioClock::default();
        Arc::new(Self(now.parse::<Timestamp>().unwrap().duration_since(clock.now()), clock))
    }
}

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.1.now() + self.0
    }

    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        self.1.sleep(how_long)
    }

    fn jitter(&self) -> f64 {
        self.1.jitter()
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Number {
    n: i64,
}

/// The tools' calls, by the step's path; those of some paths never end, and `work.put` may be broken.
#[derive(Default)]
struct Calls {
    made: Mutex<Vec<(String, String)>>,
    endless: Mutex<Vec<&'static str>>,
    broken: Mutex<bool>,
}

impl Calls {
    fn engine(self: &Arc<Self>, store: Arc<dyn RunStore>, now: &str) -> Engine {
        let tools = ["work.read", "work.put", "work.flaky", "work.cancel"].map(|name| self.tool(name));
        Engine::builder().tools(tools).tools(human::tools()).clock(At::new(now)).store(store).build().unwrap()
    }

    fn tool(self: &Arc<Self>, name: &'static str) -> Arc<dyn Tool> {
        let calls = Arc::clone(self);
        let tool = tool_in_context(name, "Works.", move |number: Number, context: ToolContext<'_>| {
            let calls = Arc::clone(&calls);
            Box::pin(async move { calls.call(name, number.n, context).await })
        });
        if name == "work.read" { Arc::new(tool.read_only()) } else { Arc::new(tool.idempotent()) }
    }

    async fn call(&self, tool: &str, n: i64, context: ToolContext<'_>) -> Result<i64, ToolError> {
        self.made.lock().unwrap().push((context.run.to_owned(), context.path.to_owned()));
        context.report.usage(Usage { input_tokens: 100, output_tokens: 20, usd: 0.25 });
        let endless = self.endless.lock().unwrap().contains(&context.path);
        if endless {
            std::future::pending::<()>().await;
        }
        if tool == "work.flaky" && context.attempt == 1 {
            return Err(ToolError::new(ErrorKind::Network, "the line broke"));
        }
        if tool == "work.put" && *self.broken.lock().unwrap() {
            return Err(ToolError::new(ErrorKind::Tool, "no such shelf"));
        }
        Ok(n + 1)
    }

    fn called(&self, run: &str, path: &str) -> bool {
        self.made.lock().unwrap().iter().any(|(of, at)| of == run && at == path)
    }
}

/// What a database is for these tests.
pub(super) struct Database {
    /// Opens it, which brings it up to date; other owners are dead when they have been silent for this time.
    pub(super) open: Box<dyn Fn(Duration) -> Arc<dyn RunStore>>,
    /// Where `flowc` finds it.
    pub(super) url: String,
}

/// The runs of `then.sql`, by the user that each names its state with: its status, how many events it has, and what it comes to
/// where somebody does what has to be done.
const STATES: [(&str, RunStatus, usize, &str); 13] = [
    ("running", RunStatus::Running, 4, "completed 3"),
    ("retrying", RunStatus::Running, 5, "completed 4"),
    ("cancelling", RunStatus::Running, 7, "cancelled"),
    ("sleeping", RunStatus::Waiting, 4, "completed 5"),
    ("asking", RunStatus::Waiting, 5, "completed 6"),
    ("answered", RunStatus::Waiting, 5, "completed 6"),
    ("told to end", RunStatus::Waiting, 5, "cancelled"),
    ("awaiting", RunStatus::Waiting, 3, "completed 8"),
    ("signalled", RunStatus::Waiting, 3, "completed 10"),
    ("parked", RunStatus::Parked, 4, "completed 3"),
    ("completed", RunStatus::Completed, 6, "completed 3"),
    ("failed", RunStatus::Failed, 6, "failed no such shelf"),
    ("cancelled", RunStatus::Cancelled, 9, "cancelled"),
];

/// Puts what an earlier flowc kept into a database.
pub(super) fn then() -> &'static str {
    include_str!("then.sql")
}

/// Holds a database with the rows of `then.sql` to what must be true of it.
pub(super) async fn every_run_goes_on(database: &Database) {
    let lease = Duration::from_secs(2);
    let store = (database.open)(lease);
    let runs = read(&store).await;
    shown(database, &runs);

    let calls = Arc::new(Calls::default());
    let engine = calls.engine(Arc::clone(&store), "2027-01-01T00:00:00Z");
    let keeper = engine.keep();
    let left = |flow: &str, status, runs| Standing { flow: flow.into(), status, runs };
    let waiting =
        [left("asks", RunStatus::Waiting, 1), left("pays", RunStatus::Waiting, 1), left("steps", RunStatus::Parked, 1)];
    until("what can go on by itself has ended", async || store.standing().await.unwrap() == waiting).await;
    let approve = Note::Answer { path: "sure".into(), value: Value::Bool(true) };
    store.send(&runs["asking"], approve, Timestamp::UNIX_EPOCH).await.unwrap();
    let pay = Note::Signal { name: "paid".into(), value: Value::Int(7) };
    store.send(&runs["awaiting"], pay, Timestamp::UNIX_EPOCH).await.unwrap();
    engine.take(&runs["parked"]).await.unwrap();
    until("all have ended", async || store.standing().await.unwrap().is_empty()).await;
    for (state, status, _, came_to) in STATES {
        let kept = store.load(&runs[state]).await.unwrap();
        let numbers: Vec<_> = kept.events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, (1..=kept.events.len() as u64).collect::<Vec<_>>(), "{state}");
        assert_eq!(tell(kept.events.last().unwrap()), came_to, "{state}");
        // What was completed then was not called again.
        assert!(!calls.called(&runs[state], "a") || state == "cancelling", "{state}");
        let ended = engine.take(&runs[state]).await;
        assert!(matches!(ended, Err(ResumeError::Journal(JournalError::Ended(_)))), "{state}: {status}");
    }
    assert!(calls.called(&runs["cancelling"], "book~undo"));
    let again = engine.fork(&runs["failed"], Some("b")).await.unwrap();
    assert_eq!(again.value().await.unwrap(), Value::Int(3), "what failed then is done again");
    drop(keeper);
}

/// The runs by their states, each read in every way there is.
async fn read(store: &Arc<dyn RunStore>) -> BTreeMap<String, String> {
    let list = store.list(&Filter::default(), Page { most: 100, after: None }).await.unwrap();
    assert_eq!(list.len(), STATES.len());
    let mut runs = BTreeMap::new();
    let told = |run: &RunSummary| (run.labels.user.clone().unwrap().to_string(), (run.status, run.events as usize));
    let wanted: BTreeMap<_, _> =
        STATES.iter().map(|(state, status, events, _)| (state.to_string(), (*status, *events))).collect();
    assert_eq!(list.iter().map(told).collect::<BTreeMap<_, _>>(), wanted);
    for run in &list {
        let state = run.labels.user.clone().unwrap();
        let (kept, events) = (store.load(&run.run).await.unwrap(), run.events as usize);
        assert_eq!((kept.events.len(), kept.opening.program.flows.len()), (events, 6));
        assert_eq!(store.events(&run.run, 0, 100).await.unwrap().len(), events);
        assert_eq!(format!("{:?}", store.summary(&run.run).await.unwrap()), format!("{run:?}"));
        runs.insert(state.to_string(), run.run.to_string());
    }
    let stats = store.stats(&Filter::default()).await.unwrap();
    assert_eq!(stats.iter().map(|flow| flow.runs).sum::<u64>(), STATES.len() as u64);
    assert_eq!(stats.iter().map(|flow| flow.failed).sum::<u64>(), 1);
    assert!(store.spent(Timestamp::UNIX_EPOCH).await.unwrap() > 2.0);
    let standing = store.standing().await.unwrap();
    assert_eq!(standing.iter().map(|flow| flow.runs).sum::<u64>(), 10);
    runs
}

/// What `flowc runs` makes of them.
fn shown(database: &Database, runs: &BTreeMap<String, String>) {
    let flowc = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flowc"));
        let output = command.arg("runs").args(args).args(["--database", &database.url]).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let json = |args: &[&str]| serde_json::from_str::<serde_json::Value>(&flowc(args)).unwrap();
    assert_eq!(json(&["list", "--format", "json"])["runs"].as_array().unwrap().len(), STATES.len());
    assert!(flowc(&["stats"]).contains("books"));
    for (state, _, events, _) in STATES {
        let run = &runs[state];
        assert!(flowc(&["show", run]).contains(run.as_str()), "{state}");
        assert_eq!(json(&["export", run])["events"].as_array().unwrap().len(), events, "{state}");
    }
}

/// How a run ended, in a few words.
fn tell(event: &Event) -> String {
    match &event.kind {
        EventKind::RunCompleted { output, .. } => format!("completed {}", output.to_json_text()),
        EventKind::RunFailed { error, .. } => format!("failed {}", error.message),
        EventKind::RunCancelled { .. } => "cancelled".to_owned(),
        other => other.name().to_owned(),
    }
}

/// Writes `then.sql`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_every_state_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("then.db");
    let opened = path.clone();
    let first = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let first: Arc<dyn RunStore> = Arc::new(SqliteStore::open(&opened).unwrap());
        runtime.block_on(made(&first, &Arc::default()))
    });
    let runs = tokio::task::spawn_blocking(|| first.join().unwrap()).await.unwrap();
    // Its process is gone; what another says to its runs nobody hears yet.
    let second: Arc<dyn RunStore> = Arc::new(SqliteStore::open(&path).unwrap());
    let yes = Note::Answer { path: "sure".into(), value: Value::Bool(true) };
    let paid = Note::Signal { name: "paid".into(), value: Value::Int(9) };
    let now = "2026-11-20T10:01:00Z".parse().unwrap();
    for (state, note) in [("answered", yes), ("signalled", paid), ("told to end", Note::Cancel)] {
        second.send(&runs[state], note, now).await.unwrap();
    }
    let lease = second.take(&runs["parked"], now).await.unwrap();
    let why = RunError::new(ErrorKind::Internal, "the run cannot go on here: its tools are not there");
    second.release(&lease, Rest::Parked(why)).await.unwrap();
    read(&second).await;
    drop(second);
    if std::env::var_os("FLOW_UPDATE").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/store/then.sql");
        std::fs::write(file, dump(&path)).unwrap();
    }
}

/// Brings a run into each state, as far as its own process does.
async fn made(store: &Arc<dyn RunStore>, calls: &Arc<Calls>) -> BTreeMap<&'static str, String> {
    let engine = calls.engine(Arc::clone(store), "2026-11-20T10:00:00Z");
    let keeper = engine.keep();
    let program: Arc<Program> =
        engine.compile(SourceFile::new("then.flow", FLOW)).unwrap_or_else(|wrong| panic!("{wrong}"));
    let start = |state: &'static str, flow: &str| {
        let labels = Labels { user: Some(state.into()), ..Labels::default() };
        engine.start_with(&program, flow, Value::map([]), labels).unwrap()
    };
    let mut runs = BTreeMap::new();
    let completed = start("completed", "steps");
    completed.value().await.unwrap();
    *calls.broken.lock().unwrap() = true;
    let failed = start("failed", "steps");
    failed.value().await.unwrap_err();
    *calls.broken.lock().unwrap() = false;
    let waiting = [
        ("sleeping", "sleeps"),
        ("asking", "asks"),
        ("answered", "asks"),
        ("told to end", "asks"),
        ("awaiting", "pays"),
        ("signalled", "pays"),
    ];
    for (state, flow) in waiting {
        runs.insert(state, start(state, flow).id().to_owned());
    }
    let wait = |flow: &str, runs| Standing { flow: flow.into(), status: RunStatus::Waiting, runs };
    let all = [wait("asks", 3), wait("pays", 2), wait("sleeps", 1)];
    until("they wait", async || store.standing().await.unwrap() == all).await;
    drop(keeper);

    *calls.endless.lock().unwrap() = vec!["a", "book~undo"];
    let cancelling = start("cancelling", "books");
    let cancelled = start("cancelled", "books");
    until("they work", async || [&cancelling, &cancelled].iter().all(|run| calls.called(run.id(), "a"))).await;
    cancelling.cancel();
    until("it is undone", async || calls.called(cancelling.id(), "book~undo")).await;
    *calls.endless.lock().unwrap() = vec!["b"];
    cancelled.cancel();
    cancelled.value().await.unwrap_err();
    let (running, parked, retrying) = (start("running", "steps"), start("parked", "steps"), start("retrying", "tries"));
    let tries = async |run: &Run| run.recorded().iter().any(|event| event.kind.name() == "step.retrying");
    until("they work", async || {
        [&running, &parked].iter().all(|run| calls.called(run.id(), "b")) && tries(&retrying).await
    })
    .await;
    let all = [completed, failed, cancelling, cancelled, running, parked, retrying];
    for run in &all {
        let kept = store.summary(run.id()).await.unwrap();
        let state = STATES.into_iter().find(|(state, ..)| Some(*state) == kept.labels.user.as_deref()).unwrap().0;
        runs.insert(state, run.id().to_owned());
    }
    runs
}

/// A database's rows as SQL that every database takes. The owners are such that one is on a machine that nothing is known of, and
/// one is gone.
fn dump(path: &Path) -> String {
    let db = rusqlite::Connection::open(path).unwrap();
    let owned =
        "UPDATE workflow_runs SET owner = CASE user_id WHEN 'running' THEN 7 ELSE 8 END WHERE owner IS NOT NULL";
    db.execute_batch(owned).unwrap();
    db.execute_batch("DELETE FROM owners; INSERT INTO owners VALUES (7, 'left', '', 1, 1, 1)").unwrap();
    let mut text = String::from("-- What a flowc of version 1 kept: see upgrade.rs.\n");
    for (table, order) in [
        ("programs", "hash"),
        ("owners", "id"),
        ("workflow_runs", "id"),
        ("workflow_steps", "workflow_run_id, step_number"),
        ("workflow_events", "workflow_run_id, number"),
        ("workflow_messages", "number"),
    ] {
        let given = matches!(table, "workflow_runs" | "workflow_messages");
        let mut find = db.prepare(&format!("SELECT * FROM {table} ORDER BY {order}")).unwrap();
        // Their keys are given by the database, from 1 on.
        let from = usize::from(given);
        let names = find.column_names().skip(from).collect::<Vec<_>>().join(", ");
        let columns = find.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let cells = (from..columns).map(|at| literal(row.get_ref(at).unwrap())).collect::<Vec<_>>();
            Ok(format!("    ({})", cells.join(", ")))
        };
        let rows: Vec<String> = find.query_map([], row).unwrap().map(Result::unwrap).collect();
        text += &format!("\nINSERT INTO {table} ({names}) VALUES\n{};\n", rows.join(",\n"));
    }
    text
}

fn literal(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(int) => int.to_string(),
        ValueRef::Real(float) => json!(float).to_string(),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''"))
        }
    }
}
