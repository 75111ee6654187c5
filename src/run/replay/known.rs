//! What is recorded of one path.

use std::sync::Arc;

use crate::run::event::{Event, EventKind};

/// The events of a path: of a step, or of one of its attempts.
#[derive(Default)]
pub(super) struct Known {
    pub(super) started: Option<Arc<Event>>,
    pub(super) retrying: Option<Arc<Event>>,
    /// `step.returned` or `step.caught`.
    pub(super) acted: Option<Arc<Event>>,
    /// The one end of a step, or an `emit`.
    pub(super) ended: Option<Arc<Event>>,
    pub(super) expired: Option<Arc<Event>>,
    pub(super) stopped: Option<Arc<Event>>,
    pub(super) waiting: Option<Arc<Event>>,
    pub(super) received: Option<Arc<Event>>,
    /// The lowest number of all.
    pub(super) first: u64,
    /// The highest number of all.
    pub(super) last: u64,
}

impl Known {
    /// The numbers of all its events.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.started.iter().chain(&self.stopped).map(|event| event.number).chain(self.ends())
    }

    /// The numbers of the events that end an attempt or the step.
    pub(super) fn ends(&self) -> impl Iterator<Item = u64> {
        [&self.retrying, &self.acted, &self.ended].into_iter().flatten().map(|event| event.number)
    }

    /// Whether the event of this number says that a loop was stopped.
    pub(super) fn stops(&self, number: u64) -> bool {
        self.stopped.as_ref().is_some_and(|event| event.number == number)
    }

    pub(super) fn slot(&mut self, kind: &EventKind) -> Option<&mut Option<Arc<Event>>> {
        Some(match kind {
            EventKind::StepStarted { .. } => &mut self.started,
            EventKind::StepRetrying { .. } => &mut self.retrying,
            EventKind::StepReturned { .. } | EventKind::StepCaught { .. } => &mut self.acted,
            EventKind::StepExpired { .. } => &mut self.expired,
            EventKind::StepStopped { .. } => &mut self.stopped,
            EventKind::RunWaiting { .. } => &mut self.waiting,
            EventKind::RunReceived { .. } => &mut self.received,
            EventKind::Emitted { .. } => &mut self.ended,
            kind if kind.ends_step() => &mut self.ended,
            _ => return None,
        })
    }

    pub(super) fn of(&self, kind: &EventKind) -> Option<&Arc<Event>> {
        match kind {
            EventKind::StepStarted { .. } => self.started.as_ref(),
            EventKind::StepRetrying { .. } => self.retrying.as_ref(),
            EventKind::StepReturned { .. } | EventKind::StepCaught { .. } => self.acted.as_ref(),
            EventKind::StepStopped { .. } => self.stopped.as_ref(),
            EventKind::RunWaiting { .. } => self.waiting.as_ref(),
            EventKind::RunReceived { .. } => self.received.as_ref(),
            EventKind::Emitted { .. } => self.ended.as_ref(),
            kind if kind.ends_step() => self.ended.as_ref(),
            _ => None,
        }
    }
}
