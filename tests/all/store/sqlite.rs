//! SQLite: the suite, and what is its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flowc::run::journal::{Filter, Labels};
use flowc::run::{EventKind, JournalError, RunError, RunStore};
use flowc::store::SqliteStore;
use flowc::value::ErrorKind;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::store::suite;
use crate::store::world::{World, Writing, at, begins, completes, ends, fails, opening, program, usage};

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    World::new(Box::new(move || Arc::new(SqliteStore::open(folder.path().join("flow.db")).unwrap())))
}

suite::over!(world);
suite::over!(world: no_event_is_missing);

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("flow.db")
}

fn open(path: &Path) -> Arc<dyn RunStore> {
    Arc::new(SqliteStore::open(path).unwrap())
}

/// The rows that a question gives, each as one line.
fn ask(path: &Path, sql: &str) -> Vec<String> {
    let db = Connection::open(path).unwrap();
    let mut find = db.prepare(sql).unwrap();
    let columns = find.column_count();
    let line = |row: &rusqlite::Row<'_>| {
        let cell = |at| match row.get_ref(at).unwrap() {
            ValueRef::Null => "-".to_owned(),
            ValueRef::Integer(int) => int.to_string(),
            ValueRef::Real(float) => float.to_string(),
            ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8(text.to_vec()).unwrap(),
        };
        Ok((0..columns).map(cell).collect::<Vec<_>>().join(" | "))
    };
    find.query_map([], line).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn steps_are_told_from_events_over_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file(&folder));
    suite_steps(&store).await;
    drop(store);
    let store = open(&file(&folder));
    let lease = store.claim(1, at(0)).await.unwrap().remove(0);
    let mut run = Writing::resume(&store, lease, 9, 1_000);
    // A resumed run does not say again that what was in flight began.
    run.append(EventKind::RunResumed);
    run.append(completes("pages", Some(usage(0.5))));
    run.append(begins("post", 1));
    run.append(EventKind::RunFailed { error: RunError::new(ErrorKind::Tool, "no"), duration_ms: 9 });
    run.commit().await.unwrap();
    drop((store, run));
    let sql =
        "SELECT step_number, path, step_name, tool_name, tool_args_hash, status, attempt, error_kind, error_message,
                   substr(started_at, 18), substr(completed_at, 18), duration_ms, input_tokens, usd, result
               FROM workflow_steps ORDER BY step_number";
    assert_eq!(
        ask(&file(&folder), sql),
        [
            "1 | pages | pages | web.scrape | beef | completed | 1 | - | - | 00.010000Z | 01.010000Z | 7 | 100 | 0.5 | {\"of\":\"pages\"}",
            "2 | pages[0].page | pages[].page | web.scrape | beef | failed | 2 | tool | it is not to be | 00.020000Z | 00.060000Z | 9 | 0 | 0 | -",
            "3 | maybe | maybe | - | - | skipped | 0 | - | - | 00.070000Z | 00.070000Z | 0 | 0 | 0 | -",
            "4 | later | later | web.scrape | beef | cancelled | 1 | - | - | 00.080000Z | 01.030000Z | - | 0 | 0 | -",
            "5 | post | post | web.scrape | beef | cancelled | 1 | - | - | 01.020000Z | 01.030000Z | - | 0 | 0 | -",
        ]
    );
    let sql = "SELECT run_id, status, steps_total, steps_completed, events, usd, error_kind, error_message, input_data,
                   duration_ms FROM workflow_runs";
    assert_eq!(
        ask(&file(&folder), sql),
        ["run-1 | failed | 3 | 1 | 13 | 0.5 | tool | no | {\"url\":\"https://example.org\"} | 1030"]
    );
}

