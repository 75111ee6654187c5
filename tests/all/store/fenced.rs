//! Two processes that carry on the same thousand runs, one of which is stopped (`SIGSTOP`) for longer than its lease and then
//! goes on, as a machine does that was asleep.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowc::run::RunStore;
use flowc::store::{SqliteOptions, SqliteStore};
use jiff::Timestamp;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::store::work::{Call, Outcome, Work, hold, program, read_log, say, start, until};
use crate::store::world::World;

const RUNS: usize = 1_000;

/// How long a process may be silent.
const LEASE: Duration = Duration::from_secs(3);

/// How long a run takes that nothing disturbs.
const LASTS: Duration = Duration::from_secs(6);

/// What a process of ours is told: the database, where to tell its calls, and how many runs it starts; one that starts none
/// carries on those of others.
const DATABASE: &str = "FLOW_TEST_DATABASE";
const LOG: &str = "FLOW_TEST_LOG";
const STARTS: &str = "FLOW_TEST_STARTS";

async fn open(database: &str) -> Arc<dyn RunStore> {
    #[cfg(feature = "postgres")]
    if database.starts_with("postgres:") {
        use flowc::store::{PostgresOptions, PostgresStore};
        let options = PostgresOptions { lease: LEASE, ..PostgresOptions::default() };
        return Arc::new(PostgresStore::connect_with(database, options).await.unwrap());
    }
    let options = SqliteOptions { lease: LEASE, ..SqliteOptions::default() };
    Arc::new(SqliteStore::open_with(database, options).unwrap())
}

/// No test, but a process of one, which ends when the test says so or is gone.
#[test]
fn process() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let work = Work::logged(LASTS, Path::new(&std::env::var(LOG).unwrap()));
        let engine = work.engine(Some(open(&database).await));
        let starts: i64 = std::env::var(STARTS).unwrap().parse().unwrap();
        let runs = start(&engine, &program(&engine), 0..starts);
        let _keeper = (starts == 0).then(|| engine.keep());
        let ended = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        tokio::task::spawn_blocking(ended).await.unwrap().unwrap();
        drop(runs);
    });
}

/// Such a process.
struct Process {
    child: Child,
    log: PathBuf,
    said: PathBuf,
}

impl Process {
    fn new(folder: &Path, name: &str, database: &str, starts: usize) -> Self {
        let (log, said) = (folder.join(format!("{name}.calls")), folder.join(format!("{name}.log")));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "store::fenced::process", "--nocapture"]);
        command.env(DATABASE, database).env(LOG, &log).env(STARTS, starts.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(std::fs::File::create(&said).unwrap());
        Self { child: command.spawn().unwrap(), log, said }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it: all its threads stand when this returns.
    fn stop(&self) {
        self.signal(Signal::STOP);
        let (_, status) = waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{status:?}");
    }

    /// The runs that are its own and have not ended.
    fn runs(&self, world: &World) -> usize {
        let pid = self.child.id();
        let sql = "SELECT count(*) FROM workflow_runs WHERE status = 'running' AND owner IN
                   (SELECT id FROM owners WHERE pid = ";
        world.ask(&format!("{sql}{pid})"))[0].parse().unwrap()
    }

    fn owner(&self, world: &World) -> Option<String> {
        world.ask(&format!("SELECT id FROM owners WHERE pid = {}", self.child.id())).pop()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(&self.said).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(20).collect();
            say(&format!("{}, from the last: {last:#?}", self.said.display()));
        }
    }
}

/// When a process was stopped, and went on.
struct Stop {
    at: Timestamp,
    over: Timestamp,
}

/// A database, and how to do something while nobody writes to it: a process that is stopped while it writes would hold the
/// lock of SQLite.
struct Database {
    address: String,
    world: World,
    quiet: Box<dyn Fn(&dyn Fn())>,
}

/// Stops a process until all its runs are another's.
async fn stopped(process: &Process, database: &Database) -> Option<Stop> {
    let world = &database.world;
    until("it has runs", async || process.runs(world) > 0 || left(world) == 0).await;
    let owner = process.owner(world)?;
    (database.quiet)(&|| process.stop());
    let at = now();
    let sql = format!("SELECT count(*) FROM workflow_runs WHERE status = 'running' AND owner = {owner}");
    let had: usize = world.ask(&sql)[0].parse().unwrap();
    until("they are taken over", async || world.ask(&sql)[0] == "0").await;
    // They have come to something when it goes on.
    tokio::time::sleep(LEASE / 2).await;
    process.signal(Signal::CONT);
    say(&format!("{had} runs taken over from a process that was stopped for {:.1?}", now().duration_since(at)));
    (had > 0).then(|| Stop { at, over: now() })
}

