//! PostgreSQL: the suite, and what is its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowc::run::journal::{Filter, Labels, Page};
use flowc::run::{EventKind, JournalError, ResumeError, RunStatus, RunStore, RunSummary};
use flowc::store::{PostgresOptions, PostgresStore};
use futures::executor::block_on;
use futures::future::join_all;
use regex::Regex;

use crate::store::server::{Server, ask, server};
use crate::store::suite;
#[cfg(feature = "cli")]
use crate::store::upgrade;
use crate::store::work::{Work, start, until};
use crate::store::world::{World, Writing, at, begins, completes, ends, opening, usage};

fn world() -> Option<World> {
    let url = server()?.database();
    let asked = url.clone();
    let seconds = Regex::new(r"AT\((\w+)\)").unwrap();
    let ask = move |sql: &str| ask(&asked, &seconds.replace_all(sql, "to_char($1 AT TIME ZONE 'UTC', 'SS.US')"));
    Some(World::new(Box::new(move || open(&url)), Box::new(ask)))
}

suite::over!(database world);

fn open(url: &str) -> Arc<dyn RunStore> {
    Arc::new(block_on(PostgresStore::connect(url)).unwrap())
}

/// Ends every connection to the database.
fn cut(url: &str) {
    ask(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
}

/// Takes a database away, as a network that breaks down does, or gives it back.
fn away(server: &Server, url: &str, away: bool) {
    let (elsewhere, name) = (server.url("postgres"), url.rsplit_once('/').unwrap().1);
    ask(&elsewhere, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !away));
    ask(&elsewhere, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
}

#[tokio::test]
async fn what_was_cut_off_is_written_once() {
    let Some(server) = server() else { return };
    let url = server.database();
    let store = open(&url);
    let done = Arc::new(AtomicBool::new(false));
    let cutting = std::thread::spawn({
        let (url, done) = (url.clone(), Arc::clone(&done));
        move || {
            let mut cuts = 0;
            while !done.load(Ordering::Relaxed) {
                cut(&url);
                cuts += 1;
                std::thread::sleep(Duration::from_millis(40));
            }
            cuts
        }
    });
    let runs = (0..20).map(|at| {
        let store = &store;
        async move {
            let labels = Labels { key: Some(format!("key {at}").into()), ..Labels::default() };
            let mut run = Writing::begin(store, opening(&format!("run-{at:02}"), "it", 0, labels), 0);
            run.commit().await.unwrap();
            for step in 0..15 {
                run.append(begins(&format!("s{step}"), 1));
                run.commit().await.unwrap();
                run.append(completes(&format!("s{step}"), Some(usage(0.25))));
            }
            run.append(ends());
            run.commit().await.unwrap();
        }
    });
    join_all(runs).await;
    done.store(true, Ordering::Relaxed);
    assert!(cutting.join().unwrap() > 3);
    let list = store.list(&Filter::default(), Page { most: 100, after: None }).await;
    // The reader's connection may have been cut twice.
    let list = match list {
        Ok(list) => list,
        Err(_) => store.list(&Filter::default(), Page { most: 100, after: None }).await.unwrap(),
    };
    assert_eq!(list.len(), 20);
    for run in list {
        assert_eq!((run.status, run.steps_completed, run.events), (RunStatus::Completed, 15, 32));
        let numbers: Vec<_> = store.events(&run.run, 0, 100).await.unwrap().iter().map(|event| event.number).collect();
        assert_eq!(numbers, (1..=32).collect::<Vec<_>>());
    }
    assert_eq!(
        ask(&url, "SELECT count(*), count(DISTINCT path), sum(usd) FROM workflow_steps WHERE status = 'completed'"),
        ["300 | 15 | 75"]
    );
}

#[tokio::test]
async fn a_database_that_is_away_too_long_stops_its_runs_until_it_is_back() {
    let Some(server) = server() else { return };
    let url = server.database();
    let options = PostgresOptions { patience: Duration::from_millis(400), ..PostgresOptions::default() };
    let store: Arc<dyn RunStore> = Arc::new(PostgresStore::connect_with(&url, options).await.unwrap());
    let mut run = Writing::begin(&store, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    away(server, &url, true);
    run.append(begins("page", 1));
    let Err(JournalError::Broken(why)) = run.commit().await else { panic!("it is away") };
    assert!(why.contains("not currently accepting connections") && why.contains("tried for 0.4 s"), "{why}");
    away(server, &url, false);
    // What the run goes on to say is not kept, though the database is there again: an event is missing.
    run.append(EventKind::RunCancelled { duration_ms: 1 });
    assert!(matches!(run.commit().await, Err(JournalError::Broken(_))));
    let [lease] = <[_; 1]>::try_from(store.claim(9, at(0)).await.unwrap()).unwrap();
    assert_eq!(store.load("run-1").await.unwrap().events.len(), 1);
    let mut run = Writing::resume(&store, lease, 1, 50);
    run.append(ends());
    run.commit().await.unwrap();
}

#[tokio::test]
async fn while_the_database_is_away_nobody_is_taken_for_dead() {
    let Some(server) = server() else { return };
    let url = server.database();
    let lease = Duration::from_secs(2);
    let open = async || {
        let options = PostgresOptions { lease, ..PostgresOptions::default() };
        Arc::new(PostgresStore::connect_with(&url, options).await.unwrap()) as Arc<dyn RunStore>
    };
    let (one, other) = (open().await, open().await);
    let mut run = Writing::begin(&one, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    other.beat().await.unwrap();
    assert_eq!(other.claim(9, at(0)).await.unwrap(), []);
    away(server, &url, true);
    tokio::time::sleep(lease + lease / 10).await;
    away(server, &url, false);
    until("it is back", async || other.beat().await.is_ok()).await;
    assert_eq!(other.claim(9, at(0)).await.unwrap(), [], "nobody could beat");
    run.append(ends());
    assert_eq!(run.commit().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_be_read_when_it_is_taken_up_goes_on_later() {
    let Some(server) = server() else { return };
    let url = server.database();
    let left = url.clone();
    let leaves = move || {
        // It ends with its runtime, and the run is nobody's.
        let (work, store) = (Work::lasting(Duration::from_secs(60)), open(&left));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let engine = work.engine(Some(store));
            start(&engine, &crate::store::work::program(&engine), 0..1);
            until("it calls", async || !work.calls().is_empty()).await;
        });
    };
    tokio::task::spawn_blocking(leaves).await.unwrap();
    let (store, work) = (open(&url), Work::lasting(Duration::ZERO));
    let engine = work.engine(Some(Arc::clone(&store)));
    let [lease] = <[_; 1]>::try_from(store.claim(9, at(0)).await.unwrap()).unwrap();
    let run = lease.run.clone();
    away(server, &url, true);
    let refused = engine.resume(lease).await;
    assert!(matches!(refused, Err(ResumeError::Journal(JournalError::Broken(_)))), "{refused:?}");
    away(server, &url, false);
    let _keeper = engine.keep();
    let completed = |summary: RunSummary| summary.status == RunStatus::Completed;
    until("it goes on", async || store.summary(&run).await.is_ok_and(completed)).await;
}

#[tokio::test]
async fn a_lock_is_waited_for() {
    let Some(server) = server() else { return };
    let url = server.database();
    let store = open(&url);
    let mut run = Writing::begin(&store, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    let locking = std::thread::spawn({
        let url = url.clone();
        move || ask(&url, "BEGIN; LOCK TABLE workflow_runs; SELECT pg_sleep(1); COMMIT")
    });
    while ask(
        &url,
        "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND locktype = 'relation'
                     AND relation = to_regclass('workflow_runs')",
    )
    .is_empty()
    {
        tokio::task::yield_now().await;
    }
    run.append(ends());
    run.commit().await.unwrap();
    locking.join().unwrap();
    assert_eq!(store.load("run-1").await.unwrap().summary.status, RunStatus::Completed);
}

#[cfg(feature = "cli")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_every_earlier_version_go_on() {
    let Some(server) = server() else { return };
    let migrations = [
        include_str!("../../../src/store/postgres/migrations/0001.sql"),
        include_str!("../../../src/store/postgres/migrations/0002.sql"),
    ];
    for version in 1..=migrations.len() {
        let url = server.database();
        // What a flowc of then wrote.
        for (at, migration) in migrations[..version].iter().enumerate() {
            ask(&url, migration);
            ask(&url, &format!("INSERT INTO schema_version (version) VALUES ({})", at + 1));
        }
        ask(&url, upgrade::then());
        let opened = url.clone();
        let open = move |lease| -> Arc<dyn RunStore> {
            let options = PostgresOptions { lease, ..PostgresOptions::default() };
            Arc::new(block_on(PostgresStore::connect_with(&opened, options)).unwrap())
        };
        upgrade::every_run_goes_on(&upgrade::Database { open: Box::new(open), url: url.clone() }).await;
        assert_eq!(ask(&url, "SELECT max(version) FROM schema_version"), [migrations.len().to_string()]);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_says_why_and_no_password() {
    let Some(server) = server() else { return };
    let url = server.database();
    drop(open(&url));
    ask(&url, "INSERT INTO schema_version (version) VALUES (99)");
    let Err(JournalError::Broken(why)) = PostgresStore::connect(&url).await else { panic!("it is refused") };
    assert!(why.contains("has version 99") && why.contains("newer flowc"), "{why}");
    for url in ["postgres://flow:hunter2@127.0.0.1:1/flow", "postgres:/flow:hunter2@[", "host=127.0.0.1 port=hunter2"] {
        let Err(JournalError::Broken(why)) = PostgresStore::connect(url).await else { panic!("it is refused") };
        assert!(why.contains("PostgreSQL") && !why.contains("hunter2"), "{why}");
    }
    let away = PostgresStore::connect("postgres://flow:hunter2@127.0.0.1:1/flow").await.err().unwrap().to_string();
    assert!(away.contains("onnection refused"), "{away}");
}
