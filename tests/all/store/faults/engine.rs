//! Runs of an engine on disks that fail: they stop where they stand, go on from what is kept, and come to what they would have
//! come to; nothing that had completed is called again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowc::program::Program;
use flowc::run::{Engine, EventKind, JournalError, ResumeError, Run, RunStatus, RunStore, tool};
use flowc::source::SourceFile;
use flowc::store::SqliteStore;
use flowc::value::{ErrorKind, Value};
use serde_json::json;

use super::host::{database, whole};
use super::{runtime, sweep};
use crate::faults::{alone, mend};

const FLOW: &str = r#"
flow it() -> list<string> {
    step zero = test.say("zero")
    step pages = parallel for name in ["a", "b", "c"] limit 2 {
        step first = test.say("first {{name}}")
        step second = test.say("second {{first}}")
        yield second
    }
    step both = parallel {
        step left = test.say("left")
        step right = test.say("right")
    }
    step last = test.say("last {{pages.length}}")
    return [zero, ...pages, both.left, both.right, last]
}
"#;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Say {
    text: String,
}

/// What was called, and how often.
type Calls = Arc<Mutex<BTreeMap<String, u32>>>;

/// A process that carries a run on, as well as its disk lets it.
struct Bench {
    disk: PathBuf,
    calls: Calls,
    refusals: Mutex<u32>,
}

impl Bench {
    fn new(disk: &Path) -> Self {
        Self { disk: disk.to_owned(), calls: Calls::default(), refusals: Mutex::default() }
    }

    fn refused(&self, why: &str) {
        let mut refusals = self.refusals.lock().unwrap();
        *refusals += 1;
        assert!(why.contains("runs.db` failed: "), "{why}");
        assert!(*refusals < 12, "it does not go on: {why}");
        if *refusals == 3 {
            mend(&self.disk);
        }
    }

    fn open(&self) -> Arc<dyn RunStore> {
        loop {
            match SqliteStore::open(database(&self.disk)) {
                Ok(store) => return Arc::new(store),
                Err(why) => self.refused(&why.to_string()),
            }
        }
    }

    fn engine(&self, store: &Arc<dyn RunStore>) -> (Engine, Arc<Program>) {
        let calls = Arc::clone(&self.calls);
        let say = tool("test.say", "Says it.", move |say: Say| {
            *calls.lock().unwrap().entry(say.text.clone()).or_default() += 1;
            async move {
                tokio::time::sleep(Duration::from_micros(300)).await;
                Ok::<_, flowc::run::ToolError>(say.text)
            }
        });
        let engine = Engine::builder().tool(say.read_only()).store(Arc::clone(store)).build().unwrap();
        let program = engine.compile(SourceFile::new("it.flow", FLOW)).unwrap_or_else(|wrong| panic!("{wrong}"));
        (engine, program)
    }

    /// What the steps said that are known to have completed.
    async fn completed(&self, store: &dyn RunStore, run: &str) -> Vec<String> {
        loop {
            match store.load(run).await {
                Ok(kept) => {
                    let said = kept.events.iter().filter_map(|event| match &event.kind {
                        EventKind::StepCompleted { result: Value::String(text), .. } => Some(text.to_string()),
                        _ => None,
                    });
                    return said.collect();
                }
                Err(JournalError::Unknown(_)) => return Vec::new(),
                Err(why) => self.refused(&why.to_string()),
            }
        }
    }

    fn called(&self, text: &str) -> u32 {
        self.calls.lock().unwrap().get(text).copied().unwrap_or(0)
    }

    /// Takes a run up again, or starts it where nothing of it is there.
    async fn again(&self, engine: &Engine, program: &Arc<Program>, run: &str) -> Result<Run, Value> {
        loop {
            match engine.take(run).await {
                Ok(run) => return Ok(run),
                Err(ResumeError::Journal(JournalError::Broken(why))) => self.refused(&why),
                Err(ResumeError::Journal(JournalError::Unknown(_))) => {
                    assert!(self.calls.lock().unwrap().is_empty(), "nothing is called before the run is kept");
                    return Ok(engine.start(program, "it", json!({})).unwrap());
                }
                Err(ResumeError::Journal(JournalError::Ended(_))) => {
                    let ended = engine.store().unwrap().load(run).await.unwrap();
                    let Some(EventKind::RunCompleted { output, .. }) = ended.events.last().map(|it| it.kind.clone())
                    else {
                        panic!("{:?}", ended.summary);
                    };
                    return Err(output);
                }
                Err(why) => panic!("{why}"),
            }
        }
    }
}

