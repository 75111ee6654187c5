//! The journal: where a run's events are kept, so that it outlives its process. [`Journal`] is what one run asks of it;
//! [`RunStore`] is what keeping many runs over time takes besides.
//!
//! The events are the run. What a run may use again after a crash it finds there by path: the outcome of each tool
//! call, waits that are over, signals. All else is computed again from the program.

mod log;
mod memory;
mod records;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::program::Program;
use crate::run::event::{Event, RunError};
use crate::types::Text;
use crate::value::Value;

pub(crate) use log::Log;
pub use memory::MemoryJournal;
pub use records::{Failing, Filter, FlowStats, Page, RunStatus, RunSummary, Standing, pattern};

/// Where a run's events are kept.
pub trait Journal: Send + Sync {
    /// Takes up a new run, which is this process's from now on. Durable with the run's first [`Journal::commit`].
    fn open(&self, opening: Arc<Opening>) -> Lease {
        Lease { run: opening.run.clone(), epoch: 1 }
    }

    /// Appends events of a run, in order; their numbers follow on from what is there.
    fn append(&self, lease: &Lease, events: &[Arc<Event>]);

    /// Waits until all that was appended for the run is durable. Runs that wait at the same time share the write.
    ///
    /// # Errors
    /// Why it cannot be. The run stops at once where it stands: nothing may happen that is not recorded.
    fn commit<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Gives up a run that has not ended, once all that was appended for it is durable.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    fn release<'a>(&'a self, lease: &'a Lease, rest: Rest) -> BoxFuture<'a, Result<(), JournalError>> {
        let _ = rest;
        self.commit(lease)
    }

    /// How long this process may be silent before its runs are anyone's.
    fn lease(&self) -> Duration {
        LEASE
    }

    /// Whether what it keeps outlives the process; if not, runs need not wait for [`Journal::commit`].
    fn durable(&self) -> bool {
        true
    }
}

/// Many runs, kept over time and shared by several processes: each run is one process's at a time.
///
/// A process that opened a store is an *owner*. Owners are alive as long as they [`RunStore::beat`]; the runs of one
/// that has not for [`LEASE`], or whose process is known to be gone, may be claimed by another, with the next epoch.
/// Every write names its epoch, and one of an earlier epoch changes nothing and fails with [`JournalError::Lost`].
/// Liveness is never told from the time of day: clocks jump.
pub trait RunStore: Journal {
    /// The run that was opened with this start key.
    fn find<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Text>, JournalError>>;

    /// All that is kept of a run.
    ///
    /// # Errors
    /// [`JournalError::Unknown`] where there is no such run.
    fn load<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<Kept, JournalError>>;

    /// How a run stands, without reading its events.
    ///
    /// # Errors
    /// [`JournalError::Unknown`] where there is no such run.
    fn summary<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<RunSummary, JournalError>>;

    /// The events of a run after the one of this number, at most `most`, in order.
    fn events<'a>(
        &'a self,
        run: &'a str,
        after: u64,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Arc<Event>>, JournalError>>;

    /// What is known of some runs, without their events.
    fn list<'a>(&'a self, filter: &'a Filter, page: Page) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>>;

    /// Makes one run this process's.
    ///
    /// # Errors
    /// [`JournalError::Unknown`]; [`JournalError::Held`] where a living owner has it; [`JournalError::Ended`].
    fn take<'a>(&'a self, run: &'a str, now: Timestamp) -> BoxFuture<'a, Result<Lease, JournalError>>;

    /// Makes runs this process's that nobody carries on and that could go on: those of dead owners, and waiting ones
    /// whose time has come or for which there is a message. A run that was claimed from a dead owner more than
    /// [`MOST_RECOVERIES`] times without a step having ended in between is parked instead.
    fn claim(&self, most: usize, now: Timestamp) -> BoxFuture<'_, Result<Vec<Lease>, JournalError>>;

    /// Says that this owner is alive, and gives the messages for its runs that it was not given before.
    fn beat(&self) -> BoxFuture<'_, Result<Vec<Message>, JournalError>>;

    /// Leaves a message for a run, for whoever carries it on; it is durable when this returns. Gives its number.
    ///
    /// # Errors
    /// [`JournalError::Unknown`]; [`JournalError::Ended`] where nobody will read it.
    fn send<'a>(&'a self, run: &'a str, note: Note, now: Timestamp) -> BoxFuture<'a, Result<u64, JournalError>>;

