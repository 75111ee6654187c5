//! One who writes runs, and does what an engine does where that is refused: takes the run again, looks at what is kept of it,
//! and goes on from there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flowc::run::journal::{Filter, Labels, Note, Rest};
use flowc::run::{Event, EventKind, JournalError, Lease, RunStatus, RunStore};
use flowc::store::{SqliteOptions, SqliteStore};
use flowc::types::Text;
use flowc::value::Value;
use rusqlite::Connection;

use crate::faults::mend;
use crate::store::world::{at, begins, completes, ends, opening, program, started, usage};

/// How long an owner may be silent here.
const LEASE: Duration = Duration::from_millis(50);

pub(super) struct Host {
    disk: PathBuf,
    store: Option<Arc<dyn RunStore>>,
    pub(super) runs: Vec<Written>,
    /// What was acknowledged, in order.
    pub(super) facts: Vec<Fact>,
    refusals: u32,
}

/// A run that is written.
pub(super) struct Written {
    name: &'static str,
    pub(super) id: Text,
    lease: Lease,
    /// What it has to say, whether that was refused or not.
    script: Vec<EventKind>,
    /// What was appended to what is kept.
    pub(super) events: Vec<Arc<Event>>,
}

/// What was acknowledged of a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fact {
    Durable {
        run: usize,
        events: usize,
    },
    Sent {
        run: usize,
        message: u64,
    },
    Migrated {
        run: usize,
    },
    /// Asked, and not acknowledged yet.
    Forgetting {
        run: usize,
    },
    Forgotten {
        run: usize,
    },
}

pub(super) fn database(folder: &Path) -> PathBuf {
    folder.join("kept").join("runs.db")
}

impl Host {
    pub(super) fn new(disk: &Path) -> Self {
        Self { disk: disk.to_owned(), store: None, runs: Vec::new(), facts: Vec::new(), refusals: 0 }
    }

