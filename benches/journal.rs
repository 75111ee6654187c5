//! How fast runs are kept, beside SQLite itself doing the least that could be: `cargo bench --bench journal`. With the
//! address of an empty PostgreSQL database in `FLOW_BENCH_POSTGRES` that is measured too.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowc::program::Program;
use flowc::run::journal::{Filter, Labels, Opening, Page};
use flowc::run::{
    Engine, Event, EventKind, Lease, Request, RequestKind, RunStatus, RunStore, ToolContext, tool, tool_in_context,
};
use flowc::source::SourceFile;
use flowc::store::{PostgresStore, SqliteStore};
use flowc::types::Type;
use flowc::value::Value;
use futures::future::join_all;
use jiff::Timestamp;
use rusqlite::Connection;

fn program() -> Arc<Program> {
    let source = SourceFile::new("it.flow", "flow it() -> int { return 1 }");
    Engine::builder().build().unwrap().compile(source).unwrap()
}

/// One run being written.
struct Writing<'a> {
    store: &'a dyn RunStore,
    lease: Lease,
    next: u64,
}

impl<'a> Writing<'a> {
    fn begin(store: &'a dyn RunStore, program: &Arc<Program>, run: String) -> Self {
        let opening = Opening {
            run: run.into(),
            flow: "it".into(),
            program: Arc::clone(program),
            input: Value::map([("url".into(), "https://example.org".into())]),
            at: Timestamp::now(),
            labels: Labels::default(),
        };
        let (run, flow, hash) = (opening.run.clone(), opening.flow.clone(), program.hash().clone());
        let start = EventKind::RunStarted { run, flow, program: hash, input: opening.input.clone(), steps: 5 };
        let mut writing = Self { store, lease: store.open(Arc::new(opening)), next: 1 };
        writing.append(start);
        writing
    }

    fn append(&mut self, kind: EventKind) {
        let event = Arc::new(Event { number: self.next, at: Timestamp::now(), kind });
        self.store.append(&self.lease, &[event]);
        self.next += 1;
    }

    fn begins(&mut self, step: usize) {
        self.append(EventKind::StepStarted {
            path: format!("step_{step}").into(),
            title: None,
            action: "bench.no_op".into(),
            attempt: 1,
            items: None,
            args_hash: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into()),
        });
    }

    fn completes(&mut self, step: usize) {
        let result = Value::map([("title".into(), "A page".into()), ("words".into(), Value::Int(1_234))]);
        self.append(EventKind::StepCompleted {
            path: format!("step_{step}").into(),
            result,
            duration_ms: 1,
            usage: None,
        });
    }

    fn ends(&mut self) {
        self.append(EventKind::RunCompleted { output: Value::Int(1), duration_ms: 5 });
    }

    async fn commit(&self) {
        self.store.commit(&self.lease).await.unwrap();
    }

    /// As a run of the engine does: the outcome of a step and the intent of the next share a commit.
    async fn steps(&mut self, count: usize) {
        self.commit().await;
        self.begins(0);
        for step in 0..count {
            self.commit().await;
            self.completes(step);
            if step + 1 < count {
                self.begins(step + 1);
            }
        }
        self.ends();
        self.commit().await;
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// SQLite alone, open as long as the store is.
struct Floor(Connection);

impl Floor {
    fn open(path: &Path) -> Self {
        let db = Connection::open(path).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        db.pragma_update(None, "synchronous", "full").unwrap();
        db.execute_batch("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, data TEXT)").unwrap();
        Self(db)
    }

    /// A thousand commits of one row each.
    fn commits(&self) -> Duration {
        let mut insert = self.0.prepare("INSERT INTO rows (data) VALUES (?)").unwrap();
        let data = "x".repeat(200);
        let began = Instant::now();
        for _ in 0..1_000 {
            insert.execute([&data]).unwrap();
        }
        began.elapsed()
    }
}

/// How often chains are measured.
const ROUNDS: usize = 5;

/// What a chain and the floor took: first in new files, then in the same files again. A log that is written over is synced sooner
/// than one that grows.
#[derive(Default)]
struct Turns {
    floors: [Vec<Duration>; 2],
    chains: [Vec<Duration>; 2],
}

impl Turns {
    fn tell(self, name: &str) {
        let files = ["new files", "the same files again"];
        for ((floors, chains), files) in self.floors.into_iter().zip(self.chains).zip(files) {
            let (floor, chain) = (millis(median(floors)), millis(median(chains)));
            println!("{name:<44} {chain:>9.1} ms, {:.2} times the {floor:.1} ms of SQLite ({files})", chain / floor);
        }
    }
}

async fn chain(store: &dyn RunStore, program: &Arc<Program>, run: String) -> Duration {
    let mut run = Writing::begin(store, program, run);
    run.commit().await;
    let began = Instant::now();
    run.begins(0);
    run.commit().await;
    for step in 0..1_000 {
        run.completes(step);
        run.begins(step + 1);
        run.commit().await;
    }
    began.elapsed()
}

/// A thousand runs of five steps, all at once; steps a second.
async fn many(store: &dyn RunStore, program: &Arc<Program>, round: usize) -> f64 {
    let began = Instant::now();
    let runs = (0..1_000).map(|run| async move {
        Writing::begin(store, program, format!("many-{round}-{run:04}")).steps(5).await;
    });
    join_all(runs).await;
    5_000.0 / began.elapsed().as_secs_f64()
}

async fn speed(name: &str, store: &dyn RunStore, program: &Arc<Program>) {
    many(store, program, 0).await;
    let mut speeds = Vec::new();
    for round in 1..=5 {
        speeds.push(many(store, program, round).await);
    }
    speeds.sort_by(f64::total_cmp);
    println!("{name:<44} {:>9.0} steps a second", speeds[2]);
}

/// A million runs of ten flows and a thousand users.
fn fill(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "INSERT INTO programs VALUES ('hash', 'it.flow', '', '');
         INSERT INTO workflow_runs (run_id, workflow_name, program_hash, status, user_id, conversation_id, steps_total,
             steps_completed, steps_begun, events, input_tokens, output_tokens, usd, started_at, epoch, recoveries, input_data)
         WITH RECURSIVE count (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM count WHERE n < 999999)
         SELECT printf('run-%07d', n), CASE WHEN n % 1000 = 0 THEN 'rare' ELSE 'often' END, 'hash',
             CASE WHEN n % 500 = 7 THEN 'failed' WHEN n % 5000 = 1 THEN 'running' ELSE 'completed' END,
             'user-' || (n % 1000), 'talk-' || (n / 20), 5, 5, 5, 12, 0, 0, 0.0,
             strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1763856000 + n * 10, 'unixepoch'), 1, 0, '{}'
         FROM count;",
    )
    .unwrap();
}

