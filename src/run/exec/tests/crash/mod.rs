//! Runs whose process dies: before a write, after one, at every write in turn, or at random ones, again and again.

pub(super) mod programs;
mod stopped;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::{BoxFuture, pending};
use tokio::sync::Notify;

use crate::program::Program;
use crate::run::clock::Jitter;
use crate::run::exec::tests::build::*;
use crate::run::exec::tests::cancel::next;
use crate::run::exec::tests::crash::programs::{Mix, random};
use crate::run::journal::{Journal, JournalError, Labels, Lease, Note, Opening, Rest};
use crate::run::replay::Outcome;
use crate::run::{
    Clock, Engine, Event, EventKind, MemoryJournal, Request, RequestKind, Run, RunStore, TokioClock, Tool, ToolContext,
    tool_in_context,
};
use crate::types::{Text, Type};
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

/// Whoever is asked, and sends what is waited for: once for each step that waits, whatever dies meanwhile.
#[derive(Default)]
struct Person {
    met: Mutex<BTreeSet<Text>>,
    /// When it has the run cancelled, where it does.
    cancels: Mutex<Option<tokio::time::Instant>>,
}

impl Person {
    async fn attend(&self, run: &Run, store: &MemoryJournal) {
        let cancels = *self.cancels.lock().unwrap();
        let cancelling = async {
            let Some(at) = cancels else { return };
            tokio::time::sleep_until(at).await;
            // Before the first write there is no run yet that could be told.
            if store.send(run.id(), Note::Cancel, jiff::Timestamp::UNIX_EPOCH).await.is_ok() {
                *self.cancels.lock().unwrap() = None;
            }
        };
        let answering = async {
            let mut events = run.events();
            while let Some(event) = events.next().await {
                let EventKind::RunWaiting { path, request, .. } = &event.kind else { continue };
                let name = request.get("name").and_then(Value::as_str);
                if name == Some("never") || !self.met.lock().unwrap().insert(path.clone()) {
                    continue;
                }
                let note = match name {
                    Some(name) => Note::Signal { name: name.into(), value: Value::Int(1) },
                    None => Note::Answer { path: path.clone(), value: Value::Int(2) },
                };
                let _ = store.send(run.id(), note, jiff::Timestamp::UNIX_EPOCH).await;
            }
        };
        tokio::join!(cancelling, answering);
        pending::<()>().await;
    }
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Empty {}

/// A tool that waits.
fn waits(name: &'static str, kind: RequestKind, text: &'static str) -> impl Tool + 'static {
    tool_in_context(name, "", move |_: Empty, context: ToolContext<'_>| {
        let request = Request { kind, text: text.into(), details: Value::Null, wanted: Type::Int, form: Value::Null };
        Box::pin(async move { context.desk.wait(request).await.map(|value| serde_json::Value::from(&value)) })
    })
}

/// An engine for the programs of this room.
pub(super) fn builder(program: &Program, world: &Arc<World>) -> crate::run::EngineBuilder {
    let scripted = tools(program, world).into_iter().filter(|tool| tool.signature().namespace() == "test");
    Engine::builder()
        .tools(scripted)
        .tool(waits("signal.wait", RequestKind::Signal, "go"))
        .tool(waits("signal.never", RequestKind::Signal, "never"))
        .tool(waits("human.ask", RequestKind::Answer, "well?"))
}

/// What a run that died and lived again came to, over all its lives.
struct Lives {
    events: Vec<Arc<Event>>,
    deaths: usize,
    /// How many writes the last life made.
    writes: usize,
}

