//! What is told of runs without reading their events.

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::run::event::{Event, EventKind, RunError};
use crate::run::journal::{Labels, MOST_RECOVERIES, Opening};
use crate::run::ports::Usage;
use crate::types::Text;
use crate::value::ErrorKind;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Its owner carries it on, or is gone and another will.
    Running,
    /// It waits for a moment, an answer or a signal, and takes no memory.
    Waiting,
    /// It cannot go on by itself.
    Parked,
    /// It came to its end.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl RunStatus {
    /// All of them.
    pub const ALL: [RunStatus; 6] = [
        RunStatus::Running,
        RunStatus::Waiting,
        RunStatus::Parked,
        RunStatus::Completed,
        RunStatus::Failed,
        RunStatus::Cancelled,
    ];

    /// Its name: `running`.
    pub fn name(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Waiting => "waiting",
            RunStatus::Parked => "parked",
            RunStatus::Completed => "completed",
            RunStatus::Failed => "failed",
            RunStatus::Cancelled => "cancelled",
        }
    }

    /// The status of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether nothing more will happen.
    pub fn ended(self) -> bool {
        matches!(self, RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled)
    }

    /// The status that an event gives its run, where it gives one.
    pub fn after(event: &EventKind) -> Option<Self> {
        match event {
            EventKind::RunStarted { .. } | EventKind::RunResumed => Some(RunStatus::Running),
            EventKind::RunCompleted { .. } => Some(RunStatus::Completed),
            EventKind::RunFailed { .. } => Some(RunStatus::Failed),
            EventKind::RunCancelled { .. } => Some(RunStatus::Cancelled),
            _ => None,
        }
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What is known of a run without its events.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// Its id.
    pub run: Text,
    /// The flow's name.
    pub flow: Text,
    /// The program's hash.
    pub program: Text,
    /// How it stands.
    pub status: RunStatus,
    /// What the host knows of it.
    pub labels: Labels,
    /// How many named or titled steps stand in the flow's text.
    pub steps_total: u32,
    /// How many steps completed, those of called flows and every iteration included.
    pub steps_completed: u64,
    /// The number of its last event.
    pub events: u64,
    /// Why it failed or was parked.
    pub error: Option<RunError>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it goes on by itself, of one that waits.
    pub wakes_at: Option<Timestamp>,
    /// How often it was taken over from a dead owner since a step last ended.
    pub recoveries: u32,
    /// What its steps spent.
    pub usage: Usage,
}

impl RunSummary {
    /// Of a run that has just begun.
    pub fn of(opening: &Opening) -> Self {
        Self {
            run: opening.run.clone(),
            flow: opening.flow.clone(),
            program: opening.program.hash().clone(),
            status: RunStatus::Running,
            labels: opening.labels.clone(),
            steps_total: 0,
            steps_completed: 0,
            events: 0,
            error: None,
            started_at: opening.at,
            ended_at: None,
            wakes_at: None,
            recoveries: 0,
            usage: Usage::default(),
        }
    }

    /// Takes note of the run's next event.
    pub fn apply(&mut self, event: &Event) {
        self.events = event.number;
        if let Some(status) = RunStatus::after(&event.kind) {
            self.status = status;
            self.wakes_at = None;
            self.ended_at = status.ended().then_some(event.at);
        }
        if event.kind.ends_step() {
            self.recoveries = 0;
        }
        match &event.kind {
            EventKind::RunStarted { steps, .. } => self.steps_total = *steps,
            EventKind::RunResumed => self.error = None,
            EventKind::StepCompleted { usage, .. } => {
                self.steps_completed += 1;
                self.usage.add(&usage.as_deref().copied().unwrap_or_default());
            }
            EventKind::StepFailed { usage, .. } => self.usage.add(&usage.as_deref().copied().unwrap_or_default()),
            EventKind::RunFailed { error, .. } => self.error = Some(error.clone()),
            _ => {}
        }
    }

    /// Leaves it alone, since it takes down whoever carries it on.
    pub fn park(&mut self) {
        self.status = RunStatus::Parked;
        self.error = Some(Self::too_many_recoveries());
    }

    /// Why a run is parked that takes down whoever carries it on.
    pub fn too_many_recoveries() -> RunError {
        let message = format!(
            "its process ended {MOST_RECOVERIES} times in a row while it carried the run on, without a step having ended"
        );
        RunError::new(ErrorKind::Interrupted, message)
    }
}

/// Which runs. What is not said does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this flow.
    pub flow: Option<Text>,
    /// With one of these statuses; any where there are none.
    pub status: Vec<RunStatus>,
    /// For this user.
    pub user: Option<Text>,
    /// Of this conversation.
    pub conversation: Option<Text>,
    /// That began at this moment or later.
    pub since: Option<Timestamp>,
    /// That began before this moment.
    pub before: Option<Timestamp>,
}

impl Filter {
    /// Whether it takes a run.
    pub fn takes(&self, run: &RunSummary) -> bool {
        let Filter { flow, status, user, conversation, since, before } = self;
        flow.as_ref().is_none_or(|flow| run.flow == *flow)
            && (status.is_empty() || status.contains(&run.status))
            && (user.is_none() || run.labels.user == *user)
            && (conversation.is_none() || run.labels.conversation == *conversation)
            && since.is_none_or(|since| run.started_at >= since)
            && before.is_none_or(|before| run.started_at < before)
    }
}