/// The slowest of all combinations of what may be asked.
async fn list(store: &dyn RunStore) -> (Duration, Filter) {
    let day = |at: i64| Some(Timestamp::from_second(1_763_856_000 + at * 86_400).unwrap());
    let mut slowest = (Duration::ZERO, Filter::default());
    for flow in [None, Some("rare"), Some("often")] {
        for status in [vec![], vec![RunStatus::Failed], vec![RunStatus::Running, RunStatus::Failed]] {
            for user in [None, Some("user-7")] {
                for conversation in [None, Some("talk-7")] {
                    for (since, before) in [(None, None), (day(20), None), (None, day(20)), (day(20), day(21))] {
                        let (flow, user) = (flow.map(Into::into), user.map(Into::into));
                        let (conversation, status) = (conversation.map(Into::into), status.clone());
                        let filter = Filter { flow, status, user, conversation, since, before };
                        let mut times = Vec::new();
                        for _ in 0..3 {
                            let began = Instant::now();
                            store.list(&filter, Page { most: 50, after: None }).await.unwrap();
                            times.push(began.elapsed());
                        }
                        let time = median(times);
                        if time > slowest.0 {
                            slowest = (time, filter);
                        }
                    }
                }
            }
        }
    }
    slowest
}

async fn sqlite(folder: &Path, wanted: &dyn Fn(&str) -> bool) {
    let (program, path) = (program(), folder.join("flow.db"));
    if wanted("chain") {
        // In turns: what else the machine does meets both.
        let mut turns = Turns::default();
        for round in 0..ROUNDS {
            let store = SqliteStore::open(folder.join(format!("chain-{round}.db"))).unwrap();
            let floor = Floor::open(&folder.join(format!("floor-{round}.db")));
            for again in 0..2 {
                turns.floors[again].push(floor.commits());
                turns.chains[again].push(chain(&store, &program, format!("chain-{again}")).await);
            }
        }
        turns.tell("a chain of 1,000 durable steps");
    }
    if wanted("many") {
        speed("1,000 runs of 5 durable steps", &SqliteStore::open(&path).unwrap(), &program).await;
    }
    if wanted("load") {
        let store = SqliteStore::open(folder.join("load.db")).unwrap();
        let mut run = Writing::begin(&store, &program, "long".to_owned());
        for step in 0..25_000 {
            run.begins(step);
            run.completes(step);
        }
        run.commit().await;
        let mut times = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            assert_eq!(store.load("long").await.unwrap().events.len(), 50_001);
            times.push(began.elapsed());
        }
        println!("{:<44} {:>9.1} ms", "reading a run of 50,000 events", millis(median(times)));
    }
    if wanted("list") {
        let path = folder.join("list.db");
        let store = SqliteStore::open(&path).unwrap();
        fill(&path);
        let (time, filter) = list(&store).await;
        println!("{:<44} {:>9.2} ms: {filter:?}", "a page of 50 of 1,000,000 runs, the slowest", millis(time));
    }
}