/// Lives until the run has ended; `fate` says after how many writes each life dies, and whether the last gets through.
/// `flaky` says how often the tool fails that does; `cancelled` after how long the run is cancelled.
async fn lives(
    seed: u64,
    program: &Arc<Program>,
    (flaky, cancelled): (u32, Option<Duration>),
    mut fate: impl FnMut() -> Option<(usize, bool)>,
) -> Lives {
    let first = MemoryJournal::durable();
    let clock = Arc::new(Steady(TokioClock::default(), Jitter::new(1)));
    let world = Arc::new(World::default());
    world.flaky.store(flaky, Ordering::SeqCst);
    let person = Person::default();
    *person.cancels.lock().unwrap() = cancelled.map(|after| tokio::time::Instant::now() + after);
    let mut id: Option<Text> = None;
    let mut deaths = 0;
    loop {
        let (writes, through) = fate().unwrap_or((usize::MAX, true));
        let mortal = Mortal::new(first.owner(), writes, through);
        let store = Arc::new(mortal.journal.peer());
        let engine = builder(program, &world);
        let engine = engine.clock(Arc::clone(&clock)).store(store).journal(Arc::clone(&mortal)).build().unwrap();
        let known = id.as_ref().map(|id| first.recorded(id)).unwrap_or_default();
        if known.last().is_some_and(|last| last.kind.ends_run()) {
            return Lives { events: known, deaths, writes: 0 };
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
            () = person.attend(&run, &first) => None,
            () = tokio::time::sleep(Duration::from_secs(3600)) => {
                let told: Vec<_> = run.recorded().iter().map(|event| tell(&event.kind)).collect();
                panic!("seed {seed} comes to no end after {deaths} deaths: {told:#?}");
            }
        };
        let calls = world.calls.lock().unwrap().clone();
        nothing_twice(&known, calls.get(before..).unwrap());
        if ended.is_some() {
            let events = first.recorded(run.id());
            let status = first.load(run.id()).await.unwrap().summary.status;
            let told = || events.iter().map(|event| tell(&event.kind)).collect::<Vec<_>>();
            assert!(status.ended(), "seed {seed}: {status:?} after {deaths} deaths: {ended:?} {:#?}", told());
            assert_eq!(events.len(), run.recorded().len(), "what is told is what is kept");
            return Lives { events, deaths, writes: writes - mortal.left.load(Ordering::SeqCst) };
        }
        deaths += 1;
        mortal.journal.abandon();
    }
}

/// No call whose outcome was durable is made again.
fn nothing_twice(known: &[Arc<Event>], calls: &[String]) {
    if calls.is_empty() {
        return;
    }
    let replay = crate::run::replay::Replay::new(known.to_vec());
    for call in calls {
        let label = call.split(' ').nth(1).unwrap();
        let step = label.rsplit_once('#').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(label, |(step, _)| step);
        let outcome = replay.outcome(step, label);
        assert!(matches!(outcome, None | Some(Outcome::Cancelled(_))), "`{call}` was made again");
    }
}

fn paused<T>(body: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(body)
}

/// What time does not decide on: the events in short, each step's result, and what the run gave.
fn came_to(events: &[Arc<Event>]) -> BTreeSet<String> {
    let decided = |event: &&Arc<Event>| !matches!(event.kind, EventKind::RunResumed | EventKind::RunSignalled { .. });
    let told = events.iter().filter(decided).map(|event| match &event.kind {
        EventKind::StepCompleted { result, .. } => format!("{} {}", tell(&event.kind), result.to_json_text()),
        EventKind::RunCompleted { output, .. } => format!("{} {}", tell(&event.kind), output.to_json_text()),
        kind => tell(kind),
    });
    told.collect()
}

