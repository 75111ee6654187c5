//! Clocks whose time of day jumps by an hour, either way: what is timed within a process goes by what has gone by.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::program::{Action, Guard, Program, Step};
use crate::run::exec::tests::build::*;
use crate::run::exec::tests::crash::builder;
use crate::run::exec::tests::crash::programs::{NEVER, TIME, repeatable, waiting};
use crate::run::{Clock, Event, EventKind, MemoryJournal, RunStore, TokioClock};
use crate::value::{Shape, Value};

const HOUR: i64 = 3600;

/// A clock that somebody sets.
#[derive(Default)]
struct Set {
    steady: TokioClock,
    ahead: AtomicI64,
}

impl Clock for Set {
    fn now(&self) -> Timestamp {
        self.steady.now() + SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        self.steady.sleep(how_long)
    }

    fn jitter(&self) -> f64 {
        self.steady.jitter()
    }
}

fn sleep(name: &str, for_millis: i64) -> Step {
    let shape = Arc::new(Shape::new(["duration".into()]));
    step(name, Action::Tool { tool: TIME, shape, args: vec![millis(for_millis)] })
}

/// All that is over after ten seconds.
fn timed() -> Arc<Program> {
    let hangs = || step("h", call(HANG, int(1)));
    let steps = [
        sleep("sleep", 10_000),
        hangs().with(|step| step.segment = "call".into()).timed(10_000).retried(0),
        step("block", Action::Do(block([hangs().stmt()]))).timed(10_000),
        step("rounds", repeat(3, Some((5_000, None)), block([]))),
        step("wait", waiting(NEVER)).timed(10_000),
    ];
    let branches = steps.map(|step| step.with(|step| step.guard = Some(Guard::Outcome)).branch());
    repeatable(program([flow("main", [step("p", Action::Parallel(branches.into())).stmt()])]))
}

#[tokio::test(start_paused = true)]
async fn nothing_in_flight_is_early_or_late() {
    for jump in [HOUR, -HOUR] {
        let (program, clock) = (timed(), Arc::new(Set::default()));
        let engine = builder(&program, &Arc::default()).clock(Arc::clone(&clock)).build().unwrap();
        let began = tokio::time::Instant::now();
        let run = engine.start(&program, "main", Value::Null).unwrap();
        let setting = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            clock.ahead.store(jump, Ordering::SeqCst);
        };
        let watching = async {
            let mut ends = BTreeMap::new();
            let mut events = run.events();
            while let Some(event) = events.next().await {
                if event.kind.ends_step() {
                    ends.insert(event.kind.path().unwrap_or_default().to_owned(), began.elapsed().as_millis());
                }
            }
            ends
        };
        let (ends, ()) = futures::join!(watching, setting);
        assert_eq!(ends.len(), 7, "{ends:?}");
        assert!(ends.values().all(|millis| (10_000..10_100).contains(millis)), "a jump of {jump} s: {ends:?}");
    }
}

/// A process that starts anew knows of what went by only by the time of day: a sleep is never over before the moment
/// that follows from what is recorded.
#[tokio::test(start_paused = true)]
async fn a_sleep_over_a_restart_is_never_early_by_the_time_of_day() {
    for (jump, rest) in [(HOUR, 0), (-HOUR, HOUR + 6)] {
        let program = repeatable(program([flow("main", [sleep("s", 10_000).stmt()])]));
        let (store, clock) = (MemoryJournal::durable(), Arc::new(Set::default()));
        let first = store.owner();
        let engine = |store: MemoryJournal| {
            let builder = builder(&program, &Arc::default());
            builder.clock(Arc::clone(&clock)).store(Arc::new(store)).build().unwrap()
        };
        let run = engine(first.peer()).start(&program, "main", Value::Null).unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        clock.ahead.store(jump, Ordering::SeqCst);
        // Whoever looks, and whatever it takes the time to be: the run is its owner's.
        let looked = store.owner().claim(9, clock.now()).await.unwrap();
        assert!(looked.is_empty(), "a lease was lost to a jump of {jump} s");
        first.abandon();
        let began = tokio::time::Instant::now();
        let again = engine(store.owner()).take(run.id()).await.unwrap();
        again.value().await.unwrap();
        let took = began.elapsed();
        let rest = Duration::from_secs(rest.unsigned_abs());
        assert!(took >= rest && took < rest + Duration::from_secs(1), "a jump of {jump} s: {took:?}");
        let is_begin = |event: &&Arc<Event>| matches!(event.kind, EventKind::StepStarted { .. });
        let recorded = store.recorded(run.id());
        let due = recorded.iter().find(is_begin).unwrap().at + SignedDuration::from_secs(10);
        assert!(clock.now() >= due, "early by the time of day");
    }
}
