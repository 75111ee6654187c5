//! SQLite: the suite, and what is its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowc::run::journal::{Filter, Labels, Lease, Page};
use flowc::run::{EventKind, JournalError, RunStore};
use flowc::store::{SqliteOptions, SqliteStore};
use futures::future::join_all;
use regex::Regex;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::store::suite;
#[cfg(feature = "cli")]
use crate::store::upgrade;
use crate::store::work::until;
use crate::store::world::{World, Writing, at, begins, completes, ends, opening, usage};

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let asked = path.clone();
    let seconds = Regex::new(r"AT\((\w+)\)").unwrap();
    let open = move || -> Arc<dyn RunStore> {
        let _ = &folder;
        Arc::new(SqliteStore::open(&path).unwrap())
    };
    World::new(Box::new(open), Box::new(move |sql| ask(&asked, &seconds.replace_all(sql, "substr($1, 18, 9)"))))
}

suite::over!(database world);

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("flow.db")
}

fn open(path: &Path) -> Arc<dyn RunStore> {
    Arc::new(SqliteStore::open(path).unwrap())
}

/// The rows that a question gives, each as one line.
pub(super) fn ask(path: &Path, sql: &str) -> Vec<String> {
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

/// Who is alive is told by counting, whatever anybody takes the time to be.
#[tokio::test]
async fn a_clock_that_jumps_takes_no_lease() {
    let folder = tempfile::tempdir().unwrap();
    let (owner, other) = (open(&file(&folder)), open(&file(&folder)));
    let mut run = Writing::begin(&owner, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    for (index, hours) in [0, 1, -1, 1, -2, 24, 0].into_iter().enumerate() {
        let now = at(hours * 3_600_000);
        assert_eq!(other.claim(9, now).await.unwrap(), [], "claimed at {hours} h");
        assert!(matches!(other.take("run-1", now).await, Err(JournalError::Held(_))));
        run.now = hours * 3_600_000;
        run.append(begins(&format!("s{index}"), 1));
        assert_eq!(run.commit().await, Ok(()));
    }
}

/// Where nobody could say anything, whoever comes back first takes nobody for dead.
#[tokio::test]
async fn who_could_not_write_for_too_long_takes_no_lease() {
    let folder = tempfile::tempdir().unwrap();
    let lease = Duration::from_secs(2);
    let [owner, other] = [(); 2].map(|()| -> Arc<dyn RunStore> {
        let options = SqliteOptions { lease, patience: lease / 10 };
        Arc::new(SqliteStore::open_with(file(&folder), options).unwrap())
    });
    let run = Writing::begin(&owner, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    other.beat().await.unwrap();
    assert_eq!(other.claim(9, at(0)).await.unwrap(), [], "it is first seen here");
    let db = Connection::open(file(&folder)).unwrap();
    db.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(matches!(other.beat().await, Err(JournalError::Broken(_))));
    tokio::time::sleep(lease).await;
    db.execute_batch("COMMIT").unwrap();
    other.beat().await.unwrap();
    assert_eq!(other.claim(9, at(0)).await.unwrap(), []);
    owner.beat().await.unwrap();
}

/// One that cannot be written takes down those that were written with it, also those that came while others were: whoever
/// is told that it is kept, is.
#[tokio::test]
async fn what_is_told_of_runs_that_are_written_together_is_so_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = (file(&folder), open(&file(&folder)));
    let mut runs: Vec<_> = (0..100)
        .map(|at| Writing::begin(&store, opening(&format!("run-{at:02}"), "it", 0, Labels::default()), 0))
        .collect();
    let commits = join_all(runs.iter().map(Writing::commit)).await;
    assert_eq!(commits, vec![Ok(()); 100]);
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON workflow_events
                  WHEN new.workflow_run_id = (SELECT id FROM workflow_runs WHERE run_id = 'run-90')
                  BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    Connection::open(&path).unwrap().execute_batch(refuse).unwrap();
    let step = async |run: &mut Writing| {
        run.append(begins("a", 1));
        run.commit().await
    };
    let commits = join_all(runs.iter_mut().map(step)).await;
    for (run, commit) in runs.iter().zip(&commits) {
        let kept = store.summary(&run.lease.run).await.unwrap();
        assert_eq!((kept.events, kept.steps_completed), (if commit.is_ok() { 2 } else { 1 }, 0), "{commit:?}");
    }
    let failed = commits.iter().filter(|commit| commit.is_err()).count();
    assert!(matches!(&commits[90], Err(JournalError::Broken(why)) if why.contains("not this one")));
    Connection::open(&path).unwrap().execute_batch("DROP TRIGGER refuse").unwrap();
    // They go on from what is kept.
    let leases = store.claim(100, at(0)).await.unwrap();
    assert_eq!(leases.len(), failed);
    let again = leases.into_iter().map(|lease| {
        let mut run = Writing::resume(&store, lease, 1, 0);
        run.append(ends());
        async move { run.commit().await }
    });
    assert_eq!(join_all(again).await, vec![Ok(()); failed]);
}

/// Rows are behind where steps follow each other fast. Whoever asks is told of all events nevertheless, and the rows follow: by
/// themselves, with money, when the store is closed, and with who goes on where the process died.
#[tokio::test]
async fn rows_follow_their_events() {
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = (file(&folder), open(&file(&folder)));
    let rows = |path: &Path| {
        let completed = "(SELECT count(*) FROM workflow_steps WHERE status = 'completed')";
        ask(path, &format!("SELECT events, steps_completed, {completed} FROM workflow_runs")).remove(0)
    };
    let mut run = Writing::begin(&store, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    let mut steps = 0;
    let mut step = async |run: &mut Writing, usd: Option<f64>| {
        run.append(begins(&format!("s{steps}"), 1));
        run.append(completes(&format!("s{steps}"), usd.map(usage)));
        run.commit().await.unwrap();
        steps += 1;
        (steps, format!("{} | {steps} | {steps}", 1 + 2 * steps))
    };
    let db = Connection::open(&path).unwrap();
    let (done, current) = loop {
        let (done, current) = step(&mut run, None).await;
        let summary = store.summary("run-1").await.unwrap();
        let listed = store.list(&Filter::default(), Page { most: 9, after: None }).await.unwrap().remove(0);
        let loaded = store.load("run-1").await.unwrap().summary;
        for found in [summary, listed, loaded] {
            assert_eq!((found.events, found.steps_completed), (1 + 2 * done, done));
        }
        // As the file is now, it stays.
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        if rows(&path) != current {
            break (done, current);
        }
        db.execute_batch("COMMIT").unwrap();
        assert!(done < 1_000, "each step was shown at once");
    };
    let died = folder.path().join("died.db");
    for end in ["", "-wal"] {
        std::fs::copy(format!("{}{end}", path.display()), format!("{}{end}", died.display())).unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
    until("rows follow by themselves", async || rows(&path) == current).await;
    let (_, current) = step(&mut run, Some(0.5)).await;
    assert_eq!((rows(&path), store.spent(at(0)).await), (current, Ok(0.5)), "money is told at once");
    step(&mut run, None).await;
    let (_, current) = step(&mut run, None).await;
    drop((store, run));
    assert_eq!(rows(&path), current);

    Connection::open(&died).unwrap().execute_batch("DELETE FROM owners").unwrap();
    let store = open(&died);
    let summary = store.summary("run-1").await.unwrap();
    assert_eq!((summary.events, summary.steps_completed, summary.recoveries), (1 + 2 * done, done, 0));
    let lease = store.claim(1, at(0)).await.unwrap().remove(0);
    let before = Lease { epoch: lease.epoch - 1, ..lease.clone() };
    let mut run = Writing::resume(&store, lease, 1 + 2 * done, 0);
    for step in ["last", "and one"] {
        run.append(begins(step, 1));
        run.commit().await.unwrap();
    }
    assert_eq!(store.summary("run-1").await.unwrap().recoveries, 1, "no step has ended since it was taken");
    // Whoever had it is late, and changes nothing.
    let mut late = Writing::resume(&store, before, 1 + 2 * done, 0);
    late.append(begins("late", 1));
    assert_eq!(late.commit().await, Err(JournalError::Lost("run-1".into())));
    let current = format!("{} | {done} | {done}", 3 + 2 * done);
    until("rows follow whoever was late", async || rows(&died) == current).await;
}

#[tokio::test]
async fn an_owner_that_is_silent_too_long_is_fenced_when_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let lease = Duration::from_secs(1);
    let [silent, other] = [(); 2].map(|()| -> Arc<dyn RunStore> {
        let options = SqliteOptions { lease, ..SqliteOptions::default() };
        Arc::new(SqliteStore::open_with(file(&folder), options).unwrap())
    });
    let mut run = Writing::begin(&silent, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    other.beat().await.unwrap();
    assert_eq!(other.claim(9, at(0)).await.unwrap(), [], "it is first seen here");
    tokio::time::sleep(lease).await;
    other.beat().await.unwrap();
    let mut began = Instant::now();
    assert_eq!(other.claim(9, at(0)).await.unwrap(), [], "who was away itself cannot tell");
    let mut beats = 1;
    while other.claim(9, at(0)).await.unwrap().is_empty() {
        if beats == 3 {
            silent.beat().await.unwrap();
            began = Instant::now();
        }
        beats += 1;
        other.beat().await.unwrap();
        tokio::time::sleep(lease / 20).await;
        assert!(beats < 1_000, "it is silent");
    }
    assert!(beats > 3 && began.elapsed() >= lease, "it has beaten since");
    // It was only stopped, and goes on.
    run.append(begins("page", 1));
    assert_eq!(run.commit().await, Err(JournalError::Lost("run-1".into())));
    silent.beat().await.unwrap();
    let mut next = Writing::begin(&silent, opening("run-2", "it", 0, Labels::default()), 0);
    next.append(ends());
    assert_eq!(next.commit().await, Ok(()));
}

#[cfg(feature = "cli")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_every_earlier_version_go_on() {
    let migrations = [
        include_str!("../../../src/store/sqlite/migrations/0001.sql"),
        include_str!("../../../src/store/sqlite/migrations/0002.sql"),
        include_str!("../../../src/store/sqlite/migrations/0003.sql"),
        include_str!("../../../src/store/sqlite/migrations/0004.sql"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for version in 1..=migrations.len() {
        let path = folder.path().join(format!("{version}.db"));
        // What a flowc of then wrote.
        let db = Connection::open(&path).unwrap();
        for (at, migration) in migrations[..version].iter().enumerate() {
            db.execute_batch(migration).unwrap();
            db.execute("INSERT INTO schema_version VALUES (?, '')", [at as i64 + 1]).unwrap();
        }
        db.execute_batch(upgrade::then()).unwrap();
        drop(db);
        let (url, opened) = (format!("sqlite:{}", path.display()), path.clone());
        let open = move |lease| -> Arc<dyn RunStore> {
            let options = SqliteOptions { lease, ..SqliteOptions::default() };
            Arc::new(SqliteStore::open_with(&opened, options).unwrap())
        };
        upgrade::every_run_goes_on(&upgrade::Database { open: Box::new(open), url }).await;
        assert_eq!(ask(&path, "SELECT max(version) FROM schema_version"), [migrations.len().to_string()]);
    }
}

/// Nobody who opens a file is turned away, be it made, opened or closed by others at that moment.
#[test]
fn many_may_make_open_and_close_a_file_at_once() {
    for _ in 0..25 {
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder);
        std::thread::scope(|all| {
            for _ in 0..4 {
                all.spawn(|| {
                    for _ in 0..4 {
                        let store = SqliteStore::open(&path).unwrap();
                        let listed = futures::executor::block_on(store.standing()).unwrap();
                        assert!(listed.is_empty());
                    }
                });
            }
        });
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

/// What is acknowledged is there, and nothing else, wherever the disk is full. A limit on the size of files stands for a full
/// disk; it is a process's, so this runs in one of its own.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_runs_until_there_is_room() {
    const ALONE: &str = "FLOW_TEST_FULL_DISK";
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new("sh");
        // A file that grows too large is an error then, and no signal.
        alone.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
        alone.args(["--exact", "store::sqlite::a_full_disk_stops_runs_until_there_is_room"]).env(ALONE, "1");
        let ended = alone.output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for kib in (160..=600).step_by(40) {
        runtime.block_on(full_at(kib << 10));
    }
}

#[cfg(unix)]
async fn full_at(bytes: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let room = |current| {
        let maximum = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    let store = open(&file(&folder));
    let mut run = Writing::begin(&store, opening("run-1", "it", 0, Labels::default()), 0);
    run.commit().await.unwrap();
    room(Some(bytes));
    let mut acknowledged = 1;
    let why = loop {
        run.append(begins(&format!("page~{acknowledged}"), 1));
        match run.commit().await {
            Ok(()) => acknowledged += 1,
            Err(why) => break why,
        }
        assert!(acknowledged < 5_000, "the disk is full some time");
    };
    assert!(matches!(&why, JournalError::Broken(why) if why.contains("flow.db` failed: d")), "{why}");
    room(None);
    // What it says afterwards has nothing to follow on.
    run.append(ends());
    assert_eq!(run.commit().await, Err(why));
    let [lease] = <[_; 1]>::try_from(store.claim(9, at(0)).await.unwrap()).unwrap();
    let events = store.load("run-1").await.unwrap().events;
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), (1..=acknowledged).collect::<Vec<_>>());
    let mut run = Writing::resume(&store, lease, acknowledged, 0);
    run.append(EventKind::RunResumed);
    run.append(ends());
    run.commit().await.unwrap();
    assert_eq!(ask(&file(&folder), "PRAGMA integrity_check"), ["ok"]);
}
