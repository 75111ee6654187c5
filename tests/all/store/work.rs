//! Real runs, and what must hold of them whatever happened to their database, their process or its time.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowc::program::Program;
use flowc::run::{
    Clock, Engine, Event, EventKind, Run, RunStore, TokioClock, Tool, ToolContext, ToolError, tool_in_context,
};
use flowc::source::SourceFile;
use flowc::value::{ErrorKind, Value};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::store::world::World;

/// Nine calls in several forms. `work.once` must never be called twice, so a crash may interrupt it; what the run gives is the
/// same then.
const FLOW: &str = r#"
flow job(n: int) -> { sum: int, once: bool } {
    step first = work.read(n)
    step both = parallel {
        step left = work.put(first + 1)
        step right = work.flaky(first + 2) retry 3 backoff 1ms..10ms
    }
    step many = parallel for i in [1, 2, 3] limit 2 {
        yield step work.read(both.left + i)
    }
    step put = work.put(both.right)
    step last = try work.once(put)
    return { sum: many.sum() + put, once: last.success or last.error?.kind == "interrupted" }
}
"#;

/// How many calls follow one another in a run.
const IN_A_ROW: u32 = 7;

/// A call of a tool.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Call {
    pub(crate) run: String,
    /// The step's path with its attempt.
    pub(crate) path: String,
    pub(crate) tool: String,
    pub(crate) at: Timestamp,
}

/// The tools of some runs: how long their calls take, and which there were.
pub(crate) struct Work {
    pace: Duration,
    clock: Arc<TokioClock>,
    calls: Mutex<Vec<Call>>,
    /// Where they are told too.
    log: Option<Mutex<File>>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Number {
    n: i64,
}

impl Work {
    /// A run takes about so long.
    pub(crate) fn lasting(time: Duration) -> Arc<Self> {
        Arc::new(Self { pace: time / IN_A_ROW, clock: Arc::default(), calls: Mutex::default(), log: None })
    }

    /// As [`Work::lasting`], with a log of the calls that outlives this process.
    pub(crate) fn logged(time: Duration, log: &Path) -> Arc<Self> {
        let log = File::options().create(true).append(true).open(log).unwrap();
        Arc::new(Self { log: Some(Mutex::new(log)), ..Arc::into_inner(Self::lasting(time)).unwrap() })
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// An engine with these tools.
    pub(crate) fn engine(self: &Arc<Self>, store: Option<Arc<dyn RunStore>>) -> Engine {
        let tools = ["work.read", "work.put", "work.flaky", "work.once"].map(|name| self.tool(name));
        let builder = Engine::builder().tools(tools).clock(Arc::clone(&self.clock));
        match store {
            Some(store) => builder.store(store),
            None => builder,
        }
        .build()
        .unwrap()
    }

    fn tool(self: &Arc<Self>, name: &'static str) -> Arc<dyn Tool> {
        let work = Arc::clone(self);
        let tool = tool_in_context(name, "Works.", move |number: Number, context: ToolContext<'_>| {
            let work = Arc::clone(&work);
            Box::pin(async move { work.call(name, number.n, context).await })
        });
        match name {
            "work.once" => Arc::new(tool),
            "work.put" => Arc::new(tool.idempotent()),
            _ => Arc::new(tool.read_only()),
        }
    }