fn now() -> Timestamp {
    Timestamp::now()
}

/// How many runs have not ended.
fn left(world: &World) -> usize {
    let sql = "SELECT count(*) FROM workflow_runs WHERE status IN ('running', 'waiting', 'parked')";
    world.ask(sql)[0].parse().unwrap()
}

async fn race(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&database.address).await);
    let process = |name, starts| Process::new(folder.path(), name, &database.address, starts);
    let (starter, one, other) = (process("starter", RUNS), process("one", 0), process("other", 0));
    let world = &database.world;
    let done = || world.ask("SELECT coalesce(sum(steps_completed), 0) FROM workflow_runs")[0].parse::<usize>().unwrap();
    until("they began", async || left(world) == RUNS && done() > RUNS).await;
    until("both are there", async || one.owner(world).is_some() && other.owner(world).is_some()).await;
    starter.signal(Signal::KILL);
    let began = Instant::now();
    let stops = [stopped(&one, &database).await, stopped(&other, &database).await];
    until("they ended", async || left(world) == 0).await;

    let lasted = began.elapsed();
    let logs = [&starter, &one, &other].map(|process| read_log(&process.log));
    let outcome = hold(world, RUNS, &logs.concat()).await;
    let lost = |process: &Process| {
        let said = std::fs::read_to_string(&process.said).unwrap();
        said.lines().filter(|line| line.contains("another process has taken over the run")).count()
    };
    let lost = [lost(&one), lost(&other)];
    let calls = logs.each_ref().map(Vec::len);
    say(&format!("{lasted:.1?}; calls of each {calls:?}, runs that each lost {lost:?}; {}", told(&outcome)));
    judge(&stops, &logs[1..], &lost, &outcome);
}

fn told(outcome: &Outcome) -> String {
    let Outcome { runs, events, calls, again, taken, taken_again, late } = outcome;
    format!(
        "{runs} runs, {events} events, {calls} calls, {again} again, {} of them late; {taken} runs taken over, {taken_again} again",
        late.len()
    )
}

/// A call whose outcome was there may only have been made by a process that was stopped between its last look at the lease and
/// the call; and a process goes on with other runs when those that it had are lost.
fn judge(stops: &[Option<Stop>], logs: &[Vec<Call>], lost: &[usize], outcome: &Outcome) {
    assert!(stops[0].is_some() && outcome.taken == RUNS && outcome.taken_again > 0);
    let same = |one: &Call, other: &Call| (&one.run, &one.path, one.at) == (&other.run, &other.path, other.at);
    for (call, began) in &outcome.late {
        let made_by = |log: &Vec<Call>| log.iter().any(|made| same(made, call));
        let stop = logs.iter().position(made_by).and_then(|at| stops[at].as_ref());
        assert!(stop.is_some_and(|stop| *began <= stop.at && call.at > stop.at), "{call:?} began {began}");
    }
    // Each has two threads.
    assert!(outcome.late.len() <= 4, "{:?}", outcome.late);
    for (stop, lost) in stops.iter().zip(lost) {
        assert!(stop.is_none() || *lost > 0, "what it wanted to write was refused");
    }
    if let [Some(stop), Some(_)] = stops {
        assert!(logs[0].iter().any(|call| call.at > stop.over), "it carries on what the other had");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_race_for_a_thousand_runs_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flow.db");
    let asked = path.clone();
    let address = path.display().to_string();
    let quiet = move |act: &dyn Fn()| {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.busy_timeout(Duration::from_secs(60)).unwrap();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        act();
        db.execute_batch("ROLLBACK").unwrap();
    };
    let ask = move |sql: &str| super::sqlite::ask(&asked, sql);
    let world = World::new(Box::new(|| unreachable!()), Box::new(ask));
    race(Database { address, world, quiet: Box::new(quiet) }).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_race_for_a_thousand_runs_in_postgresql() {
    let Some(server) = super::server::server() else { return };
    let address = server.database();
    let asked = address.clone();
    let world = World::new(Box::new(|| unreachable!()), Box::new(move |sql| super::server::ask(&asked, sql)));
    race(Database { address, world, quiet: Box::new(|act| act()) }).await;
}
