//! Copies of runs that begin anew at one of their steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::run::engine::{Engine, run_id};
use crate::run::event::{Event, EventKind};
use crate::run::handle::Run;
use crate::run::journal::{Journal, Kept, Labels, Opening};
use crate::run::resume::ResumeError;
use crate::types::Text;

/// Why a run cannot be copied.
#[derive(Clone, Debug)]
pub enum ForkError {
    /// The run never began this step.
    NoStep {
        /// Its path.
        path: Text,
        /// The paths of the steps that it began, in their order.
        known: Vec<Text>,
    },
    /// See [`ResumeError`].
    Resume(ResumeError),
}

impl Engine {
    /// Starts a copy of a run of the engine's store: of the same program and input, with what its steps gave before the
    /// step of this path began; that step and all that followed is done anew. Steps that were undone are, too. Without
    /// a path it is done anew from the start. The run itself stays as it is.
    ///
    /// # Errors
    /// See [`ForkError`].
    pub async fn fork(&self, run: &str, from: Option<&str>) -> Result<Run, ForkError> {
        let resume = ForkError::Resume;
        let store = self.store().map_err(resume)?;
        let Kept { opening, events, .. } = store.load(run).await.map_err(ResumeError::Journal).map_err(resume)?;
        let prepared = self.prepare(&opening.program, &opening.flow, &opening.input);
        let prepared = prepared.map_err(ResumeError::Start).map_err(resume)?;
        let now = self.shared.clock.now();
        let id = run_id(now);
        let kept = match from {
            Some(path) => before(&events, path, &id, now)?,
            None => Vec::new(),
        };
        let labels = Labels { key: None, forked_from: Some(run.into()), ..opening.labels };
        let journal = self.shared.journal.clone().ok_or(ForkError::Resume(ResumeError::NoStore))?;
        let lease = journal.open(Arc::new(Opening { run: id.clone(), at: now, labels, ..opening }));
        journal.append(&lease, &kept);
        journal.commit(&lease).await.map_err(ResumeError::Journal).map_err(resume)?;
        let resumed = !kept.is_empty();
        Ok(self.spawn(prepared, (id, now), Some((journal as Arc<dyn Journal>, lease)), kept, resumed))
    }
}

/// The events of a run from before a step began, as those of its copy: what had completed, and what other branches that
/// were in flight then came to.
fn before(events: &[Arc<Event>], path: &str, run: &Text, now: Timestamp) -> Result<Vec<Arc<Event>>, ForkError> {
    let mut began: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
    let mut anew = BTreeSet::new();
    for event in events {
        if let EventKind::StepStarted { path, action, attempt, .. } = &event.kind {
            let step = if *attempt > 1 { path.rsplit_once('#').map_or(path.as_str(), |(step, _)| step) } else { path };
            began.entry(step).or_insert((event.number, action.contains('.')));
            anew.extend(step.strip_suffix("~undo"));
        }
    }
    let wanted = path.rsplit_once('#').filter(|_| !began.contains_key(path)).map_or(path, |(step, _)| step);
    if !began.contains_key(wanted) {
        let mut known: Vec<_> = began.iter().map(|(step, (number, _))| (*number, Text::from(*step))).collect();
        known.sort_unstable();
        return Err(ForkError::NoStep { path: path.into(), known: known.into_iter().map(|(_, step)| step).collect() });
    }
    anew.insert(wanted);
    let first = anew.iter().filter_map(|step| began.get(step)).map(|(number, _)| *number).min().unwrap_or(1);
    let gave_something = |event: &&Arc<Event>| match &event.kind {
        EventKind::StepCompleted { path, .. } | EventKind::StepReturned { path, .. } => {
            let other = !anew.contains(path.as_str());
            other && began.get(path.as_str()).is_some_and(|(number, tool)| *tool && *number < first)
        }
        _ => false,
    };
    let kept = events.iter().filter(|event| event.number < first || gave_something(event));
    let copied = kept.enumerate().map(|(at, event)| {
        let kind = match event.kind.clone() {
            EventKind::RunStarted { flow, program, input, steps, .. } => {
                EventKind::RunStarted { run: run.clone(), flow, program, input, steps }
            }
            kind => kind,
        };
        Arc::new(Event { number: at as u64 + 1, at: now, kind })
    });
    Ok(copied.collect())
}

impl std::fmt::Display for ForkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ForkError::NoStep { path, known } => {
                write!(f, "the run never began a step `{path}`")?;
                let near = known.iter().min_by_key(|step| strsim::damerau_levenshtein(step, path));
                near.map_or(Ok(()), |near| write!(f, "; did you mean `{near}`?"))
            }
            ForkError::Resume(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for ForkError {}
