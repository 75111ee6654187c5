//! Runs that go on: after their process, or after a wait.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::run::engine::{Engine, StartError};
use crate::run::handle::Run;
use crate::run::journal::{JournalError, Kept, Lease, Rest, RunStore};
use crate::run::{RunError, RunStatus};
use crate::types::Text;
use crate::value::ErrorKind;

/// How long a run that could not be read is left alone.
const UNREAD: SignedDuration = SignedDuration::from_secs(10);

/// Why a run cannot go on.
#[derive(Clone, Debug)]
pub enum ResumeError {
    /// The engine has no store.
    NoStore,
    /// The store says no.
    Journal(JournalError),
    /// The engine is not one that can run it: a tool is not there.
    Start(StartError),
}

impl Engine {
    /// Has a run go on that this process has taken or claimed from the engine's store. It goes through what is recorded
    /// first; what was completed is not called again.
    ///
    /// # Errors
    /// The run cannot be read: it is given up, for whoever can. Or its tools are not there: it is parked then.
    pub async fn resume(&self, lease: Lease) -> Result<Run, ResumeError> {
        let store = self.store()?;
        let kept = match store.load(&lease.run).await {
            Ok(kept) => kept,
            Err(why) => {
                // It may be read later, or never. Where this fails too, the store knows that nobody here carries it on.
                let later = self.shared.clock.now().checked_add(UNREAD).ok();
                let _ = store.release(&lease, Rest::Waiting(later)).await;
                return Err(ResumeError::Journal(why));
            }
        };
        let Kept { opening, events, messages, .. } = kept;
        let prepared = match self.prepare(&opening.program, &opening.flow, &opening.input) {
            Ok(prepared) => prepared,
            Err(why) => {
                let parked = Rest::Parked(RunError::new(ErrorKind::Internal, why.to_string()));
                store.release(&lease, parked).await.map_err(ResumeError::Journal)?;
                return Err(ResumeError::Start(why));
            }
        };
        let journal = (self.shared.journal.clone().ok_or(ResumeError::NoStore)?, lease);
        let which = (opening.run.clone(), opening.at);
        // One whose first event was never durable begins anew.
        let resumed = !events.is_empty();
        let run = self.spawn(prepared, which, Some(journal), events, resumed);
        for message in messages {
            run.shared().deliver(message);
        }
        Ok(run)
    }

    /// Takes a run of the engine's store that nobody carries on, whatever its state, and has it go on.
    ///
    /// # Errors
    /// See [`ResumeError`].
    pub async fn take(&self, run: &str) -> Result<Run, ResumeError> {
        let lease = self.store()?.take(run, self.shared.clock.now()).await.map_err(ResumeError::Journal)?;
        self.resume(lease).await
    }

    /// The engine's store.
    ///
    /// # Errors
    /// There is none.
    pub fn store(&self) -> Result<Arc<dyn RunStore>, ResumeError> {
        self.shared.store.clone().ok_or(ResumeError::NoStore)
    }

    /// Starts a run of a start key, or finds the one that was started with it.
    ///
    /// # Errors
    /// As [`Engine::start`]; [`OnceError::Other`] where the run of this key is of another flow, program or input.
    pub async fn start_once(
        &self,
        program: &Arc<crate::program::Program>,
        flow: &str,
        input: impl Into<crate::value::Value>,
        labels: crate::run::journal::Labels,
    ) -> Result<Once, OnceError> {
        let input = input.into();
        let store = self.store().map_err(OnceError::Store)?;
        let Some(key) = labels.key.clone() else {
            return self.start_with(program, flow, input, labels).map(Once::New).map_err(OnceError::Start);
        };
        let known = |run: Text| async {
            let kept = store.load(&run).await.map_err(|why| OnceError::Store(ResumeError::Journal(why)))?;
            let same = kept.opening.flow == flow && kept.opening.input == input;
            if same { Ok(Once::Known(run)) } else { Err(OnceError::Other(run)) }
        };
        if let Some(run) = store.find(&key).await.map_err(|why| OnceError::Store(ResumeError::Journal(why)))? {
            return known(run).await;
        }
        let run = self.start_with(program, flow, input.clone(), labels).map_err(OnceError::Start)?;
        // Its first event is shown once it is durable: the key is its own then.
        let mut events = run.events();
        if futures::StreamExt::next(&mut events).await.is_some() {
            return Ok(Once::New(run));
        }
        match store.find(&key).await.map_err(|why| OnceError::Store(ResumeError::Journal(why)))? {
            Some(other) => known(other).await,
            None => Err(OnceError::Store(ResumeError::Journal(JournalError::Unknown(run.id().into())))),
        }
    }

    /// Whether a run could go on with another program: goes through what is recorded without calling anything.
    ///
    /// # Errors
    /// What does not fit, and where; or see [`ResumeError`].
    pub async fn rehearse(
        &self,
        run: &str,
        program: &Arc<crate::program::Program>,
    ) -> Result<Result<(), RunError>, ResumeError> {
        let kept = self.store()?.load(run).await.map_err(ResumeError::Journal)?;
        let prepared = self.prepare(program, &kept.opening.flow, &kept.opening.input).map_err(ResumeError::Start)?;
        if kept.events.is_empty() {
            return Ok(Ok(()));
        }
        let life = self.life(prepared, (kept.opening.run, kept.opening.at), None, kept.events, true);
        Ok(life.rehearse().await)
    }

    /// Lets a run that nobody carries on go on with another program, where that fits what is recorded.
    ///
    /// # Errors
    /// What does not fit, and where; or see [`ResumeError`].
    pub async fn migrate(
        &self,
        run: &str,
        program: &Arc<crate::program::Program>,
    ) -> Result<Result<(), RunError>, ResumeError> {
        let store = self.store()?;
        let status = store.summary(run).await.map_err(ResumeError::Journal)?.status;
        let lease = store.take(run, self.shared.clock.now()).await.map_err(ResumeError::Journal)?;
        let mut fits = self.rehearse(run, program).await;
        if let Ok(Ok(())) = fits
            && let Err(why) = store.migrate(&lease, Arc::clone(program)).await
        {
            fits = Err(ResumeError::Journal(why));
        }
        let rest = match status {
            RunStatus::Parked => Rest::Parked(RunError::new(ErrorKind::Interrupted, "it was given another program")),
            _ => Rest::Waiting(Some(self.shared.clock.now())),
        };
        // Whatever came of it, nobody here carries it on.
        let released = store.release(&lease, rest).await.map_err(ResumeError::Journal);
        fits.and_then(|fits| released.map(|()| fits))
    }
}

/// The run of a start key.
#[derive(Debug)]
pub enum Once {
    /// It was started just now.
    New(Run),
    /// It was started before: its id.
    Known(Text),
}

/// Why there is no run of a start key.
#[derive(Debug)]
pub enum OnceError {
    /// See [`StartError`].
    Start(StartError),
    /// The run of this key, of this id, is of another flow or input.
    Other(Text),
    /// See [`ResumeError`].
    Store(ResumeError),
}

impl std::fmt::Display for ResumeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ResumeError::NoStore => f.write_str("the engine keeps no runs: give it a store (`EngineBuilder::store`)"),
            ResumeError::Journal(why) => why.fmt(f),
            ResumeError::Start(why) => write!(f, "the run cannot go on here: {why}"),
        }
    }
}

impl std::error::Error for ResumeError {}

impl std::fmt::Display for OnceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OnceError::Start(why) => why.fmt(f),
            OnceError::Other(run) => write!(f, "the run `{run}` was started with this key, and with other input"),
            OnceError::Store(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for OnceError {}