    /// Lets a run go on with another program, which must be the one that carries on its events.
    fn migrate<'a>(&'a self, lease: &'a Lease, program: Arc<Program>) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Forgets runs that have ended, with their steps and events, and programs that no run has any more. Gives how many
    /// runs.
    fn prune<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<u64, JournalError>>;

    /// What came of the runs of each flow, by the flow's name.
    fn stats<'a>(&'a self, filter: &'a Filter) -> BoxFuture<'a, Result<Vec<FlowStats>, JournalError>>;

    /// How many runs have not ended, by the name of the flow and of the status. It takes the longer the more they are,
    /// whatever else is kept.
    fn standing(&self) -> BoxFuture<'_, Result<Vec<Standing>, JournalError>>;

    /// What runs have spent on steps that ended since then, in US dollars.
    fn spent(&self, since: Timestamp) -> BoxFuture<'_, Result<f64, JournalError>>;
}

/// How long an owner may be silent before its runs are anyone's.
pub const LEASE: Duration = Duration::from_secs(15);

/// How often a run may take its process down before it is left alone.
pub const MOST_RECOVERIES: u32 = 10;

/// How a run began.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its id.
    pub run: Text,
    /// The flow's name.
    pub flow: Text,
    /// The program, which stays the run's whatever becomes of its files.
    pub program: Arc<Program>,
    /// The input, as it was given.
    pub input: Value,
    /// When.
    pub at: Timestamp,
    /// Who it is for, and what it came from.
    pub labels: Labels,
}

/// What the host knows of a run, and may look for it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// The start key: there is one run of each.
    pub key: Option<Text>,
    /// The user it runs for.
    pub user: Option<Text>,
    /// The conversation it belongs to.
    pub conversation: Option<Text>,
    /// The run that it began as a copy of.
    pub forked_from: Option<Text>,
}

/// The right to write to a run: it is one process's, until another claims it with a later epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run's id.
    pub run: Text,
    /// From 1.
    pub epoch: u64,
}

/// Why a run is given up before its end.
#[derive(Clone, Debug)]
pub enum Rest {
    /// It waits: for this moment, or for a message; without either, for a message alone.
    Waiting(Option<Timestamp>),
    /// It cannot go on by itself: somebody has to look at it, and resume it.
    Parked(RunError),
}

/// All that is kept of a run.
#[derive(Clone, Debug)]
pub struct Kept {
    /// How it began.
    pub opening: Opening,
    /// How it stands.
    pub summary: RunSummary,
    /// Its events, in order, from the first.
    pub events: Vec<Arc<Event>>,
    /// The messages that were left for it, in order; those that it took are in its events.
    pub messages: Vec<Message>,
}

/// A message that was left for a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number, which grows with each message of the store.
    pub number: u64,
    /// The run.
    pub run: Text,
    /// What it says.
    pub note: Note,
}

/// What is said to a run from outside.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Note {
    /// The answer to what a step asks.
    Answer {
        /// The waiting step's path.
        path: Text,
        /// The answer.
        value: Value,
    },
    /// A step will get no answer.
    Decline {
        /// The waiting step's path.
        path: Text,
        /// Why.
        why: Text,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: Text,
        /// What it carries.
        value: Value,
    },
    /// It shall end.
    Cancel,
}

/// Why the journal did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// There is no such run.
    Unknown(Text),
    /// A living owner carries the run on.
    Held(Text),
    /// The run has ended.
    Ended(Text),
    /// Another owner has claimed the run: this one must not write to it any more.
    Lost(Text),
    /// There is a run of this start key: this one.
    KeyTaken(Text),
    /// Something is wrong with where it is kept. A sentence that says what.
    Broken(String),
}

impl std::fmt::Display for JournalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JournalError::Unknown(run) => write!(f, "there is no run `{run}`"),
            JournalError::Held(run) => write!(f, "another process carries on the run `{run}`"),
            JournalError::Ended(run) => write!(f, "the run `{run}` has ended"),
            JournalError::Lost(run) => write!(f, "another process has taken over the run `{run}`"),
            JournalError::KeyTaken(run) => write!(f, "the run `{run}` was started with this key"),
            JournalError::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for JournalError {}