    async fn call(&self, tool: &str, n: i64, context: ToolContext<'_>) -> Result<i64, ToolError> {
        let (run, path, at) = (context.run.to_owned(), context.path.to_owned(), self.clock.now());
        let call = Call { run, path, tool: tool.to_owned(), at };
        if let Some(log) = &self.log {
            log.lock().unwrap().write_all(format!("{}\n", json!(call)).as_bytes()).unwrap();
        }
        self.calls.lock().unwrap().push(call);
        tokio::time::sleep(self.pace.mul_f64(0.5 + self.clock.jitter())).await;
        if tool == "work.flaky" && context.attempt == 1 {
            return Err(ToolError::new(ErrorKind::Network, "the line broke"));
        }
        Ok(n * 2 + 1)
    }
}

/// The calls of a log. A process that was killed may have told half of one.
pub(crate) fn read_log(log: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

pub(crate) fn program(engine: &Engine) -> Arc<Program> {
    engine.compile(SourceFile::new("job.flow", FLOW)).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// Starts runs with the numbers from this one on.
pub(crate) fn start(engine: &Engine, program: &Arc<Program>, numbers: std::ops::Range<i64>) -> Vec<Run> {
    let start = |n| engine.start(program, "job", Value::map([("n".into(), Value::Int(n))])).unwrap();
    numbers.map(start).collect()
}

/// What runs give that nothing disturbs, by their numbers.
async fn undisturbed(numbers: usize) -> HashMap<i64, Json> {
    let engine = Work::lasting(Duration::ZERO).engine(None);
    let program = program(&engine);
    let runs = start(&engine, &program, 0..numbers as i64);
    let mut given = HashMap::new();
    for (n, run) in (0..).zip(runs) {
        given.insert(n, (&run.value().await.unwrap()).into());
    }
    given
}

/// What runs came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) runs: usize,
    pub(crate) events: usize,
    pub(crate) calls: usize,
    /// Calls that were made again, since what came of them was not durable.
    pub(crate) again: usize,
    /// Runs that were taken over, and those of them that were so several times.
    pub(crate) taken: usize,
    pub(crate) taken_again: usize,
    /// Calls that were made though their outcome was there, with the time at which the step had begun.
    pub(crate) late: Vec<(Call, Timestamp)>,
}

/// What is kept of one run.
#[derive(Default)]
struct Kept {
    row: Vec<String>,
    events: Vec<Event>,
    /// Path → status, attempt, result.
    steps: BTreeMap<String, (String, u32, Json)>,
}

/// Holds all runs of a database to what must be true of them: each of the numbers from 0 on has one, which completed and
/// gave what it gives when nothing disturbs it; its events are there without gaps, each step came to one outcome, and the
/// tables agree with them; no call was made before its intent was durable, and none of `work.once` twice.
pub(crate) async fn hold(world: &World, numbers: usize, calls: &[Call]) -> Outcome {
    let given = undisturbed(numbers).await;
    let all = read(world);
    let mut outcome = Outcome { runs: all.len(), calls: calls.len(), ..Outcome::default() };
    assert_eq!(all.len(), numbers);
    let mut by_run: HashMap<&str, Vec<&Call>> = HashMap::new();
    calls.iter().for_each(|call| by_run.entry(&call.run).or_default().push(call));
    let mut seen: Vec<i64> = Vec::new();
    for (run, kept) in &all {
        let [status, events, completed, input, output, epoch] = kept.row.as_slice() else { panic!("{:?}", kept.row) };
        let n = serde_json::from_str::<Json>(input).unwrap()["n"].as_i64().unwrap();
        seen.push(n);
        let steps = steps_of(run, &kept.events);
        assert_eq!((status.as_str(), kept.events.len().to_string()), ("completed", events.clone()), "{run}");
        assert_eq!(serde_json::from_str::<Json>(output).unwrap(), given[&n], "{run}");
        let ended = kept.events.last().map(|event| &event.kind);
        assert!(
            matches!(ended, Some(EventKind::RunCompleted { output, .. }) if Json::from(output) == given[&n]),
            "{run}"
        );
        assert_eq!(steps.rows, kept.steps, "{run}");
        let count = kept.events.iter().filter(|event| matches!(event.kind, EventKind::StepCompleted { .. })).count();
        assert_eq!(*completed, count.to_string(), "{run}");
        outcome.events += kept.events.len();
        let epoch: u32 = epoch.parse().unwrap();
        outcome.taken += usize::from(epoch > 1);
        outcome.taken_again += usize::from(epoch > 2);
        hold_calls(&steps, by_run.get(run.as_str()).map_or(&[][..], Vec::as_slice), &mut outcome);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..numbers as i64).collect::<Vec<_>>());
    outcome
}

fn hold_calls(steps: &Steps, calls: &[&Call], outcome: &mut Outcome) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for call in calls {
        let Some(began) = steps.began.get(&call.path) else { panic!("{call:?} was made before it was recorded") };
        *counts.entry(&call.path).or_default() += 1;
        if call.at > steps.ended[&call.path] {
            outcome.late.push(((*call).clone(), *began));
        }
    }
    outcome.again += counts.values().map(|count| count - 1).sum::<usize>();
    assert!(counts.get("last").is_none_or(|count| *count == 1), "{calls:?}");
    let called = |path: &str| counts.contains_key(path) || path == "last";
    assert!(["first", "both.left", "both.right", "both.right#2", "put", "last"].iter().all(|path| called(path)));
}