fn outcome() -> serde_json::Value {
    json!(["zero", "second first a", "second first b", "second first c", "left", "right", "last 3"])
}

/// Whoever started the run takes it up again when it has stopped.
async fn taken_up(disk: &Path) {
    let bench = Bench::new(disk);
    let store = bench.open();
    let (engine, program) = bench.engine(&store);
    let mut run = engine.start(&program, "it", json!({})).unwrap();
    let output = loop {
        let error = match run.value().await {
            Ok(output) => break output,
            Err(error) => error,
        };
        assert_eq!((error.kind, error.step.as_str()), (ErrorKind::Interrupted, ""), "{error}");
        bench.refused(&error.message);
        let known: Vec<_> = bench.completed(&*store, run.id()).await;
        let known: Vec<_> = known.into_iter().map(|text| (bench.called(&text), text)).collect();
        run = match bench.again(&engine, &program, run.id()).await {
            Ok(run) => run,
            Err(output) => break output,
        };
        let _ = run.value().await;
        for (times, text) in known {
            assert_eq!(bench.called(&text), times, "`{text}` had completed");
        }
    };
    assert_eq!(serde_json::Value::from(&output), outcome());
    mend(disk);
    let kept = store.load(run.id()).await.unwrap();
    assert_eq!(kept.summary.status, RunStatus::Completed);
    assert!(kept.events.iter().map(|event| event.number).eq(1..=kept.events.len() as u64));
    drop((engine, run, store));
    whole(disk);
}

/// A keeper brings it back by itself.
async fn kept(disk: &Path) {
    let bench = Bench::new(disk);
    let store = bench.open();
    let (engine, program) = bench.engine(&store);
    let _keeper = engine.keep();
    let run = loop {
        let run = engine.start(&program, "it", json!({})).unwrap();
        // Only what is durable is shown.
        if futures::StreamExt::next(&mut run.events()).await.is_some() {
            break run.id().to_owned();
        }
        let error = run.value().await.unwrap_err();
        bench.refused(&error.message);
        assert!(bench.calls.lock().unwrap().is_empty(), "nothing is called before the run is kept");
    };
    // Longer than anything takes, also where the disk is mended only now.
    mend_later(disk);
    let began = std::time::Instant::now();
    let kept = loop {
        assert!(began.elapsed() < Duration::from_secs(60), "it is not brought back");
        match store.load(&run).await {
            Ok(kept) if kept.summary.status.ended() => break kept,
            Ok(kept) => assert_eq!(kept.summary.status, RunStatus::Running),
            Err(JournalError::Broken(_)) => {}
            Err(why) => panic!("{why}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let Some(EventKind::RunCompleted { output, .. }) = kept.events.last().map(|event| &event.kind) else {
        panic!("{:?}", kept.summary);
    };
    assert_eq!(serde_json::Value::from(output), outcome());
    mend(disk);
    drop((engine, store));
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn mend_later(disk: &Path) {
    let disk = disk.to_owned();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(600)).await;
        mend(&disk);
    });
}

#[test]
fn a_run_that_stopped_is_taken_up_and_comes_to_its_end() {
    alone("store::faults::engine::a_run_that_stopped_is_taken_up_and_comes_to_its_end", |under| {
        let faults =
            [("eio", 13), ("full", 17), ("short", 17), ("dead", 17), ("brim", 17), ("forget", 3), ("revert", 3)];
        sweep(under, &faults, |disk| runtime().block_on(taken_up(disk)));
    });
}

#[test]
fn a_keeper_brings_back_what_stopped() {
    alone("store::faults::engine::a_keeper_brings_back_what_stopped", |under| {
        sweep(under, &[("eio", 40), ("full", 40), ("dead", 40)], |disk| runtime().block_on(kept(disk)));
    });
}
