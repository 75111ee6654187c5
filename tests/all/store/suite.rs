//! What every store does.

use std::collections::HashSet;
use std::sync::Arc;

use flowc::run::journal::{Filter, FlowStats, Labels, MOST_RECOVERIES, Note, Opening, Page, Rest};
use flowc::run::{Event, EventKind, JournalError, Lease, RunError, RunStatus, RunStore, RunSummary, Usage};
use flowc::value::{ErrorKind, Value};
use futures::future::join_all;

use crate::store::world::{World, Writing, at, begins, completes, ends, fails, opening, program, started, usage};

/// Runs the suite over the databases that a function makes.
macro_rules! over {
    ($world:ident) => {
        $crate::store::suite::over!(
            $world: every_event_comes_back, a_run_is_one_owners_at_a_time, a_lost_lease_harms_no_other_run,
            a_start_key_starts_one_run, a_waiting_run_is_claimed_when_its_time_has_come,
            messages_are_given_to_the_owner_once, messages_wake_the_run_that_waits_for_them,
            a_run_that_takes_its_process_down_is_parked, a_step_that_ended_is_progress, runs_are_taken_one_by_one,
            runs_are_found_by_what_is_known_of_them, pages_follow_each_other, figures_are_those_of_the_events,
            what_was_spent_is_told_since_any_moment, ended_runs_are_forgotten, a_run_goes_on_with_another_program,
            two_owners_write_side_by_side, a_hundred_runs_write_together, what_nobody_waits_for_is_written_too,
        );
    };
    (database $world:ident) => {
        $crate::store::suite::over!($world);
        $crate::store::suite::over!(
            $world: no_event_is_missing, steps_are_told_from_events_over_resumes, programs_go_with_their_last_run,
            what_is_kept_may_say_anything,
        );
    };
    ($world:ident: $($test:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $test() {
            // A database that is not installed is passed over.
            let Some(world) = Option::<World>::from($world()) else { return };
            $crate::store::suite::$test(&world).await;
        })+
    };
}
pub(crate) use over;

fn json(events: &[Arc<Event>]) -> Vec<String> {
    events.iter().map(|event| serde_json::to_string(&**event).unwrap()).collect()
}

/// A summary's fields, to compare them.
fn fields(summary: &RunSummary) -> String {
    // Errors in memory and errors that were read differ in the form of their details.
    let error = serde_json::to_string(&summary.error).unwrap();
    format!("{:?} {error}", RunSummary { error: None, ..summary.clone() })
}

fn ids(runs: &[RunSummary]) -> Vec<&str> {
    runs.iter().map(|run| run.run.as_str()).collect()
}

fn page(most: usize) -> Page {
    Page { most, after: None }
}

fn user(name: &str) -> Labels {
    Labels { user: Some(name.into()), ..Labels::default() }
}