    /// Does all that a store is asked to do. Before and after it was opened the last time, it is looked what the disk would
    /// hold in so many cases.
    pub(super) async fn work(&mut self, photos: usize) {
        self.open();
        let [first, second] = ["first", "second"].map(|name| self.begin(name));
        self.commit(&[first, second]).await;
        self.step(&[first], "page").await;
        self.step(&[first, second], "other").await;
        let page = Note::Signal { name: "go".into(), value: Value::Int(7) };
        let message = self.insist(async |store, run| store.send(run, page.clone(), at(0)).await, first).await.unwrap();
        self.ack(Fact::Sent { run: first, message });
        self.insist(async |store, _| store.beat().await, first).await.unwrap();
        self.rest(second).await;
        let other = program("as it is now");
        let lease = self.runs[first].lease.clone();
        match self.insist(async |store, _| store.migrate(&lease, Arc::clone(&other)).await, first).await {
            Ok(()) => self.ack(Fact::Migrated { run: first }),
            Err(why) => panic!("{why}"),
        }
        self.step(&[first], "last").await;
        // Whoever else looks after the file.
        if let Ok(db) = Connection::open(database(&self.disk)) {
            let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
        let short = self.begin("short");
        self.runs[short].script.push(ends());
        self.commit(&[short]).await;
        self.forget(short).await;
        self.reopen().await;
        self.runs[first].script.push(ends());
        self.step(&[second], "late").await;
        self.commit(&[first, second]).await;
        self.compare().await;
        self.photograph(photos);
        self.reopen().await;
        self.compare().await;
        self.photograph(photos);
        self.store = None;
        mend(&self.disk);
        whole(&self.disk);
    }

    fn photograph(&self, photos: usize) {
        if photos > 0 {
            let _ = std::fs::File::open(self.disk.join(format!("photo{photos}")));
        }
    }

    fn open(&mut self) {
        while self.store.is_none() {
            match SqliteStore::open_with(
                database(&self.disk),
                SqliteOptions { lease: LEASE, ..SqliteOptions::default() },
            ) {
                Ok(store) => self.store = Some(Arc::new(store)),
                Err(JournalError::Broken(why)) => self.refused(&why),
                Err(why) => panic!("{why}"),
            }
        }
    }

    fn store(&self) -> Arc<dyn RunStore> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    fn refused(&mut self, why: &str) {
        self.refusals += 1;
        assert!(why.contains("runs.db` failed: "), "{why}");
        assert!(self.refusals < 12, "it does not go on: {why}");
        if self.refusals == 3 {
            mend(&self.disk);
        }
    }

    /// Asks until the disk does not fail.
    async fn insist<T>(
        &mut self,
        ask: impl AsyncFn(&dyn RunStore, &str) -> Result<T, JournalError>,
        run: usize,
    ) -> Result<T, JournalError> {
        loop {
            let id = self.runs[run].id.clone();
            match ask(&*self.store(), &id).await {
                Err(JournalError::Broken(why)) => self.refused(&why),
                answer => return answer,
            }
        }
    }

    fn ack(&mut self, fact: Fact) {
        self.facts.push(fact);
        // At once: what the disk would hold may be looked at meanwhile, where the writer brings rows up to date.
        let new = self.disk.with_extension("acked");
        std::fs::write(&new, self.facts.len().to_string()).unwrap();
        std::fs::rename(new, self.disk.join("acked")).unwrap();
    }

    fn begin(&mut self, name: &'static str) -> usize {
        let run = self.runs.len();
        let lease = Lease { run: name.into(), epoch: 0 };
        let script = vec![started(&opening(name, "it", 0, Labels::default()))];
        self.runs.push(Written { name, id: name.into(), lease, script, events: Vec::new() });
        self.open_run(run, name.into());
        run
    }

    fn open_run(&mut self, run: usize, id: Text) {
        let written = &mut self.runs[run];
        let how = opening(&id, written.name, 0, Labels { key: Some(id.clone()), ..Labels::default() });
        written.script[0] = started(&how);
        written.id = id;
        written.events.clear();
        self.runs[run].lease = self.store().open(Arc::new(how));
    }

    /// A step that begins, which is durable before its outcome is there.
    async fn step(&mut self, runs: &[usize], path: &str) {
        for run in runs {
            self.runs[*run].script.push(begins(path, 1));
        }
        self.commit(runs).await;
        for run in runs {
            self.runs[*run].script.push(completes(path, Some(usage(0.25))));
        }
        self.commit(runs).await;
    }

    /// Has what these runs have to say written, at once.
    async fn commit(&mut self, runs: &[usize]) {
        loop {
            for run in runs {
                self.append(*run);
            }
            let store = self.store();
            let leases: Vec<Lease> = runs.iter().map(|run| self.runs[*run].lease.clone()).collect();
            let answers = futures::future::join_all(leases.iter().map(|lease| store.commit(lease))).await;
            let mut all = true;
            for (run, answer) in runs.iter().zip(answers) {
                match answer {
                    Ok(()) => self.ack(Fact::Durable { run: *run, events: self.runs[*run].events.len() }),
                    Err(JournalError::Broken(why)) => {
                        self.refused(&why);
                        all &= self.recover(*run).await;
                    }
                    Err(why) => panic!("{why}"),
                }
            }
            if all {
                return;
            }
        }
    }

    fn append(&mut self, run: usize) {
        let written = &mut self.runs[run];
        let said = written.events.iter().filter(|event| !matches!(event.kind, EventKind::RunResumed)).count();
        for kind in written.script.iter().skip(said).cloned().collect::<Vec<_>>() {
            self.say(run, kind);
        }
    }

    fn say(&mut self, run: usize, kind: EventKind) {
        let store = self.store();
        let written = &mut self.runs[run];
        let number = written.events.len() as u64 + 1;
        let event = Arc::new(Event { number, at: at(number as i64), kind });
        store.append(&written.lease, std::slice::from_ref(&event));
        written.events.push(event);
    }

    /// Takes a run again, and goes on from what is kept of it: all that was acknowledged, and nothing that was not said. True
    /// where its end is kept, though that was refused.
    async fn recover(&mut self, run: usize) -> bool {
        // What is said on the old lease has nothing to follow on.
        let old = self.runs[run].lease.clone();
        assert!(self.store().commit(&old).await.is_err());
        match self.take(run).await {
            Ok(lease) => self.runs[run].lease = lease,
            Err(JournalError::Unknown(_)) => {
                assert_eq!(self.acknowledged(run), 0);
                let id = format!("{}-again{}", self.runs[run].name, self.refusals);
                self.open_run(run, id.into());
                return false;
            }
            Err(JournalError::Ended(_)) => {
                let kept = self.insist(async |store, run| store.load(run).await, run).await.unwrap();
                assert_eq!(told(&kept.events), told(&self.runs[run].events));
                self.ack(Fact::Durable { run, events: kept.events.len() });
                return true;
            }
            Err(why) => panic!("{why}"),
        }
        let kept = self.insist(async |store, run| store.load(run).await, run).await.unwrap();
        let said = told(&self.runs[run].events);
        assert!(kept.events.len() >= self.acknowledged(run), "{} of {said:?}", kept.events.len());
        assert_eq!(told(&kept.events), said[..kept.events.len()]);
        self.runs[run].events = kept.events;
        self.say(run, EventKind::RunResumed);
        false
    }

    /// One that an owner had who is gone is free at once, or when it has been silent for a while.
    async fn take(&mut self, run: usize) -> Result<Lease, JournalError> {
        for _ in 0..1_000 {
            match self.insist(async |store, run| store.take(run, at(0)).await, run).await {
                Err(JournalError::Held(_)) => tokio::time::sleep(LEASE / 10).await,
                answer => return answer,
            }
        }
        panic!("it stays held");
    }

    fn acknowledged(&self, run: usize) -> usize {
        let durable = |fact: &Fact| match fact {
            Fact::Durable { run: of, events } if *of == run => Some(*events),
            _ => None,
        };
        self.facts.iter().filter_map(durable).max().unwrap_or(0)
    }

    /// Gives a run up while it waits, and claims it when its time has come.
    async fn rest(&mut self, run: usize) {
        loop {
            self.append(run);
            let lease = self.runs[run].lease.clone();
            match self.store().release(&lease, Rest::Waiting(Some(at(1_000)))).await {
                Ok(()) => break,
                Err(JournalError::Broken(why)) => {
                    self.refused(&why);
                    self.recover(run).await;
                }
                Err(why) => panic!("{why}"),
            }
        }
        self.ack(Fact::Durable { run, events: self.runs[run].events.len() });
        let [lease] =
            <[_; 1]>::try_from(self.insist(async |store, _| store.claim(9, at(2_000)).await, run).await.unwrap())
                .unwrap();
        assert_eq!(lease.run, self.runs[run].id);
        self.runs[run].lease = lease;
    }

    async fn forget(&mut self, run: usize) {
        self.ack(Fact::Forgetting { run });
        let ended = Filter { flow: Some("short".into()), status: vec![RunStatus::Completed], ..Filter::default() };
        self.insist(async |store, _| store.prune(&ended).await, run).await.unwrap();
        let gone = self.insist(async |store, run| store.load(run).await, run).await;
        assert!(matches!(gone, Err(JournalError::Unknown(_))));
        self.ack(Fact::Forgotten { run });
    }

    /// As another process would that comes after this one.
    async fn reopen(&mut self) {
        self.store = None;
        self.open();
        for run in 0..self.runs.len() {
            match self.take(run).await {
                Ok(lease) => {
                    self.runs[run].lease = lease;
                    self.say(run, EventKind::RunResumed);
                }
                Err(JournalError::Ended(_) | JournalError::Unknown(_)) => {}
                Err(why) => panic!("{why}"),
            }
        }
    }

    /// Looks whether all is kept, and nothing else.
    async fn compare(&mut self) {
        for run in 0..self.runs.len() {
            let kept = match self.insist(async |store, run| store.load(run).await, run).await {
                Err(JournalError::Unknown(_)) if self.runs[run].name == "short" => continue,
                kept => kept.unwrap(),
            };
            let acknowledged = self.acknowledged(run);
            assert_eq!(told(&kept.events)[..acknowledged], told(&self.runs[run].events)[..acknowledged]);
            assert_eq!(kept.events.len() as u64, kept.summary.events);
        }
    }
}

/// Events as they are kept.
pub(super) fn told(events: &[Arc<Event>]) -> Vec<String> {
    events.iter().map(|event| serde_json::to_string(&**event).unwrap()).collect()
}

/// Looks whether a database is whole, and its tables tell the same.
pub(super) fn whole(folder: &Path) {
    let db = Connection::open(database(folder)).unwrap();
    let found: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
    let wrong = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(wrong("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let of = |what: &str| format!("(SELECT {what} FROM workflow_events AS e WHERE e.workflow_run_id = r.id)");
    let numbers = (of("count(*)"), of("coalesce(max(number), 0)"));
    let (begun, ended) =
        (of("count(*) FILTER (WHERE event = 'step.started')"), of("count(*) FILTER (WHERE event = 'step.completed')"));
    let rows = "(SELECT count(*) FROM workflow_steps AS s WHERE s.workflow_run_id = r.id)";
    let sql = format!(
        "SELECT count(*) FROM workflow_runs AS r WHERE r.events <> {} OR r.events <> {} OR r.steps_begun <> {begun} OR r.steps_completed <> {ended} OR {rows} <> {begun}",
        numbers.0, numbers.1
    );
    assert_eq!(wrong(&sql), 0);
}