/// Flows over tools that take no time; `signal.wait` waits for a signal.
const FLOWS: &str = r"
flow chain(items: list<int>, wait: bool) -> int {
    step all = for item in items {
        step one = bench.no_op(item)
        yield one
    }
    step go = signal.wait() when wait
    return all.length + (go ?? 0)
}
flow waits() -> int {
    step one = bench.no_op(1)
    step go = signal.wait()
    return one + go
}
";

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Given {
    item: i64,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

/// An engine on a database, and the flows.
fn engine(path: &Path) -> (Engine, Arc<Program>) {
    let no_op = tool("bench.no_op", "Nothing.", |given: Given| async move { Ok(given.item) });
    let wait = tool_in_context("signal.wait", "Waits.", |_: Nothing, context: ToolContext<'_>| {
        let request = Request::new(RequestKind::Signal, "go", Type::Int);
        Box::pin(async move { context.desk.wait(request).await.map(|value| value.as_int().unwrap_or(0)) })
    });
    let store = Arc::new(SqliteStore::open(path).unwrap());
    let engine = Engine::builder().tool(no_op.read_only()).tool(wait).store(store).build().unwrap();
    let program = engine.compile(SourceFile::new("it.flow", FLOWS)).unwrap();
    (engine, program)
}

async fn waiting(run: &flowc::run::Run) {
    while run.waiting().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What the engine makes of it, steps and all.
fn engines(folder: &Path, wanted: &dyn Fn(&str) -> bool) {
    // Each runtime is a process of its own: what it ran ends with it.
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let input = |items: i64, wait: bool| {
        Value::map([("items".into(), Value::list((0..items).map(Value::Int))), ("wait".into(), Value::Bool(wait))])
    };
    if wanted("engine") {
        runtime().block_on(async {
            let mut turns = Turns::default();
            for round in 0..ROUNDS {
                let (engine, program) = engine(&folder.join(format!("engine-{round}.db")));
                let floor = Floor::open(&folder.join(format!("floor-of-engine-{round}.db")));
                for again in 0..2 {
                    turns.floors[again].push(floor.commits());
                    let began = Instant::now();
                    engine.start(&program, "chain", input(1_000, false)).unwrap().value().await.unwrap();
                    turns.chains[again].push(began.elapsed());
                }
            }
            turns.tell("the engine: a chain of 1,000 steps");
        });
    }
    if wanted("resume") {
        let path = folder.join("resume.db");
        let run = runtime().block_on(async {
            let (engine, program) = engine(&path);
            let run = engine.start(&program, "chain", input(24_990, true)).unwrap();
            waiting(&run).await;
            run.id().to_owned()
        });
        runtime().block_on(async {
            let (engine, _) = engine(&path);
            let began = Instant::now();
            let run = engine.take(&run).await.unwrap();
            waiting(&run).await;
            println!("{:<44} {:>9.1} ms", "resuming a run of 49,985 events", millis(began.elapsed()));
        });
    }
    if wanted("waiting") {
        let path = folder.join("waiting.db");
        runtime().block_on(async {
            let (engine, program) = engine(&path);
            let _keeper = engine.keep();
            let before = resident();
            for _ in 0..100 {
                let runs: Vec<_> = (0..100).map(|_| engine.start(&program, "waits", Value::map([])).unwrap()).collect();
                for run in &runs {
                    waiting(run).await;
                }
            }
            let filter = Filter { status: vec![RunStatus::Running], ..Filter::default() };
            let store = engine.store().unwrap();
            while !store.list(&filter, Page { most: 1, after: None }).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            println!("{:<44} {:>9.1} MB more", "10,000 waiting runs", resident() - before);
        });
    }
}

/// What of this process is in memory, in MB.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0);
    pages * 4096.0 / 1e6
}

fn main() {
    let filter = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')).unwrap_or_default();
    let wanted = |name: &str| name.contains(&filter);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("journal");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(sqlite(&folder, &wanted));
    engines(&folder, &wanted);
    if let Ok(url) = std::env::var("FLOW_BENCH_POSTGRES")
        && wanted("postgres")
    {
        runtime.block_on(async {
            let store = PostgresStore::connect(&url).await.unwrap();
            speed("PostgreSQL: 1,000 runs of 5 durable steps", &store, &program()).await;
        });
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
