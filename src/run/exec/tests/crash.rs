//! Runs whose process dies: before a write, after one, at every write in turn, or at random ones, again and again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{BoxFuture, pending};
use tokio::sync::Notify;

use crate::program::{Program, Stmt};
use crate::run::clock::Jitter;
use crate::run::exec::tests::build::*;
use crate::run::exec::tests::cancel::{Mix, next, tangle};
use crate::run::journal::{Journal, JournalError, Labels, Lease, Opening, Rest};
use crate::run::replay::Outcome;
use crate::run::{Clock, Engine, Event, EventKind, MemoryJournal, RunStore, TokioClock};
use crate::types::Text;
use crate::value::Value;

/// A process that dies at one of its writes to the journal.
struct Mortal {
    journal: MemoryJournal,
    /// How many writes it has left, and whether the last one still gets through.
    left: AtomicUsize,
    last_gets_through: bool,
    dead: Notify,
}

impl Mortal {
    fn new(journal: MemoryJournal, writes: usize, last_gets_through: bool) -> Arc<Self> {
        Arc::new(Self { journal, left: AtomicUsize::new(writes), last_gets_through, dead: Notify::new() })
    }

    fn is_dead(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

impl Journal for Arc<Mortal> {
    fn open(&self, opening: Arc<Opening>) -> Lease {
        self.journal.open(opening)
    }

    fn append(&self, lease: &Lease, events: &[Arc<Event>]) {
        if !self.is_dead() {
            self.journal.append(lease, events);
        }
    }

    fn commit<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            if self.is_dead() {
                return pending().await;
            }
            let last = self.left.fetch_sub(1, Ordering::SeqCst) == 1;
            if !last {
                return self.journal.commit(lease).await;
            }
            if self.last_gets_through {
                let _ = self.journal.commit(lease).await;
            }
            self.dead.notify_one();
            pending().await
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease, rest: Rest) -> BoxFuture<'a, Result<(), JournalError>> {
        if self.is_dead() { Box::pin(pending()) } else { self.journal.release(lease, rest) }
    }
}

/// A clock that is the same every time.
struct Steady(TokioClock, Jitter);

impl Clock for Steady {
    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(how_long)
    }

    fn jitter(&self) -> f64 {
        self.1.next()
    }
}

/// What a run that died and lived again came to, over all its lives.
struct Lives {
    events: Vec<Arc<Event>>,
    calls: Vec<String>,
    deaths: usize,
}

/// Lives until the run has ended; `fate` says after how many writes each life dies, and whether the last gets through.
async fn lives(
    seed: u64,
    program: &Arc<Program>,
    flaky: u32,
    mut fate: impl FnMut() -> Option<(usize, bool)>,
) -> Lives {
    let first = MemoryJournal::durable();
    let clock = Arc::new(Steady(TokioClock::default(), Jitter::new(1)));
    let world = Arc::new(World::default());
    world.flaky.store(flaky, Ordering::SeqCst);
    let mut id: Option<Text> = None;
    let mut deaths = 0;
    loop {
        let (writes, through) = fate().unwrap_or((usize::MAX, true));
        let mortal = Mortal::new(first.owner(), writes, through);
        let store = Arc::new(mortal.journal.peer());
        let engine = Engine::builder()
            .tools(tools(program, &world))
            .clock(Arc::clone(&clock))
            .store(store)
            .journal(Arc::clone(&mortal))
            .build()
            .unwrap();
        let known = id.as_ref().map(|id| first.recorded(id)).unwrap_or_default();
        if known.last().is_some_and(|last| last.kind.ends_run()) {
            let calls = world.calls.lock().unwrap().clone();
            return Lives { events: known, calls, deaths };
        }
        let before = world.calls.lock().unwrap().len();
        let run = match &id {
            Some(id) if !known.is_empty() => {
                let lease = mortal.journal.take(id, engine.shared.clock.now()).await.unwrap();
                engine.resume(lease).await.unwrap()
            }
            _ => engine.start(program, "main", Value::Null).unwrap(),
        };
        id = Some(run.id().into());
        let ended = tokio::select! {
            ended = run.value() => Some(ended),
            () = mortal.dead.notified() => None,
        };
        let calls = world.calls.lock().unwrap().clone();
        nothing_twice(&known, calls.get(before..).unwrap());
        if ended.is_some() {
            let events = first.recorded(run.id());
            let summary = first.load(run.id()).await.unwrap().summary;
            assert!(
                summary.status.ended(),
                "seed {seed}: {:?} {deaths} {ended:?} {:#?}",
                summary.status,
                first.recorded(run.id()).iter().map(|e| tell(&e.kind)).collect::<Vec<_>>()
            );
            assert_eq!(events.len(), run.recorded().len(), "what is told is what is kept");
            return Lives { events, calls, deaths };
        }
        deaths += 1;
        mortal.journal.abandon();
    }
}