/// What a run's events say of its steps.
#[derive(Default)]
struct Steps {
    rows: BTreeMap<String, (String, u32, Json)>,
    /// When attempts began, and had an outcome, by their paths.
    began: HashMap<String, Timestamp>,
    ended: HashMap<String, Timestamp>,
}

fn steps_of(run: &str, events: &[Event]) -> Steps {
    let mut steps = Steps::default();
    let mut current: HashMap<String, String> = HashMap::new();
    for (at, event) in (1..).zip(events) {
        assert_eq!(event.number, at, "{run}: no event is missing, and none is there twice");
        assert_eq!(event.kind.ends_run(), at == events.len() as u64, "{run}");
        let mut end = |path: &str, ended: &str, result: &Value| {
            let row = steps.rows.get_mut(path).unwrap();
            assert_eq!(row.0, "running", "{run}: `{path}` has one outcome");
            (row.0, row.2) = (ended.to_owned(), result.into());
            steps.ended.entry(current[path].clone()).or_insert(event.at);
        };
        match &event.kind {
            EventKind::StepStarted { path, attempt, .. } => {
                let step = if *attempt > 1 { path.rsplit_once('#').unwrap().0 } else { path };
                steps.rows.insert(step.to_owned(), ("running".to_owned(), *attempt, Json::Null));
                steps.began.entry(path.to_string()).or_insert(event.at);
                current.insert(step.to_owned(), path.to_string());
            }
            EventKind::StepRetrying { path, .. } => {
                steps.ended.entry(path.to_string()).or_insert(event.at);
            }
            EventKind::StepCaught { path, .. } | EventKind::StepReturned { path, .. } => {
                steps.ended.entry(current.get(path.as_str()).cloned().unwrap_or(path.to_string())).or_insert(event.at);
            }
            EventKind::StepCompleted { path, result, .. } => end(path, "completed", result),
            EventKind::StepFailed { path, .. } => end(path, "failed", &Value::Null),
            _ => {}
        }
    }
    steps
}

/// All that is kept, by run.
fn read(world: &World) -> BTreeMap<String, Kept> {
    let mut all: BTreeMap<String, Kept> = BTreeMap::new();
    let cells = |line: &str, most| line.splitn(most, " | ").map(str::to_owned).collect::<Vec<_>>();
    let rows = "SELECT run_id, status, events, steps_completed, input_data, output_data, epoch FROM workflow_runs";
    for line in world.ask(rows) {
        let row = cells(&line, 7);
        all.entry(row[0].clone()).or_default().row = row[1..].to_vec();
    }
    let rows = "SELECT r.run_id, e.data FROM workflow_events AS e JOIN workflow_runs AS r ON r.id = e.workflow_run_id
                ORDER BY e.workflow_run_id, e.number";
    for line in world.ask(rows) {
        let row = cells(&line, 2);
        all.entry(row[0].clone()).or_default().events.push(serde_json::from_str(&row[1]).unwrap());
    }
    let rows = "SELECT r.run_id, s.path, s.status, s.attempt, s.result
                FROM workflow_steps AS s JOIN workflow_runs AS r ON r.id = s.workflow_run_id";
    for line in world.ask(rows) {
        let row = cells(&line, 5);
        let result = if row[4] == "-" { Json::Null } else { serde_json::from_str(&row[4]).unwrap() };
        let step = (row[2].clone(), row[3].parse().unwrap(), result);
        all.entry(row[0].clone()).or_default().steps.insert(row[1].clone(), step);
    }
    all
}

/// Tells what was measured, where somebody looks (`--nocapture`).
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Numbers as random as tests need them, each in `0.0..1.0`.
pub(crate) fn random() -> f64 {
    TokioClock::default().jitter()
}

/// Waits for what a database says, for a good while; it may not answer for a time.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(300), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
