//! PostgreSQL: the suite, and what is its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowc::run::journal::{Filter, Labels, Page};
use flowc::run::{EventKind, JournalError, RunStatus, RunStore};
use flowc::store::{PostgresOptions, PostgresStore};
use futures::executor::block_on;
use futures::future::join_all;
use regex::Regex;

use crate::store::server::{ask, server};
use crate::store::suite;
use crate::store::world::{World, Writing, at, begins, completes, ends, opening, program, usage};

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
    let name = url.rsplit_once('/').unwrap().1;
    let options = PostgresOptions { patience: Duration::from_millis(400), ..PostgresOptions::default() };
    let store: Arc<dyn RunStore> = Arc::new(PostgresStore::connect_with(&url, options).await.unwrap());
    let mut run = Writing::begin(&store, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    let elsewhere = server.url("postgres");
    ask(&elsewhere, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    ask(&elsewhere, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
    run.append(begins("page", 1));
    let Err(JournalError::Broken(why)) = run.commit().await else { panic!("it is away") };
    assert!(why.contains("not currently accepting connections") && why.contains("tried for 0.4 s"), "{why}");
    ask(&elsewhere, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
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

#[tokio::test]
async fn a_database_of_every_earlier_version_goes_up_with_what_it_holds() {
    let Some(server) = server() else { return };
    let migrations = [
        include_str!("../../../src/store/postgres/migrations/0001.sql"),
        include_str!("../../../src/store/postgres/migrations/0002.sql"),
    ];
    for version in 1..migrations.len() {
        let url = server.database();
        // What a flowc of then wrote.
        for (at, migration) in migrations[..version].iter().enumerate() {
            ask(&url, migration);
            ask(&url, &format!("INSERT INTO schema_version (version) VALUES ({})", at + 1));
        }
        let program = program("as it was");
        let then = include_str!("then.sql").replace("{hash}", program.hash());
        ask(&url, &then.replace("{program}", &program.to_json().unwrap().replace('\'', "''")));
        let store = open(&url);
        assert_eq!(ask(&url, "SELECT max(version) FROM schema_version"), [migrations.len().to_string()]);
        assert_eq!(store.spent(at(0)).await, Ok(0.25));
        let claimed = store.claim(9, at(0)).await.unwrap();
        assert_eq!(claimed.iter().map(|lease| (&*lease.run, lease.epoch)).collect::<Vec<_>>(), [("run-1", 2)]);
        let mut run = Writing::resume(&store, claimed[0].clone(), 3, 500);
        run.append(EventKind::RunResumed);
        run.append(ends());
        run.commit().await.unwrap();
        assert_eq!(store.load("run-1").await.unwrap().events.len(), 5);
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