/// A part of a list that goes from the newest run to the oldest.
#[derive(Clone, Debug)]
pub struct Page {
    /// At most so many.
    pub most: usize,
    /// Those after this run: the last of the page before.
    pub after: Option<Text>,
}

/// How many runs of a flow stand like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The flow's name.
    pub flow: Text,
    /// How they stand.
    pub status: RunStatus,
    /// How many they are.
    pub runs: u64,
}

/// What came of a flow's runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FlowStats {
    /// The flow's name.
    pub flow: Text,
    /// How many runs there are.
    pub runs: u64,
    /// How many came to their end.
    pub completed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many were cancelled.
    pub cancelled: u64,
    /// Milliseconds from start to end of those that ended: the mean, and what half of them and 95 of 100 took at most.
    pub mean_ms: f64,
    /// See `mean_ms`.
    pub p50_ms: u64,
    /// See `mean_ms`.
    pub p95_ms: u64,
    /// Tokens, read and written.
    pub tokens: u64,
    /// US dollars.
    pub usd: f64,
    /// The steps that failed most often, at most five.
    pub failing: Vec<Failing>,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failing {
    /// Its path with indexes, rounds and attempts left out: `pages[].page`.
    pub step: Text,
    /// The kind of most of its failures.
    pub kind: ErrorKind,
    /// How often it failed.
    pub count: u64,
}

impl FlowStats {
    /// What came of some runs, each with its events.
    pub fn of<'a>(runs: impl Iterator<Item = (&'a RunSummary, &'a [Arc<Event>])>) -> Vec<Self> {
        let mut flows: IndexMap<Text, (Self, Vec<u64>, IndexMap<Text, IndexMap<ErrorKind, u64>>)> = IndexMap::new();
        for (run, events) in runs {
            let (stats, durations, failing) = flows.entry(run.flow.clone()).or_default();
            stats.runs += 1;
            stats.completed += u64::from(run.status == RunStatus::Completed);
            stats.failed += u64::from(run.status == RunStatus::Failed);
            stats.cancelled += u64::from(run.status == RunStatus::Cancelled);
            stats.tokens += run.usage.input_tokens + run.usage.output_tokens;
            stats.usd += run.usage.usd;
            if let Some(ended) = run.ended_at {
                durations.push(u64::try_from(ended.duration_since(run.started_at).as_millis()).unwrap_or(0));
            }
            for event in events {
                if let EventKind::StepFailed { path, error, .. } = &event.kind {
                    *failing.entry(pattern(path)).or_default().entry(error.kind).or_default() += 1;
                }
            }
        }
        let mut all: Vec<_> = flows
            .into_iter()
            .map(|(flow, (stats, durations, failing))| {
                let failing = failing.into_iter().filter_map(|(step, kinds)| {
                    let count = kinds.values().sum();
                    kinds.into_iter().max_by_key(|(_, count)| *count).map(|(kind, _)| Failing { step, kind, count })
                });
                Self { flow, ..stats }.with_durations(durations).with_failing(failing.collect())
            })
            .collect();
        all.sort_by(|one, other| one.flow.cmp(&other.flow));
        all
    }

    /// With the durations of its runs that ended, in milliseconds.
    #[must_use]
    pub fn with_durations(mut self, mut durations: Vec<u64>) -> Self {
        durations.sort_unstable();
        // The nearest rank: the least that is at least as large as so many of all.
        let rank = |percent: usize| {
            let rank = (durations.len() * percent).div_ceil(100);
            durations.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        (self.p50_ms, self.p95_ms) = (rank(50), rank(95));
        self.mean_ms = durations.iter().sum::<u64>() as f64 / durations.len().max(1) as f64;
        self
    }

    /// With the steps that failed: those that did most often come first, and five are kept.
    #[must_use]
    pub fn with_failing(mut self, mut failing: Vec<Failing>) -> Self {
        failing.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.step.cmp(&other.step)));
        failing.truncate(5);
        self.failing = failing;
        self
    }
}

/// A step's path without what tells its executions apart: indexes, rounds and attempts.
pub fn pattern(path: &str) -> Text {
    let mut pattern = String::with_capacity(path.len());
    let mut rest = path.chars().peekable();
    while let Some(next) = rest.next() {
        let digits = matches!(next, '[' | '#' | '~') && rest.peek().is_some_and(char::is_ascii_digit);
        if !digits || next == '[' {
            pattern.push(next);
        }
        while digits && rest.peek().is_some_and(char::is_ascii_digit) {
            rest.next();
        }
    }
    Text::from(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_leaves_out_what_tells_executions_apart() {
        for (path, wanted) in [
            ("pages#2[3].page", "pages[].page"),
            ("poll~2.status#3", "poll.status"),
            ("book~undo", "book~undo"),
            ("web.scrape@1", "web.scrape@1"),
        ] {
            assert_eq!(pattern(path), wanted);
        }
    }

    #[test]
    fn durations_are_told_by_nearest_rank() {
        let stats = FlowStats::default().with_durations((1..=100).rev().collect());
        assert_eq!((stats.p50_ms, stats.p95_ms, stats.mean_ms), (50, 95, 50.5));
        assert_eq!(FlowStats::default().with_durations(Vec::new()), FlowStats::default());
    }
}