/// No call whose outcome was durable is made again.
fn nothing_twice(known: &[Arc<Event>], calls: &[String]) {
    let replay = crate::run::replay::Replay::new(known.to_vec());
    for call in calls {
        let label = call.split(' ').nth(1).unwrap();
        let step = label.rsplit_once('#').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(label, |(step, _)| step);
        let outcome = replay.outcome(step, label);
        assert!(matches!(outcome, None | Some(Outcome::Cancelled(_))), "`{call}` was made again");
    }
}

/// A program of random steps.
fn random(seed: u64, mix: Mix) -> (Arc<Program>, u32) {
    let mut state = seed * 7919 + 1;
    let body: Vec<Stmt> = tangle(&mut state, 3, mix);
    (repeatable(program([flow("main", body)])), u32::try_from(next(&mut state) % 5).unwrap())
}

/// A program whose tools may all be called again.
fn repeatable(program: Arc<Program>) -> Arc<Program> {
    let Program { sources, tools, flows, functions, tests, .. } = Arc::into_inner(program).unwrap();
    let tools = tools.into_iter().map(|tool| {
        let mut tool = Arc::unwrap_or_clone(tool);
        tool.annotations.idempotent = Some(true);
        Arc::new(tool)
    });
    Arc::new(Program { sources, tools: tools.collect(), flows, functions, tests, hash: OnceLock::new() })
}

fn paused<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(body)
}

/// The events in short, those that time does not decide on, and each step's result.
fn came_to(events: &[Arc<Event>]) -> BTreeSet<String> {
    let told =
        events.iter().filter(|event| !matches!(event.kind, EventKind::RunResumed)).map(|event| match &event.kind {
            EventKind::StepCompleted { result, .. } => format!("{} {}", tell(&event.kind), result.to_json_text()),
            kind => tell(kind),
        });
    told.collect()
}

/// The first seed: to look at one that failed.
#[expect(clippy::disallowed_methods, reason = "a test's own knob")]
fn first_seed() -> u64 {
    std::env::var("FLOW_CRASH_FROM").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

/// How many seeds: more where `FLOW_CRASH_SEEDS` says so.
#[expect(clippy::disallowed_methods, reason = "a test's own knob")]
fn seeds(few: u64) -> u64 {
    std::env::var("FLOW_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

#[test]
fn a_run_that_dies_at_any_write_comes_to_the_same() {
    for seed in 0..seeds(25) {
        let (program, _) = random(seed, Mix::Timeless);
        let whole = paused(lives(seed, &program, 0, || None));
        let wanted = came_to(&whole.events);
        let writes = whole.calls.len() + 2;
        for writes in 1..=writes {
            for through in [false, true] {
                let mut fates = [Some((writes, through))].into_iter();
                let died = paused(lives(seed, &program, 0, || fates.next().flatten()));
                assert_eq!(came_to(&died.events), wanted, "seed {seed}, dead at write {writes}, through: {through}");
                check_events(&died.events);
            }
        }
    }
}

#[test]
fn a_run_that_dies_again_and_again_comes_to_an_end_that_fits() {
    let mut deaths = 0;
    for seed in first_seed()..seeds(300) {
        let (program, flaky) = random(seed, Mix::Everything);
        let mut state = seed + 1;
        let mut lives_left = 12;
        let died = paused(lives(seed, &program, flaky, || {
            lives_left -= 1;
            (lives_left > 0)
                .then(|| (1 + usize::try_from(next(&mut state) % 6).unwrap(), next(&mut state).is_multiple_of(2)))
        }));
        deaths += died.deaths;
        check_events(&died.events);
        paused(fits(&program, &died.events, seed));
    }
    assert!(deaths > 0);
}

/// What a run recorded over all its lives is what one life could have recorded: the program goes through it again.
async fn fits(program: &Arc<Program>, events: &[Arc<Event>], seed: u64) {
    let journal = MemoryJournal::durable();
    let EventKind::RunStarted { run, .. } = &events[0].kind else { panic!() };
    let opening = Opening {
        run: run.clone(),
        flow: "main".into(),
        program: Arc::clone(program),
        input: Value::Null,
        at: events[0].at,
        labels: Labels::default(),
    };
    let lease = journal.open(Arc::new(opening));
    // Without its end, which it is to find again.
    journal.append(&lease, &events[..events.len() - 1]);
    journal.commit(&lease).await.unwrap();
    journal.release(&lease, Rest::Waiting(None)).await.unwrap();
    let world = Arc::new(World::default());
    let engine = Engine::builder().tools(tools(program, &world)).store(Arc::new(journal)).build().unwrap();
    let run = engine.take(run).await.unwrap();
    let again = tokio::time::timeout(Duration::from_secs(3600), run.value()).await.expect("an end");
    let told = run.recorded();
    let last = told.last().unwrap();
    assert_eq!(
        tell(&last.kind),
        tell(&events.last().unwrap().kind),
        "seed {seed}: {again:?} {:#?}",
        events
            .iter()
            .map(|e| format!("{} {} {}", e.number, e.at.subsec_millisecond(), tell(&e.kind)))
            .collect::<Vec<_>>()
    );
    assert_eq!(told.len(), events.len(), "seed {seed}: nothing new was recorded");
    assert!(world.calls.lock().unwrap().is_empty(), "seed {seed}: nothing was called again");
}