/// The first seed: to look at one that failed.
#[expect(clippy::disallowed_methods, reason = "a test's own knob")]
fn first_seed() -> u64 {
    std::env::var("FLOW_CRASH_FROM").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

/// The seeds of a test: more where `FLOW_CRASH_SEEDS` says so.
#[expect(clippy::disallowed_methods, reason = "a test's own knob")]
fn seeds(few: u64) -> std::ops::Range<u64> {
    let seeds = std::env::var("FLOW_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few);
    first_seed()..first_seed() + seeds
}

/// How many programs, lives that died, and events there were, for whoever asked for more.
#[derive(Default)]
struct Count {
    programs: usize,
    deaths: usize,
    events: usize,
}

impl Count {
    fn of(&mut self, lives: &Lives) {
        self.deaths += lives.deaths;
        self.events += lives.events.len();
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        println!("{} programs, {} deaths, {} events", self.programs, self.deaths, self.events);
    }
}

/// Before and after each write of a run that nothing happens to.
fn deaths(writes: usize) -> impl Iterator<Item = (usize, bool)> {
    (1..=writes).flat_map(|writes| [(writes, false), (writes, true)])
}

#[test]
fn a_run_that_dies_at_any_write_comes_to_the_same() {
    let mut count = Count::default();
    for seed in seeds(200) {
        let program = random(seed, Mix::Timeless);
        let whole = paused(lives(seed, &program, (0, None), || None));
        let wanted = came_to(&whole.events);
        assert!(whole.events.last().is_some_and(|last| matches!(last.kind, EventKind::RunCompleted { .. })));
        for fate in deaths(whole.writes) {
            let mut fates = [Some(fate)].into_iter();
            let died = paused(lives(seed, &program, (0, None), || fates.next().flatten()));
            assert_eq!(came_to(&died.events), wanted, "seed {seed}, dead at write {fate:?}");
            check_events(&died.events);
            count.of(&died);
        }
        count.programs += 1;
    }
    assert!(count.deaths > count.programs);
}

#[test]
fn a_run_that_dies_at_any_write_comes_to_an_end_that_fits() {
    let mut count = Count::default();
    for seed in seeds(200) {
        let program = random(seed, Mix::Everything);
        let chance = chance(seed);
        let whole = paused(lives(seed, &program, chance, || None));
        for fate in deaths(whole.writes) {
            let mut fates = [Some(fate)].into_iter();
            let died = paused(lives(seed, &program, chance, || fates.next().flatten()));
            check_events(&died.events);
            paused(fits(&program, &died.events, seed));
            count.of(&died);
        }
        count.programs += 1;
    }
    assert!(count.deaths > count.programs);
}

#[test]
fn a_run_that_dies_again_and_again_comes_to_an_end_that_fits() {
    let mut count = Count::default();
    for seed in seeds(300) {
        let program = random(seed, Mix::Everything);
        let mut state = seed + 1;
        let mut lives_left = 12;
        let died = paused(lives(seed, &program, chance(seed), || {
            lives_left -= 1;
            (lives_left > 0)
                .then(|| (1 + usize::try_from(next(&mut state) % 6).unwrap(), next(&mut state).is_multiple_of(2)))
        }));
        check_events(&died.events);
        paused(fits(&program, &died.events, seed));
        count.of(&died);
        count.programs += 1;
    }
    assert!(count.deaths > 0);
}

/// How often the flaky tool fails, and when the run is cancelled: one in three is.
fn chance(seed: u64) -> (u32, Option<Duration>) {
    let mut state = seed ^ 0x5eed;
    let flaky = u32::try_from(next(&mut state) % 5).unwrap();
    let cancelled = next(&mut state).is_multiple_of(3);
    (flaky, cancelled.then(|| Duration::from_millis(next(&mut state) % 150)))
}

/// What a run recorded over all its lives is what one life could have recorded: the program goes through it again.
async fn fits(program: &Arc<Program>, events: &[Arc<Event>], seed: u64) {
    // Without its end, which it is to find again.
    let (last, kept) = events.split_last().unwrap();
    let world = Arc::new(World::default());
    let run = resumed(program, kept, &world).await;
    let again = tokio::time::timeout(Duration::from_secs(3600), run.value()).await.expect("an end");
    let found = run.recorded();
    let told = || events.iter().map(|e| format!("{} {} {}", e.number, e.at, tell(&e.kind))).collect::<Vec<_>>();
    assert_eq!(tell(&found.last().unwrap().kind), tell(&last.kind), "seed {seed}: {again:?} {:#?}", told());
    // A long loop at the end is gone through by a run that lives again.
    let more = found.iter().skip(kept.len()).map(|event| tell(&event.kind)).filter(|told| told != "run.resumed");
    let more: Vec<_> = more.collect();
    assert_eq!(more.len(), 1, "seed {seed}: {more:?} was recorded after {:#?}", told());
    assert!(world.calls.lock().unwrap().is_empty(), "seed {seed}: nothing was called again");
}

/// A run of which this is recorded, and which goes on.
async fn resumed(program: &Arc<Program>, kept: &[Arc<Event>], world: &Arc<World>) -> Run {
    let journal = MemoryJournal::durable();
    let EventKind::RunStarted { run, .. } = &kept[0].kind else { panic!() };
    let opening = Opening {
        run: run.clone(),
        flow: "main".into(),
        program: Arc::clone(program),
        input: Value::Null,
        at: kept[0].at,
        labels: Labels::default(),
    };
    let lease = journal.open(Arc::new(opening));
    journal.append(&lease, kept);
    journal.commit(&lease).await.unwrap();
    journal.release(&lease, Rest::Waiting(None)).await.unwrap();
    let engine = builder(program, world).store(Arc::new(journal)).build().unwrap();
    engine.take(run).await.unwrap()
}
