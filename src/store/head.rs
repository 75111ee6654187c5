//! What the tables say of a run beside its events, told from them. A head is kept in memory while a run is written to, so
//! that nothing has to be read.

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::run::event::{Event, EventKind, RunError};
use crate::run::journal::{JournalError, Opening, Rest, RunStatus, RunSummary, pattern};
use crate::run::ports::Usage;
use crate::store::text::{json, whole};
use crate::types::Text;

/// How a run stands.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) epoch: u64,
    pub(super) summary: RunSummary,
    /// How many steps began.
    pub(super) begun: u64,
    /// How many steps began and have not ended, where that is known: not in a head that was read.
    pub(super) open: Option<u64>,
    /// The last message that the run took.
    pub(super) read: u64,
}

/// What events change in the rows.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The rows of steps, by path.
    pub(super) steps: IndexMap<Text, Step>,
    /// What the run gave, as JSON.
    pub(super) output: Option<String>,
    /// The run ended, and there may be steps that did not.
    pub(super) swept: Option<Timestamp>,
    /// More changed than the counts of what happened.
    pub(super) standing: bool,
    /// Money was spent.
    pub(super) spent: bool,
}

/// How a step's row is to be. All but `begun` replaces what is there.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// It began: the row is new.
    pub(super) begun: Option<Begun>,
    /// `running`, `retrying`, `completed`, `failed`, `skipped`, `cancelled`
    pub(super) status: &'static str,
    /// The attempt that began last, where one did.
    pub(super) attempt: Option<u32>,
    pub(super) error: Option<RunError>,
    pub(super) ended: Option<Timestamp>,
    pub(super) duration_ms: Option<u64>,
    pub(super) usage: Usage,
    /// What it gave, as JSON.
    pub(super) result: Option<String>,
}

/// What is known of a step from its start.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// Its number in the order that the run's steps began, from 1.
    pub(super) number: u64,
    /// Its path without what tells its executions apart.
    pub(super) name: Text,
    pub(super) title: Option<Text>,
    pub(super) action: Option<Text>,
    pub(super) args_hash: Option<Text>,
    pub(super) at: Timestamp,
}

impl Head {
    /// Of a run that has just begun.
    pub(super) fn of(opening: &Opening) -> Self {
        let mut summary = RunSummary::of(opening);
        summary.started_at = whole(summary.started_at);
        Self { epoch: 1, summary, begun: 0, open: Some(0), read: 0 }
    }

    /// Takes note of the run's next events, and of what they change.
    ///
    /// # Errors
    /// Where one is missing.
    pub(super) fn fold<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event>,
        changes: &mut Changes,
    ) -> Result<(), JournalError> {
        for event in events {
            let last = self.summary.events;
            if event.number != last + 1 {
                return Err(JournalError::Broken(format!(
                    "the run `{}` is kept up to its event {last}: event {} cannot follow",
                    self.summary.run, event.number
                )));
            }
            self.take(event, changes);
        }
        Ok(())
    }

    fn take(&mut self, event: &Event, changes: &mut Changes) {
        let recoveries = self.summary.recoveries;
        self.summary.apply(event);
        changes.standing |= RunStatus::after(&event.kind).is_some() || self.summary.recoveries != recoveries;
        if let Some(message) = event.kind.message() {
            self.read = self.read.max(message);
            changes.standing = true;
        }
        if event.kind.ends_run() {
            self.summary.ended_at = Some(whole(event.at));
            changes.swept = (self.open != Some(0)).then_some(event.at);
        }
        if let EventKind::RunCompleted { output, .. } = &event.kind {
            changes.output = Some(json(output));
        }
        self.take_step(event, changes);
    }

    /// Each event that changes a step's row replaces all that can change in it.
    fn take_step(&mut self, event: &Event, changes: &mut Changes) {
        let spent = |usage: &Option<Box<Usage>>| usage.as_deref().copied().unwrap_or_default();
        let end = |status| Step { status, ended: Some(event.at), ..Step::default() };
        let (path, step) = match &event.kind {
            EventKind::StepStarted { path, attempt, title, action, args_hash, .. } => {
                let path = without_attempt(path, *attempt);
                let begun = (*attempt == 1).then(|| Begun {
                    title: title.clone(),
                    action: Some(action.clone()),
                    args_hash: args_hash.clone(),
                    ..self.begin(&path, event.at)
                });
                (path, Step { begun, status: "running", attempt: Some(*attempt), ..Step::default() })
            }
            EventKind::StepRetrying { path, attempt, error, .. } => {
                let error = Some(error.clone());
                (without_attempt(path, *attempt), Step { status: "retrying", error, ..Step::default() })
            }
            EventKind::StepSkipped { path } => {
                let begun = Some(self.begin(path, event.at));
                (path.clone(), Step { begun, attempt: Some(0), duration_ms: Some(0), ..end("skipped") })
            }
            EventKind::StepCompleted { path, result, duration_ms, usage } => {
                let (usage, result) = (spent(usage), Some(json(result)));
                (path.clone(), Step { duration_ms: Some(*duration_ms), usage, result, ..end("completed") })
            }
            EventKind::StepFailed { path, error, duration_ms, usage } => {
                let (usage, error) = (spent(usage), Some(error.clone()));
                (path.clone(), Step { duration_ms: Some(*duration_ms), usage, error, ..end("failed") })
            }
            EventKind::StepCancelled { path, duration_ms } => {
                (path.clone(), Step { duration_ms: Some(*duration_ms), ..end("cancelled") })
            }
            _ => return,
        };
        changes.spent |= step.usage.usd > 0.0;
        if step.ended.is_some() {
            self.open = self.open.map(|open| open.saturating_sub(1));
        }
        let known = changes.steps.entry(path).or_default();
        *known = Step { begun: step.begun.or(known.begun.take()), attempt: step.attempt.or(known.attempt), ..step };
    }

    fn begin(&mut self, path: &str, at: Timestamp) -> Begun {
        self.begun += 1;
        self.open = self.open.map(|open| open + 1);
        Begun { number: self.begun, name: pattern(path), at, ..Begun::default() }
    }

    /// How long it took, in milliseconds, of a run that ended.
    pub(super) fn duration_ms(&self) -> Option<i64> {
        let took = self.summary.ended_at?.duration_since(self.summary.started_at);
        Some(i64::try_from(took.as_millis()).unwrap_or(0).max(0))
    }

    /// The run is given up.
    pub(super) fn rest(&mut self, rest: &Rest) {
        match rest {
            Rest::Waiting(until) => {
                (self.summary.status, self.summary.wakes_at) = (RunStatus::Waiting, until.map(whole));
            }
            Rest::Parked(error) => {
                (self.summary.status, self.summary.error) = (RunStatus::Parked, Some(error.clone()));
            }
        }
    }
}

/// A step's path without its own attempt, which paths have from the second on.
fn without_attempt(path: &Text, attempt: u32) -> Text {
    match path.rsplit_once('#') {
        Some((step, _)) if attempt > 1 => Text::new(step),
        _ => path.clone(),
    }
}