/// A run that has begun and is durable.
async fn begun(store: &Arc<dyn RunStore>, id: &str) -> Writing {
    let run = Writing::begin(store, opening(id, "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    run
}

/// One of each kind, in an order that a run might have them.
fn every_kind(opening: &Opening) -> Vec<EventKind> {
    let (path, error) = (|path: &str| path.into(), RunError::new(ErrorKind::Network, "no way"));
    let spent = || Some(Box::new(usage(0.25)));
    let kinds = vec![
        started(opening),
        EventKind::StepStarted {
            path: path("pages"),
            title: Some("Every page".into()),
            action: "parallel".into(),
            attempt: 1,
            items: Some(2),
            args_hash: None,
        },
        begins("pages[0].page", 1),
        EventKind::StepRetrying {
            path: path("pages[0].page"),
            attempt: 1,
            error: error.clone(),
            wait_ms: 50,
            usage: spent(),
        },
        begins("pages[0].page#2", 2),
        EventKind::StepOutput {
            path: path("pages[0].page"),
            output: Value::list([Value::Int(1), "½ \u{0} \"".into()]),
        },
        EventKind::StepCaught { path: path("pages[0].page"), error: error.clone(), usage: spent() },
        EventKind::StepReturned { path: path("pages[0].page"), result: Value::Float(1.0), usage: None },
        EventKind::StepExpired { path: path("pages[0].page#2") },
        EventKind::StepStopped { path: path("for@1[7]") },
        completes("pages[0].page", Some(usage(0.25))),
        fails("pages[1].page", ErrorKind::Tool, Some(usage(0.5))),
        EventKind::StepSkipped { path: path("post") },
        EventKind::StepCancelled { path: path("pages"), duration_ms: 3 },
        EventKind::Emitted { path: path("emit@1"), value: Value::map([("a".into(), Value::Null)]) },
        EventKind::RunWaiting {
            path: path("ask"),
            reason: "an answer".into(),
            request: Value::map([("kind".into(), "answer".into())]),
        },
        EventKind::RunReceived {
            path: path("ask"),
            value: Value::Bool(true),
            declined: Some("no".into()),
            signal: Some(3),
            message: Some(4),
        },
        EventKind::RunSignalled { name: "paid".into(), value: Value::Secret("KEY".into()), message: Some(5) },
        EventKind::RunCancelling { message: None },
        EventKind::RunResumed,
        EventKind::RunFailed { error, duration_ms: 12 },
        EventKind::RunCancelled { duration_ms: 13 },
        ends(),
    ];
    let names: HashSet<_> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(names.len(), 21, "one of each kind");
    kinds
}

pub(crate) async fn every_event_comes_back(world: &World) {
    let store = world.open();
    let labels = Labels {
        key: Some("order 7".into()),
        user: Some("ada".into()),
        conversation: Some("about cats".into()),
        forked_from: Some("run-0".into()),
    };
    let input = Value::record_of([("key", Value::Secret("KEY".into())), ("after", Value::Duration(90_000))]);
    let opening = Opening { input, ..opening("run-1", "it", 0, labels) };
    let mut expected = RunSummary::of(&opening);
    let mut run = Writing { lease: store.open(Arc::new(opening.clone())), store: Arc::clone(&store), next: 1, now: 0 };
    let mut appended = Vec::new();
    // Any commit may come between any two.
    for (at, kind) in every_kind(&opening).into_iter().enumerate() {
        appended.push(run.append(kind));
        if at % 3 == 0 {
            run.commit().await.unwrap();
        }
    }
    run.commit().await.unwrap();
    appended.iter().for_each(|event| expected.apply(event));

    let kept = store.load("run-1").await.unwrap();
    assert_eq!(json(&kept.events), json(&appended));
    assert_eq!(fields(&kept.summary), fields(&expected));
    assert_eq!(
        format!("{:?}", kept.opening.input),
        format!("{:?}", opening.input),
        "secrets and durations as they were"
    );
    assert_eq!((&kept.opening.flow, kept.opening.at), (&opening.flow, opening.at));
    assert_eq!(kept.opening.labels, opening.labels);
    assert_eq!(kept.opening.program.to_json().unwrap(), opening.program.to_json().unwrap());
    assert_eq!(kept.messages, []);
    let some = store.events("run-1", 4, 3).await.unwrap();
    assert_eq!(some.iter().map(|event| event.number).collect::<Vec<_>>(), [5, 6, 7]);
    assert_eq!(store.events("run-1", 23, 3).await.unwrap().len(), 0);
    for unknown in [store.load("nobody").await.err(), store.events("nobody", 0, 1).await.err()] {
        assert_eq!(unknown, Some(JournalError::Unknown("nobody".into())));
    }
}

pub(crate) async fn a_hundred_runs_write_together(world: &World) {
    let store = world.open();
    let runs = (0..100).map(|at| {
        let store = &store;
        async move {
            let mut run = Writing::begin(store, opening(&format!("run-{at:02}"), "it", 0, Labels::default()), 0);
            let mut written = Vec::new();
            for step in ["a", "b", "c", "d"] {
                written.push(run.append(begins(step, 1)));
                run.commit().await.unwrap();
                written.push(run.append(completes(step, None)));
            }
            run.commit().await.unwrap();
            (run, written)
        }
    });
    for (run, written) in join_all(runs).await {
        let kept = store.load(&run.lease.run).await.unwrap();
        assert_eq!(json(&kept.events[1..]), json(&written));
        assert_eq!(kept.summary.steps_completed, 4);
    }
}

pub(crate) async fn what_nobody_waits_for_is_written_too(world: &World) {
    let (store, other) = (world.open(), world.open());
    let mut run = begun(&store, "run-1").await;
    run.append(begins("page", 1));
    // Another run's commit takes it along, or else it is written by itself after a while.
    begun(&store, "run-2").await;
    for _ in 0..500 {
        if other.load("run-1").await.unwrap().events.len() == 2 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("it was not written");
}

pub(crate) async fn a_run_is_one_owners_at_a_time(world: &World) {
    let (first, second) = (world.open(), world.open());
    let mut old = begun(&first, "run-1").await;
    old.append(begins("page", 1));
    assert_eq!(second.take("run-1", at(0)).await, Err(JournalError::Held("run-1".into())));
    first.release(&old.lease, Rest::Waiting(None)).await.unwrap();
    let kept = second.load("run-1").await.unwrap();
    assert_eq!((kept.summary.status, kept.events.len()), (RunStatus::Waiting, 2));

    let lease = second.take("run-1", at(0)).await.unwrap();
    assert_eq!(lease, Lease { run: "run-1".into(), epoch: 2 });
    old.append(completes("page", None));
    let lost = Err(JournalError::Lost("run-1".into()));
    assert_eq!(old.commit().await, lost);
    assert_eq!(first.release(&old.lease, Rest::Waiting(None)).await, lost);
    assert_eq!(first.migrate(&old.lease, program("later")).await, lost);
    assert_eq!(first.commit(&lease).await, lost, "the epoch alone is not the lease: it is another owner's");

    let mut new = Writing::resume(&second, lease, 2, 50);
    new.append(fails("page", ErrorKind::Tool, None));
    new.commit().await.unwrap();
    let kept = first.load("run-1").await.unwrap();
    assert_eq!(
        kept.events.iter().map(|event| event.kind.name()).collect::<Vec<_>>(),
        ["run.started", "step.started", "step.failed"]
    );
    assert_eq!(kept.summary.status, RunStatus::Running);
}

pub(crate) async fn a_lost_lease_harms_no_other_run(world: &World) {
    let (first, second) = (world.open(), world.open());
    let mut runs = Vec::new();
    for id in ["run-1", "run-2", "run-3"] {
        runs.push(begun(&first, id).await);
    }
    first.release(&runs[1].lease, Rest::Waiting(None)).await.unwrap();
    second.take("run-2", at(0)).await.unwrap();
    for run in &mut runs {
        run.append(begins("page", 1));
    }
    let outcomes = join_all(runs.iter().map(Writing::commit)).await;
    assert_eq!(outcomes, [Ok(()), Err(JournalError::Lost("run-2".into())), Ok(())]);
    for (id, events) in [("run-1", 2), ("run-2", 1), ("run-3", 2)] {
        assert_eq!(second.load(id).await.unwrap().events.len(), events, "{id}");
    }
}

pub(crate) async fn a_start_key_starts_one_run(world: &World) {
    let stores = [world.open(), world.open()];
    let labels = Labels { key: Some("order 7".into()), ..Labels::default() };
    assert_eq!(stores[0].find("order 7").await, Ok(None));
    let runs: Vec<_> = (0..40)
        .map(|at| Writing::begin(&stores[at % 2], opening(&format!("run-{at:02}"), "it", 0, labels.clone()), 0))
        .collect();
    let outcomes = join_all(runs.iter().map(Writing::commit)).await;
    let winners: Vec<_> = runs.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
            .all(|why| matches!(why, JournalError::KeyTaken(_)))
    );
    let winner = winners[0].0.lease.run.clone();
    assert_eq!(stores[0].find("order 7").await, Ok(Some(winner.clone())));
    assert_eq!(ids(&stores[1].list(&Filter::default(), page(100)).await.unwrap()), [winner.as_str()]);
    // The others are nobody's.
    let loser = runs.iter().find(|run| run.lease.run != winner).unwrap();
    assert!(loser.commit().await.is_err());
}

pub(crate) async fn a_waiting_run_is_claimed_when_its_time_has_come(world: &World) {
    let store = world.open();
    let (one, two) = (begun(&store, "run-1").await, begun(&store, "run-2").await);
    store.release(&one.lease, Rest::Waiting(Some(at(60_000)))).await.unwrap();
    store.release(&two.lease, Rest::Waiting(None)).await.unwrap();
    let list = store.list(&Filter { status: vec![RunStatus::Waiting], ..Filter::default() }, page(9)).await.unwrap();
    assert_eq!(list.iter().map(|run| run.wakes_at).collect::<Vec<_>>(), [None, Some(at(60_000))]);
    assert_eq!(store.claim(9, at(59_999)).await.unwrap(), []);
    let claimed = store.claim(9, at(60_000)).await.unwrap();
    assert_eq!(claimed, [Lease { run: "run-1".into(), epoch: 2 }]);
    assert_eq!(store.claim(9, at(99_000)).await.unwrap(), [], "it is carried on now");
    let mut run = Writing::resume(&store, claimed[0].clone(), 1, 60_000);
    run.append(EventKind::RunResumed);
    run.commit().await.unwrap();
    let summary = store.load("run-1").await.unwrap().summary;
    assert_eq!((summary.status, summary.wakes_at, summary.recoveries), (RunStatus::Running, None, 0));
}

pub(crate) async fn messages_are_given_to_the_owner_once(world: &World) {
    let (first, second) = (world.open(), world.open());
    let (one, _two) = (begun(&first, "run-1").await, begun(&second, "run-2").await);
    let signal = |name: &str| Note::Signal { name: name.into(), value: Value::Bool(true) };
    let a = second.send("run-1", signal("a"), at(1)).await.unwrap();
    let b = second.send("run-2", signal("b"), at(2)).await.unwrap();
    let answer = Note::Answer { path: "ask".into(), value: Value::list([Value::Int(4)]) };
    let c = first.send("run-1", answer.clone(), at(3)).await.unwrap();
    assert!(a < b && b < c);
    let given = first.beat().await.unwrap();
    assert_eq!(
        given.iter().map(|message| (message.number, &*message.run)).collect::<Vec<_>>(),
        [(a, "run-1"), (c, "run-1")]
    );
    assert_eq!(serde_json::to_string(&given[1].note).unwrap(), serde_json::to_string(&answer).unwrap());
    assert_eq!(first.beat().await.unwrap(), []);
    assert_eq!(second.beat().await.unwrap().len(), 1);
    for note in [Note::Cancel, Note::Decline { path: "ask".into(), why: "no".into() }] {
        first.send("run-1", note.clone(), at(4)).await.unwrap();
        assert_eq!(first.beat().await.unwrap().into_iter().map(|message| message.note).collect::<Vec<_>>(), [note]);
    }
    assert_eq!(first.load("run-1").await.unwrap().messages.len(), 4, "all of them stay with the run");

    let mut run = Writing::resume(&first, one.lease, 1, 50);
    run.append(ends());
    run.commit().await.unwrap();
    assert_eq!(first.send("run-1", Note::Cancel, at(9)).await, Err(JournalError::Ended("run-1".into())));
    assert_eq!(first.send("nobody", Note::Cancel, at(9)).await, Err(JournalError::Unknown("nobody".into())));
}

pub(crate) async fn messages_wake_the_run_that_waits_for_them(world: &World) {
    let (first, second) = (world.open(), world.open());
    let run = begun(&first, "run-1").await;
    first.release(&run.lease, Rest::Waiting(None)).await.unwrap();
    assert_eq!(second.claim(9, at(0)).await.unwrap(), []);
    let number = second.send("run-1", Note::Signal { name: "paid".into(), value: Value::Null }, at(1)).await.unwrap();
    let claimed = second.claim(9, at(0)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(second.load("run-1").await.unwrap().messages.len(), 1);
    // Once it has taken the message, that wakes it no more.
    let mut run = Writing::resume(&second, claimed[0].clone(), 1, 10);
    run.append(EventKind::RunSignalled { name: "paid".into(), value: Value::Null, message: Some(number) });
    second.release(&run.lease, Rest::Waiting(None)).await.unwrap();
    assert_eq!(first.claim(9, at(0)).await.unwrap(), []);
    first.send("run-1", Note::Cancel, at(2)).await.unwrap();
    assert_eq!(first.claim(9, at(0)).await.unwrap().len(), 1);
}

pub(crate) async fn a_run_that_takes_its_process_down_is_parked(world: &World) {
    let mut store = world.open();
    let run = begun(&store, "run-1").await;
    drop(run);
    for recoveries in 1..=MOST_RECOVERIES {
        drop(store);
        store = world.open();
        let claimed = store.claim(9, at(0)).await.unwrap();
        assert_eq!(claimed, [Lease { run: "run-1".into(), epoch: u64::from(recoveries) + 1 }]);
        assert_eq!(store.load("run-1").await.unwrap().summary.recoveries, recoveries);
    }
    drop(store);
    store = world.open();
    assert_eq!(store.claim(9, at(0)).await.unwrap(), []);
    let summary = store.load("run-1").await.unwrap().summary;
    assert_eq!(summary.status, RunStatus::Parked);
    assert!(summary.error.unwrap().message.contains("10 times in a row"));
    assert_eq!(store.claim(9, at(0)).await.unwrap(), [], "it is left alone");
    // Somebody looked at it.
    let lease = store.take("run-1", at(0)).await.unwrap();
    let mut run = Writing::resume(&store, lease, 1, 10);
    run.append(EventKind::RunResumed);
    run.commit().await.unwrap();
    let summary = store.load("run-1").await.unwrap().summary;
    assert_eq!((summary.status, summary.recoveries, summary.error.is_none()), (RunStatus::Running, 0, true));
}

pub(crate) async fn a_step_that_ended_is_progress(world: &World) {
    let mut store = world.open();
    begun(&store, "run-1").await;
    for round in 0..15 {
        drop(store);
        store = world.open();
        let [lease] = <[Lease; 1]>::try_from(store.claim(9, at(0)).await.unwrap()).unwrap();
        let mut run = Writing::resume(&store, lease, 1 + 2 * round, 10);
        run.append(begins(&format!("step~{round}"), 1));
        run.append(completes(&format!("step~{round}"), None));
        run.commit().await.unwrap();
        assert_eq!(store.load("run-1").await.unwrap().summary.recoveries, 0);
    }
}

pub(crate) async fn runs_are_taken_one_by_one(world: &World) {
    let (first, second) = (world.open(), world.open());
    let mut ended = begun(&first, "run-1").await;
    ended.append(ends());
    ended.commit().await.unwrap();
    begun(&first, "run-2").await;
    let parked = begun(&first, "run-3").await;
    first.release(&parked.lease, Rest::Parked(RunError::new(ErrorKind::Internal, "look at it"))).await.unwrap();
    assert_eq!(second.take("nobody", at(0)).await, Err(JournalError::Unknown("nobody".into())));
    assert_eq!(second.take("run-1", at(0)).await, Err(JournalError::Ended("run-1".into())));
    for store in [&first, &second] {
        assert_eq!(store.take("run-2", at(0)).await, Err(JournalError::Held("run-2".into())));
    }
    assert_eq!(first.load("run-3").await.unwrap().summary.error.unwrap().message, "look at it");
    assert_eq!(second.claim(9, at(0)).await.unwrap(), []);
    assert_eq!(second.take("run-3", at(0)).await.unwrap().epoch, 2);
    drop((first, ended, parked));
    assert_eq!(second.claim(9, at(0)).await.unwrap(), [Lease { run: "run-2".into(), epoch: 2 }]);
}

/// Sixty runs of two flows, three users and a conversation, in every status.
async fn many(store: &Arc<dyn RunStore>) -> Vec<RunSummary> {
    let mut runs = Vec::new();
    for at in 0..60_i64 {
        let labels = Labels {
            user: (at % 4 != 3).then(|| format!("user-{}", at % 4).into()),
            conversation: (at % 10 == 0).then(|| "about cats".into()),
            ..Labels::default()
        };
        // Two of them begin in the same moment.
        let millis = (at / 2) * 1_000;
        let flow = if at % 3 == 0 { "rare" } else { "often" };
        let mut run = Writing::begin(store, opening(&format!("run-{at:02}"), flow, millis, labels), millis);
        run.append(begins("a", 1));
        run.append(completes("a", Some(usage(0.25))));
        let error = RunError::new(ErrorKind::Tool, "no");
        run.now += at * 7;
        match at % 6 {
            0 => drop(run.append(ends())),
            1 => {
                let kind = if at % 4 == 1 { ErrorKind::Tool } else { ErrorKind::Network };
                run.append(begins("list[3].b", 1));
                run.append(fails("list[3].b", kind, Some(usage(0.5))));
                run.append(begins("list[4].b", 1));
                run.append(begins("list[4].b#2", 2));
                run.append(fails("list[4].b", ErrorKind::Tool, None));
                run.append(EventKind::RunFailed { error, duration_ms: 5 });
            }
            2 => drop(run.append(EventKind::RunCancelled { duration_ms: 6 })),
            3 => store.release(&run.lease, Rest::Waiting(None)).await.unwrap(),
            4 => store.release(&run.lease, Rest::Parked(error)).await.unwrap(),
            _ => {}
        }
        if !matches!(at % 6, 3 | 4) {
            run.commit().await.unwrap();
        }
        runs.push(store.load(&run.lease.run).await.unwrap().summary);
    }
    runs.reverse();
    runs
}

/// Filters of every kind, and all together.
fn filters() -> Vec<Filter> {
    let flows = [None, Some("rare".into())];
    let statuses = [vec![], vec![RunStatus::Failed], vec![RunStatus::Running, RunStatus::Completed]];
    let users = [None, Some("user-2".into())];
    let conversations = [None, Some("about cats".into())];
    let times = [(None, None), (Some(at(4_000)), None), (None, Some(at(20_000))), (Some(at(4_000)), Some(at(20_000)))];
    let mut filters = Vec::new();
    for flow in &flows {
        for status in &statuses {
            for user in &users {
                for conversation in &conversations {
                    for (since, before) in times {
                        let (flow, status, user) = (flow.clone(), status.clone(), user.clone());
                        let conversation = conversation.clone();
                        filters.push(Filter { flow, status, user, conversation, since, before });
                    }
                }
            }
        }
    }
    filters
}

pub(crate) async fn runs_are_found_by_what_is_known_of_them(world: &World) {
    let store = world.open();
    let runs = many(&store).await;
    let mut found_some = 0;
    for filter in filters() {
        let wanted: Vec<_> = runs.iter().filter(|run| filter.takes(run)).map(fields).collect();
        let found = store.list(&filter, page(100)).await.unwrap();
        assert_eq!(found.iter().map(fields).collect::<Vec<_>>(), wanted, "{filter:?}");
        found_some += usize::from(!found.is_empty());
    }
    assert!(found_some > 50, "the filters find something: {found_some}");
}

pub(crate) async fn pages_follow_each_other(world: &World) {
    let store = world.open();
    let runs = many(&store).await;
    for filter in [Filter::default(), Filter { flow: Some("often".into()), ..Filter::default() }] {
        let mut paged = Vec::new();
        let mut next = page(7);
        loop {
            let part = store.list(&filter, next.clone()).await.unwrap();
            assert!(part.len() <= 7);
            let Some(last) = part.last() else { break };
            next.after = Some(last.run.clone());
            paged.extend(part);
        }
        let wanted: Vec<_> = runs.iter().filter(|run| filter.takes(run)).cloned().collect();
        assert_eq!(ids(&paged), ids(&wanted));
    }
    assert_eq!(store.list(&Filter::default(), page(0)).await.unwrap().len(), 0);
}

pub(crate) async fn figures_are_those_of_the_events(world: &World) {
    let store = world.open();
    let runs = many(&store).await;
    let mut all = Vec::new();
    for run in &runs {
        all.push(store.events(&run.run, 0, 100).await.unwrap());
    }
    for filter in filters() {
        let taken = runs.iter().zip(&all).filter(|(run, _)| filter.takes(run));
        let wanted = FlowStats::of(taken.map(|(run, events)| (run, events.as_slice())));
        assert_eq!(store.stats(&filter).await.unwrap(), wanted, "{filter:?}");
    }
    let stats = store.stats(&Filter::default()).await.unwrap();
    let failing = |flow: usize| stats[flow].failing.iter().map(|step| (&*step.step, step.count)).collect::<Vec<_>>();
    assert_eq!((failing(0), failing(1)), (vec![("list[].b", 20)], vec![]));
}

pub(crate) async fn what_was_spent_is_told_since_any_moment(world: &World) {
    let store = world.open();
    for (id, millis) in [("run-1", 0), ("run-2", 5_000)] {
        let mut run = Writing::begin(&store, opening(id, "it", millis, Labels::default()), millis);
        run.append(begins("a", 1));
        run.append(completes("a", Some(usage(0.5))));
        run.append(begins("b", 1));
        run.append(completes("b", None));
        run.append(begins("c", 1));
        run.append(fails("c", ErrorKind::Tool, Some(Usage { usd: 0.25, ..Usage::default() })));
        run.commit().await.unwrap();
    }
    for (millis, usd) in [(0, 1.5), (20, 1.5), (21, 1.0), (5_020, 0.75), (5_021, 0.25), (6_000, 0.0)] {
        assert_eq!(store.spent(at(millis)).await, Ok(usd), "since {millis}");
    }
}

pub(crate) async fn ended_runs_are_forgotten(world: &World) {
    let store = world.open();
    let runs = many(&store).await;
    let old = Filter { before: Some(at(20_000)), ..Filter::default() };
    let going = |run: &&RunSummary| !(run.status.ended() && old.takes(run));
    let gone: Vec<_> = runs.iter().filter(|run| !going(run)).collect();
    assert_eq!(store.prune(&Filter { status: vec![RunStatus::Running], ..Filter::default() }).await, Ok(0));
    assert_eq!(store.prune(&old).await, Ok(gone.len() as u64));
    assert_eq!(store.prune(&old).await, Ok(0));
    let left = store.list(&Filter::default(), page(100)).await.unwrap();
    assert_eq!(ids(&left), runs.iter().filter(going).map(|run| run.run.as_str()).collect::<Vec<_>>());
    for run in gone {
        assert!(matches!(store.load(&run.run).await, Err(JournalError::Unknown(_))));
    }
    for run in left {
        assert_eq!(store.load(&run.run).await.unwrap().events.len() as u64, run.events);
    }
}

pub(crate) async fn a_run_goes_on_with_another_program(world: &World) {
    let store = world.open();
    let mut run = begun(&store, "run-1").await;
    begun(&store, "run-2").await;
    let later = program("later");
    store.migrate(&run.lease, Arc::clone(&later)).await.unwrap();
    run.append(begins("page", 1));
    run.commit().await.unwrap();
    for (id, wanted) in [("run-1", &later), ("run-2", &program("as it was"))] {
        let kept = store.load(id).await.unwrap();
        assert_eq!((kept.opening.program.hash(), &kept.summary.program), (wanted.hash(), wanted.hash()));
    }
}

pub(crate) async fn two_owners_write_side_by_side(world: &World) {
    let stores = [world.open(), world.open()];
    let runs = (0..60).map(|at: usize| {
        let store = Arc::clone(&stores[at % 2]);
        async move {
            let mut run = Writing::begin(&store, opening(&format!("run-{at:02}"), "it", 0, user("ada")), 0);
            for step in 0..10 {
                run.append(begins(&format!("s{step}"), 1));
                run.commit().await.unwrap();
                run.append(completes(&format!("s{step}"), Some(usage(0.25))));
            }
            run.append(ends());
            run.commit().await.unwrap();
        }
    });
    join_all(runs).await;
    let list = stores[0].list(&Filter { user: Some("ada".into()), ..Filter::default() }, page(100)).await.unwrap();
    assert_eq!(list.len(), 60);
    for run in list {
        assert_eq!((run.status, run.steps_completed, run.events), (RunStatus::Completed, 10, 22));
        assert_eq!(run.usage, usage_of(10));
        let numbers: Vec<_> = stores[1].load(&run.run).await.unwrap().events.iter().map(|event| event.number).collect();
        assert_eq!(numbers, (1..=22).collect::<Vec<_>>());
    }
}

fn usage_of(steps: u64) -> Usage {
    Usage { input_tokens: 100 * steps, output_tokens: 20 * steps, usd: 0.25 * steps as f64 }
}

/// A run whose events do not follow on is refused. (Memory trusts the engine.)
pub(crate) async fn no_event_is_missing(world: &World) {
    let store = world.open();
    let mut run = begun(&store, "run-1").await;
    run.next += 1;
    run.append(begins("page", 1));
    let Err(JournalError::Broken(why)) = run.commit().await else { panic!("it is refused") };
    assert_eq!(why, "the run `run-1` is kept up to its event 1: event 3 cannot follow");
    assert_eq!(store.load("run-1").await.unwrap().events.len(), 1);
}

/// Nine events: a step that is in flight, one that failed after a retry, one that was left out, one more in flight.
async fn nine_events(store: &Arc<dyn RunStore>) {
    let mut run = Writing::begin(store, opening("run-1", "it", 0, Labels::default()), 0);
    run.append(begins("pages", 1));
    run.append(begins("pages[0].page", 1));
    run.commit().await.unwrap();
    run.append(EventKind::StepRetrying {
        path: "pages[0].page".into(),
        attempt: 1,
        error: RunError::new(ErrorKind::Network, "no way"),
        wait_ms: 5,
        usage: None,
    });
    run.commit().await.unwrap();
    run.append(begins("pages[0].page#2", 2));
    run.append(EventKind::Emitted { path: "emit@1".into(), value: "a".into() });
    run.append(fails("pages[0].page", ErrorKind::Tool, None));
    run.append(EventKind::StepSkipped { path: "maybe".into() });
    run.append(begins("later", 1));
    run.commit().await.unwrap();
}

pub(crate) async fn steps_are_told_from_events_over_resumes(world: &World) {
    let store = world.open();
    nine_events(&store).await;
    drop(store);
    let store = world.open();
    let lease = store.claim(1, at(0)).await.unwrap().remove(0);
    let mut run = Writing::resume(&store, lease, 9, 1_000);
    // A resumed run does not say again that what was in flight began.
    run.append(EventKind::RunResumed);
    run.append(completes("pages", Some(usage(0.5))));
    run.append(begins("post", 1));
    run.append(EventKind::RunFailed { error: RunError::new(ErrorKind::Tool, "no"), duration_ms: 9 });
    run.commit().await.unwrap();
    let sql =
        "SELECT step_number, path, step_name, tool_name, tool_args_hash, status, attempt, error_kind, error_message,
                   AT(started_at), AT(completed_at), duration_ms, input_tokens, usd, result
               FROM workflow_steps ORDER BY step_number";
    let pages = r#"{"of":"pages"}"#;
    let wanted = [
        format!("1 | pages | pages | web.scrape | beef | completed | 1 | - | - | 00.010000 | 01.010000 | 7 | 100 | 0.5 | {pages}"),
        "2 | pages[0].page | pages[].page | web.scrape | beef | failed | 2 | tool | it is not to be | 00.020000 | 00.060000 | 9 | 0 | 0 | -".into(),
        "3 | maybe | maybe | - | - | skipped | 0 | - | - | 00.070000 | 00.070000 | 0 | 0 | 0 | -".into(),
        "4 | later | later | web.scrape | beef | cancelled | 1 | - | - | 00.080000 | 01.030000 | - | 0 | 0 | -".into(),
        "5 | post | post | web.scrape | beef | cancelled | 1 | - | - | 01.020000 | 01.030000 | - | 0 | 0 | -".into(),
    ];
    assert_eq!(world.ask(sql), wanted);
    let sql = "SELECT run_id, status, steps_total, steps_completed, events, usd, error_kind, error_message, input_data,
                   duration_ms FROM workflow_runs";
    assert_eq!(
        world.ask(sql),
        [r#"run-1 | failed | 3 | 1 | 13 | 0.5 | tool | no | {"url":"https://example.org"} | 1030"#]
    );
}

pub(crate) async fn programs_go_with_their_last_run(world: &World) {
    let store = world.open();
    let (mut one, mut two) = (begun(&store, "run-1").await, begun(&store, "run-2").await);
    one.append(ends());
    one.commit().await.unwrap();
    let programs = || world.ask("SELECT name, source FROM programs");
    assert_eq!(programs(), ["it.flow | flow it() -> string { return \"as it was\" }"]);
    assert_eq!(store.prune(&Filter::default()).await, Ok(1));
    assert_eq!(programs().len(), 1);
    two.append(ends());
    two.commit().await.unwrap();
    assert_eq!(store.prune(&Filter::default()).await, Ok(1));
    assert_eq!(programs().len() + world.ask("SELECT 1 FROM workflow_events").len(), 0);
    // It is kept again with the next run.
    begun(&store, "run-3").await;
    assert_eq!(store.load("run-3").await.unwrap().opening.program.hash(), program("as it was").hash());
}

/// Texts of strangers: no run may keep others from being written.
pub(crate) async fn what_is_kept_may_say_anything(world: &World) {
    let store = world.open();
    let odd = "\u{0}'\"\\ ½ \u{1f600} $1 ?1";
    let labels = Labels { user: Some(odd.into()), ..Labels::default() };
    let mut run = Writing::begin(&store, opening("run-1", odd, 0, labels), 0);
    let other = Writing::begin(&store, opening("run-2", "it", 0, Labels::default()), 0);
    run.append(EventKind::StepOutput { path: "a".into(), output: odd.into() });
    let error = RunError { details: odd.into(), ..RunError::new(ErrorKind::Tool, odd) };
    run.append(EventKind::RunFailed { error, duration_ms: 1 });
    let (odd_one, plain_one) = futures::join!(run.commit(), other.commit());
    assert_eq!((odd_one, plain_one), (Ok(()), Ok(())));
    let kept = store.load("run-1").await.unwrap();
    assert_eq!(kept.summary.error.map(|error| error.message), Some(odd.to_owned()));
    assert!(matches!(&kept.events[1].kind, EventKind::StepOutput { output, .. } if output.as_str() == Some(odd)));
}
