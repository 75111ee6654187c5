//! A database that somebody has locked for longer than runs wait for it: they stop where they stand, and go on when the lock
//! is gone. `FLOW_LOCK_SECONDS=60` locks it for so long, and has runs wait for half of that.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use flowc::run::RunStore;
use flowc::value::ErrorKind;

use crate::store::work::{Work, hold, program, say, start, until};
use crate::store::world::World;

/// Runs of each engine, and of those that begin while the database is locked.
const RUNS: i64 = 20;

/// A database that can be locked: `lock` does it on a thread of its own, says that it has, and lets go when it is told to.
struct Lockable {
    open: Box<dyn Fn(Duration) -> Arc<dyn RunStore>>,
    lock: Box<dyn FnOnce(Sender<()>, Receiver<()>) + Send>,
    world: World,
}

fn locked_for() -> Duration {
    let seconds = std::env::var("FLOW_LOCK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(6))
}

/// One engine keeps runs, which go on by themselves; the other's are taken up by who started them.
async fn runs_stop_and_go_on(database: Lockable) {
    let Lockable { open, lock, world } = database;
    let lasts = locked_for();
    let (kept, alone) = (Work::lasting(lasts / 6), Work::lasting(lasts / 6));
    let stores = [open(lasts / 2), open(lasts / 2)];
    let engines = [kept.engine(Some(Arc::clone(&stores[0]))), alone.engine(Some(Arc::clone(&stores[1])))];
    let _keeper = engines[0].keep();
    let mut runs = Vec::new();
    for (at, engine) in (0..).zip(&engines) {
        runs.extend(start(engine, &program(engine), at * RUNS..(at + 1) * RUNS));
    }
    let done = async || stores[0].stats(&flowc::run::journal::Filter::default()).await.unwrap()[0].completed;
    until("they began", async || kept.calls().len() + alone.calls().len() > 6 * RUNS as usize).await;

    let ((tell_locked, locked), (let_go, may_go)) = (channel(), channel());
    let locking = std::thread::spawn(move || lock(tell_locked, may_go));
    tokio::task::spawn_blocking(move || locked.recv().unwrap()).await.unwrap();
    tokio::time::sleep(lasts).await;
    let_go.send(()).unwrap();
    locking.join().unwrap();
    let began = Instant::now();
    let mut stopped = 0;
    for (at, run) in runs.iter().enumerate() {
        // Those that had waited for less than that are through now.
        let Err(error) = run.value().await else { continue };
        if at >= RUNS as usize {
            engines[1].take(run.id()).await.unwrap();
        }
        assert_eq!(error.kind, ErrorKind::Interrupted);
        assert!(error.message.contains("the journal failed") && error.message.contains("goes on"), "{error}");
        stopped += 1;
    }
    assert!(stopped > 0, "some stopped");
    // Neither is stuck: new runs begin and end.
    for (at, engine) in (2..).zip(&engines) {
        start(engine, &program(engine), at * RUNS..(at + 1) * RUNS);
    }
    until("they ended", async || done().await == 4 * RUNS as u64).await;
    let calls = [kept.calls(), alone.calls()].concat();
    let outcome = hold(&world, 4 * RUNS as usize, &calls).await;
    let after = began.elapsed();
    say(&format!(
        "{stopped} of {} stopped, all ended {after:.1?} after the lock of {lasts:?}; {outcome:?}",
        runs.len()
    ));
    assert_eq!(outcome.late.len(), 0, "{:?}", outcome.late);
    assert!(outcome.taken > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_locked_too_long_stops_runs_until_it_is_free() {
    use flowc::store::{SqliteOptions, SqliteStore};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flow.db");
    drop(SqliteStore::open(&path).unwrap());
    // Whoever reads all the while, and be it a process that is stopped, keeps nobody from going on.
    let reading = rusqlite::Connection::open(&path).unwrap();
    reading.execute_batch("BEGIN; SELECT count(*) FROM workflow_runs").unwrap();
    let (opened, locked, asked) = (path.clone(), path.clone(), path.clone());
    runs_stop_and_go_on(Lockable {
        open: Box::new(move |patience| {
            let options = SqliteOptions { patience, ..SqliteOptions::default() };
            Arc::new(SqliteStore::open_with(&opened, options).unwrap())
        }),
        lock: Box::new(move |tell, may_go| {
            let db = rusqlite::Connection::open(locked).unwrap();
            db.busy_timeout(Duration::from_secs(60)).unwrap();
            db.execute_batch("BEGIN EXCLUSIVE").unwrap();
            tell.send(()).unwrap();
            may_go.recv().unwrap();
            db.execute_batch("COMMIT").unwrap();
        }),
        world: World::new(Box::new(|| unreachable!()), Box::new(move |sql| super::sqlite::ask(&asked, sql))),
    })
    .await;
    drop(reading);
}

#[cfg(all(feature = "postgres", unix))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_locked_too_long_stop_runs_until_they_are_free() {
    use flowc::store::{PostgresOptions, PostgresStore};
    use tokio_postgres::NoTls;
    let Some(server) = super::server::server() else { return };
    let url = server.database();
    let (opened, locked, asked) = (url.clone(), url.clone(), url.clone());
    let lock = async move |tell: Sender<()>, may_go: Receiver<()>| {
        let (client, connection) = tokio_postgres::connect(&locked, NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("BEGIN; LOCK TABLE workflow_runs").await.unwrap();
        tell.send(()).unwrap();
        tokio::task::spawn_blocking(move || may_go.recv().unwrap()).await.unwrap();
        client.batch_execute("COMMIT").await.unwrap();
    };
    runs_stop_and_go_on(Lockable {
        open: Box::new(move |patience| {
            let options = PostgresOptions { patience, ..PostgresOptions::default() };
            Arc::new(futures::executor::block_on(PostgresStore::connect_with(&opened, options)).unwrap())
        }),
        lock: Box::new(move |tell, may_go| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(lock(tell, may_go));
        }),
        world: World::new(Box::new(|| unreachable!()), Box::new(move |sql| super::server::ask(&asked, sql))),
    })
    .await;
}