/// Nine events: a step that is in flight, one that failed after a retry, one that was left out, one more in flight.
async fn suite_steps(store: &Arc<dyn RunStore>) {
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

#[tokio::test]
async fn an_owner_that_is_silent_too_long_is_fenced_when_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let lease = Duration::from_millis(200);
    let [silent, other] =
        [(); 2].map(|()| -> Arc<dyn RunStore> { Arc::new(SqliteStore::open_with(file(&folder), lease).unwrap()) });
    let mut run = Writing::begin(&silent, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    assert_eq!(other.claim(9, at(0)).await.unwrap(), [], "it is first seen here");
    tokio::time::sleep(lease / 2).await;
    silent.beat().await.unwrap();
    assert_eq!(other.claim(9, at(0)).await.unwrap(), [], "it has beaten since");
    tokio::time::sleep(lease / 2 + lease / 4).await;
    assert_eq!(other.claim(9, at(0)).await.unwrap(), [], "that was less than a lease ago");
    tokio::time::sleep(lease).await;
    assert_eq!(other.claim(9, at(0)).await.unwrap().len(), 1);
    // It was only stopped, and goes on.
    run.append(begins("page", 1));
    assert_eq!(run.commit().await, Err(JournalError::Lost("run-1".into())));
    silent.beat().await.unwrap();
    let mut next = Writing::begin(&silent, opening("run-2", "it", 0, Labels::default()), 0);
    next.append(ends());
    assert_eq!(next.commit().await, Ok(()));
}

#[tokio::test]
async fn programs_go_with_their_last_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file(&folder));
    for id in ["run-1", "run-2"] {
        let mut run = Writing::begin(&store, opening(id, "it", 0, Labels::default()), 0);
        if id == "run-1" {
            run.append(ends());
        }
        run.commit().await.unwrap();
    }
    let programs = || ask(&file(&folder), "SELECT name, source FROM programs");
    assert_eq!(programs(), ["it.flow | flow it() -> string { return \"as it was\" }"]);
    assert_eq!(store.prune(&Filter::default()).await, Ok(1));
    assert_eq!(programs().len(), 1);
    let lease = store.load("run-2").await.map(|kept| kept.summary.run);
    let mut run = Writing::resume(&store, flowc::run::Lease { run: lease.unwrap(), epoch: 1 }, 1, 10);
    run.append(ends());
    run.commit().await.unwrap();
    assert_eq!(store.prune(&Filter::default()).await, Ok(1));
    assert_eq!(programs().len() + ask(&file(&folder), "SELECT 1 FROM workflow_events").len(), 0);
}

#[tokio::test]
async fn a_database_of_every_earlier_version_goes_up_with_what_it_holds() {
    let migrations = [
        include_str!("../../../src/store/sqlite/migrations/0001.sql"),
        include_str!("../../../src/store/sqlite/migrations/0002.sql"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for version in 1..migrations.len() {
        let path = folder.path().join(format!("{version}.db"));
        // What a flowc of then wrote.
        let db = Connection::open(&path).unwrap();
        for (at, migration) in migrations[..version].iter().enumerate() {
            db.execute_batch(migration).unwrap();
            db.execute("INSERT INTO schema_version VALUES (?, '')", [at as i64 + 1]).unwrap();
        }
        let program = program("as it was");
        let then = include_str!("then.sql").replace("{hash}", program.hash());
        db.execute_batch(&then.replace("{program}", &program.to_json().unwrap().replace('\'', "''"))).unwrap();
        drop(db);
        let store = open(&path);
        assert_eq!(ask(&path, "SELECT max(version) FROM schema_version"), [migrations.len().to_string()]);
        assert_eq!(store.spent(at(0)).await, Ok(0.25));
        let claimed = store.claim(9, at(0)).await.unwrap();
        assert_eq!(claimed.iter().map(|lease| (&*lease.run, lease.epoch)).collect::<Vec<_>>(), [("run-1", 2)]);
        let kept = store.load("run-1").await.unwrap();
        assert_eq!((kept.events.len(), kept.opening.program.flows.len()), (3, 1));
        let mut run = Writing::resume(&store, claimed[0].clone(), 3, 500);
        run.append(EventKind::RunResumed);
        run.append(ends());
        run.commit().await.unwrap();
    }
}

#[test]
fn a_database_of_a_newer_flowc_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&file(&folder)));
    let db = Connection::open(file(&folder)).unwrap();
    db.execute("INSERT INTO schema_version VALUES (99, '')", []).unwrap();
    let Err(JournalError::Broken(why)) = SqliteStore::open(file(&folder)) else { panic!("it is refused") };
    assert!(why.contains("has version 99") && why.contains("newer flowc"), "{why}");
    std::fs::write(folder.path().join("no.db"), "x".repeat(8_192)).unwrap();
    let Err(JournalError::Broken(why)) = SqliteStore::open(folder.path().join("no.db")) else {
        panic!("it is refused")
    };
    assert!(why.contains("no.db` failed: file is not a database"), "{why}");
}
