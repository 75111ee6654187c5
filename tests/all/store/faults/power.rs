//! What may be on a disk after the power failed: a store opens it, finds all that was acknowledged and nothing half, and goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flowc::run::{EventKind, JournalError, RunStore};
use flowc::store::{SqliteOptions, SqliteStore};

use super::host::{Fact, Host, database, told, whole};
use crate::faults::left;
use crate::store::world::{Writing, at, ends, program};

/// Looks into each state that was left of a host's disk. Gives how many there were.
pub(super) async fn examine(disk: &Path, host: &Host) -> usize {
    let mut states = 0;
    for state in std::fs::read_dir(left(disk)).unwrap() {
        let state = state.unwrap().path();
        let acked = std::fs::read_to_string(state.join("acked")).map_or(0, |acked| acked.parse().unwrap());
        let facts = &host.facts[..acked];
        let options = SqliteOptions { lease: Duration::from_millis(1), ..SqliteOptions::default() };
        let store = SqliteStore::open_with(database(&state), options);
        let store: Arc<dyn RunStore> = Arc::new(store.unwrap_or_else(|why| panic!("{}: {why}", state.display())));
        for run in 0..host.runs.len() {
            let standing = Standing::of(run, facts);
            kept(&store, host, run, &standing)
                .await
                .unwrap_or_else(|what| panic!("{}: `{}` {what}: {standing:?}", state.display(), host.runs[run].id));
        }
        drop(store);
        whole(&state);
        states += 1;
    }
    states
}

/// What was acknowledged of a run when the power failed.
#[derive(Debug, Default)]
struct Standing {
    events: usize,
    message: Option<u64>,
    migrated: bool,
    forgetting: bool,
    forgotten: bool,
}

impl Standing {
    fn of(run: usize, facts: &[Fact]) -> Self {
        let mut standing = Self::default();
        for fact in facts {
            match *fact {
                Fact::Durable { run: of, events } if of == run => standing.events = events,
                Fact::Sent { run: of, message } if of == run => standing.message = Some(message),
                Fact::Migrated { run: of } if of == run => standing.migrated = true,
                Fact::Forgetting { run: of } if of == run => standing.forgetting = true,
                Fact::Forgotten { run: of } if of == run => standing.forgotten = true,
                _ => {}
            }
        }
        standing
    }
}

/// Looks whether a run is there as it should be, and goes on with it.
async fn kept(store: &Arc<dyn RunStore>, host: &Host, run: usize, standing: &Standing) -> Result<(), String> {
    let written = &host.runs[run];
    let kept = match store.load(&written.id).await {
        Err(JournalError::Unknown(_)) if standing.events == 0 || standing.forgetting => return Ok(()),
        Err(why) => return Err(why.to_string()),
        Ok(_) if standing.forgotten => return Err("is back".to_owned()),
        Ok(kept) => kept,
    };
    let (is, said) = (told(&kept.events), told(&written.events));
    if is.len() < standing.events {
        return Err(format!("has only {} events", is.len()));
    }
    if is != said[..is.len().min(said.len())] {
        return Err(format!("has other events: {is:#?}"));
    }
    if standing.message.is_some_and(|number| kept.messages.iter().all(|message| message.number != number)) {
        return Err("lost its message".to_owned());
    }
    if standing.migrated && kept.opening.program.hash() != program("as it is now").hash() {
        return Err("has its old program".to_owned());
    }
    if kept.summary.status.ended() {
        return Ok(());
    }
    let lease = loop {
        match store.take(&written.id, at(0)).await {
            // Its owner is this very process, and silent.
            Err(JournalError::Held(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
            taken => break taken.map_err(|why| why.to_string())?,
        }
    };
    let mut run = Writing::resume(store, lease, is.len() as u64, 0);
    run.append(EventKind::RunResumed);
    run.append(ends());
    run.commit().await.map_err(|why| why.to_string())
}
