//! Replay: how a run goes on after its process died, or after a wait that it spent nowhere in memory.
//!
//! The program runs again from the top. What an earlier life recorded is met again by path: an event that is there
//! already is not made twice, and a tool's call, a wait between attempts or a message takes what was recorded for it.
//! What is not recorded waits at the **gate**.
//!
//! Whatever came to the run from outside comes again in its **turn**, in the order of the events' numbers: the outcome
//! of a call, the end of a wait, that a time was up, that somebody cancelled. One turn comes when all that followed from
//! the one before has been gone through, so every decision that hung on time (which branch of a race was first, which
//! failure of a `parallel`, what was too late) falls as it fell. When there are no turns left, every event must have
//! been met again, or else the program is not the one that was recorded, and the run stops. Then the gate opens, and the
//! run lives. None of this takes time or calls anything.

mod known;
mod turns;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use crate::run::event::{Event, EventKind, RunError};
use crate::run::replay::known::Known;
pub(crate) use crate::run::replay::turns::Next;
use crate::run::replay::turns::{LAST, Turns};
use crate::types::Text;
use crate::value::{ErrorKind, Value};

/// What an earlier life of a run recorded, and how far this one has met it again.
pub(crate) struct Replay {
    known: BTreeMap<Text, Known>,
    /// The latest round of each `repeat`, and when its last event was.
    rounds: FxHashMap<Text, (u64, Timestamp)>,
    /// Whether a loop was stopped between two rounds.
    stops: bool,
    events: Vec<Arc<Event>>,
    /// By an event's index: whether it was met again, or need not be.
    met: Vec<AtomicBool>,
    unmet: AtomicUsize,
    open: AtomicBool,
    /// Nothing shall be called.
    rehearses: bool,
    turns: Mutex<Turns>,
}

/// What came of an attempt.
pub(crate) enum Outcome<'r> {
    /// `step.completed` or `step.returned`.
    Ended(&'r Event),
    /// It failed: `step.retrying`, `step.failed` or `step.caught`.
    Failed(&'r Event, &'r RunError),
    /// It was cancelled.
    Cancelled(&'r Event),
}

/// What followed an attempt that failed.
pub(crate) enum After {
    /// Another, which began with the event of this number.
    Began(u64),
    /// Another, which is yet to begin, at this moment.
    Due(Timestamp),
    /// The step's end.
    End,
}

impl Replay {
    pub(crate) fn new(events: Vec<Arc<Event>>) -> Self {
        let mut known: BTreeMap<Text, Known> = BTreeMap::new();
        let mut rounds = FxHashMap::default();
        let mut met = Vec::with_capacity(events.len());
        let mut stops = false;
        for event in &events {
            let counts = matches!(
                event.kind,
                EventKind::StepStarted { .. }
                    | EventKind::StepRetrying { .. }
                    | EventKind::StepCaught { .. }
                    | EventKind::StepReturned { .. }
                    | EventKind::StepStopped { .. }
                    | EventKind::Emitted { .. }
            ) || event.kind.ends_step();
            met.push(AtomicBool::new(!counts));
            stops |= matches!(event.kind, EventKind::StepStopped { .. });
            let Some(path) = event.kind.path() else { continue };
            note_rounds(&mut rounds, path, event.at);
            let place =
                if let Some(place) = known.get_mut(path) { place } else { known.entry(path.into()).or_default() };
            place.last = event.number;
            if place.first == 0 {
                place.first = event.number;
            }
            if let Some(slot) = place.slot(&event.kind) {
                *slot = Some(Arc::clone(event));
            }
        }
        let unmet = AtomicUsize::new(met.iter().filter(|met| !met.load(Ordering::Relaxed)).count());
        Self {
            known,
            rounds,
            stops,
            events,
            met,
            unmet,
            open: AtomicBool::new(false),
            rehearses: false,
            turns: Mutex::default(),
        }
    }

    /// A replay whose gate never opens.
    pub(crate) fn rehearsing(self) -> Self {
        Self { rehearses: true, ..self }
    }

    pub(crate) fn rehearses(&self) -> bool {
        self.rehearses
    }

    /// How many events are recorded.
    pub(crate) fn recorded(&self) -> u64 {
        self.events.len() as u64
    }

    /// When the run began.
    pub(crate) fn began(&self) -> Option<Timestamp> {
        self.events.first().map(|event| event.at)
    }

    /// The number of the event by which the run was cancelled.
    pub(crate) fn cancelling(&self) -> Option<u64> {
        let cancels = |event: &&Arc<Event>| matches!(event.kind, EventKind::RunCancelling { .. });
        self.events.iter().find(cancels).map(|event| event.number)
    }

    /// Whether the run is past what is recorded.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Meets an event that the run would make: when it was, where it is recorded.
    ///
    /// # Errors
    /// What is recorded differs.
    pub(crate) fn meet(&self, kind: &EventKind) -> Result<Option<Timestamp>, Box<RunError>> {
        if let EventKind::RunStarted { .. } = kind {
            return Ok(self.began());
        }
        let known = kind.path().and_then(|path| self.known.get(path));
        let Some(event) = known.and_then(|known| known.of(kind)) else { return Ok(None) };
        let same = match (&event.kind, kind) {
            (
                EventKind::StepStarted { action: then, args_hash: had, .. },
                EventKind::StepStarted { action, args_hash, .. },
            ) => then == action && (had.is_none() || args_hash.is_none() || had == args_hash),
            (then, now) => then.name() == now.name(),
        };
        if !same {
            return Err(Box::new(differs(event, kind)));
        }
        let index = usize::try_from(event.number).unwrap_or(usize::MAX).saturating_sub(1);
        if self.met.get(index).is_some_and(|met| !met.swap(true, Ordering::Relaxed)) {
            self.unmet.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(Some(event.at))
    }

    /// Whether nothing is recorded of a step's beginning.
    pub(crate) fn is_new(&self, path: &str) -> bool {
        self.known.get(path).is_none_or(|known| known.started.is_none() && known.ended.is_none())
    }

    /// When an attempt began, where that is recorded.
    pub(crate) fn started(&self, label: &str) -> Option<Timestamp> {
        self.known.get(label)?.started.as_ref().map(|event| event.at)
    }

    /// What came of an attempt, where that is recorded.
    pub(crate) fn outcome(&self, path: &str, label: &str) -> Option<Outcome<'_>> {
        let again = self.known.get(label).and_then(|known| known.retrying.as_ref());
        let known = self.known.get(path);
        let event = again
            .or_else(|| known.and_then(|known| known.acted.as_ref()))
            .or_else(|| known.and_then(|known| known.ended.as_ref()))?;
        Some(match &event.kind {
            EventKind::StepRetrying { error, .. }
            | EventKind::StepCaught { error, .. }
            | EventKind::StepFailed { error, .. } => Outcome::Failed(event, error),
            EventKind::StepCancelled { .. } => Outcome::Cancelled(event),
            _ => Outcome::Ended(event),
        })
    }

    /// What followed an attempt that failed, where that is recorded; `next` is the label of the next.
    pub(crate) fn after(&self, path: &str, label: &str, next: &str) -> Option<After> {
        if let Some(event) = self.known.get(label).and_then(|known| known.retrying.as_ref()) {
            let EventKind::StepRetrying { wait_ms, .. } = event.kind else { return None };
            let wait = jiff::SignedDuration::from_millis(i64::try_from(wait_ms).unwrap_or(i64::MAX));
            let due = event.at.checked_add(wait).unwrap_or(event.at);
            let began = self.known.get(next).and_then(|known| known.started.as_ref());
            return Some(began.map_or(After::Due(due), |event| After::Began(event.number)));
        }
        let known = self.known.get(path)?;
        (known.acted.is_some() || known.ended.is_some()).then_some(After::End)
    }

    /// The number of the first event of the round after this one of a `repeat`, 0 where it has none but a later one
    /// does; else when the last event of this one was.
    pub(crate) fn round(&self, base: &str, round: u64) -> Result<u64, Option<Timestamp>> {
        match self.rounds.get(base) {
            Some((latest, _)) if *latest > round => {
                let next = format!("{base}~{}.", round + 1);
                let next = self.under(&next).map(|(_, known)| (known.first, known.stops(known.first))).min();
                Ok(beginning(next).unwrap_or(0))
            }
            Some((latest, at)) if *latest == round => Err(Some(*at)),
            // The first round's path has no number.
            _ => {
                let last = self.under(&format!("{base}.")).map(|(_, known)| known.last).max().unwrap_or(0);
                let last = usize::try_from(last).unwrap_or(usize::MAX).wrapping_sub(1);
                Err(self.events.get(last).map(|event| event.at))
            }
        }
    }

    /// The number at which a loop was stopped before a round, where it was; asks for the round's path only where one was.
    pub(crate) fn stopped(&self, round: impl FnOnce() -> Text) -> Option<u64> {
        let known = if self.stops { self.known.get(&round()) } else { None };
        known?.stopped.as_ref().map(|event| event.number)
    }

    /// What the step waited for by this request, where it has come.
    pub(crate) fn received(&self, path: &str, wanted: &Value) -> Option<&EventKind> {
        let known = self.known.get(path)?;
        // What came at once was never waited for. A server that asks something else this time wants another answer.
        let asked = known.waiting.as_ref().is_none_or(|event| {
            matches!(&event.kind, EventKind::RunWaiting { request, .. }
                if request.is_null() || request.to_json_text() == wanted.to_json_text())
        });
        known.received.as_ref().filter(|_| asked).map(|event| &event.kind)
    }

    /// The number at which it was settled what a step gave.
    pub(crate) fn settled(&self, path: &str) -> Option<u64> {
        let known = self.known.get(path)?;
        known.acted.as_ref().or(known.ended.as_ref()).map(|event| event.number)
    }

    fn under(&self, prefix: &str) -> impl Iterator<Item = (&Text, &Known)> {
        let from = self.known.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        from.take_while(move |(path, _)| path.starts_with(prefix))
    }

    /// The number of the next event of a strand that is cancelled where it stands: at a step of this path, in a block
    /// of that one, which is `shared` with other strands where it is the branch of a block. That of the last turn of all
    /// where none is recorded: what it does now comes after all that is.
    pub(crate) fn next_event(&self, step: &str, block: &str, shared: bool) -> u64 {
        let now = self.lock().now;
        let ends = |path: &str| {
            let ends = self.known.get(path).into_iter().flat_map(Known::ends);
            ends.filter(|number| *number > now).min()
        };
        let within = || {
            let numbers = self.under(block).flat_map(|(_, known)| known.numbers());
            numbers.filter(|number| *number > now).min()
        };
        let mut next = ends(step).or_else(|| if shared { None } else { within() });
        let mut around = block.trim_end_matches(['.', '/']);
        while next.is_none() && !around.is_empty() {
            next = ends(around);
            around = around.rfind(MARKS).and_then(|at| around.get(..at)).unwrap_or_default();
        }
        next.unwrap_or(LAST)
    }

    /// Whether something within the step of this path is recorded and was not met again: an undo, once it has ended.
    pub(crate) fn goes_on(&self, step: &str) -> bool {
        self.unmet_within(step).next().is_some()
    }

    fn unmet_within(&self, step: &str) -> impl Iterator<Item = u64> {
        let known = self.under(step).filter(|(path, _)| within(path, step));
        known.flat_map(|(_, known)| known.numbers()).filter(|number| !self.was_met(*number))
    }

    /// The number of the first event that followed when a branch of a block failed, where its failure has none: its undos come
    /// first, then what it cancelled, then the block's end.
    pub(crate) fn fell(&self, branch: &str, block: &str) -> Option<u64> {
        let now = self.lock().now;
        // What is cancelled is so with all that it is in.
        let cut = |path: &str| {
            let inner = std::iter::successors(Some(path), |path| path.get(..path.rfind(MARKS)?));
            let mut inner = inner.take_while(|path| within(path, block)).filter_map(|path| self.known.get(path));
            inner
                .all(|known| known.ended.as_ref().is_none_or(|end| matches!(end.kind, EventKind::StepCancelled { .. })))
        };
        let others = self.under(block).filter(|(path, _)| within(path, block) && !within(path, branch) && cut(path));
        let cancelled = others.flat_map(|(_, known)| {
            // Where a loop was stopped, it has an earlier turn.
            let stopped = known.stopped.as_ref().map(|event| event.number - 1);
            stopped.into_iter().chain(known.ended.as_ref().map(|event| event.number))
        });
        let end = || Some(self.next_event(branch, block, true)).filter(|number| *number != LAST);
        self.unmet_within(branch).min().or_else(|| cancelled.filter(|number| *number > now).min()).or_else(end)
    }

    /// The number of the first event that is yet to be met and that comes after what a strand does now: at a step of this
    /// path, in a block of that one, which is `shared` with other strands where it is the branch of a block.
    pub(crate) fn ahead(&self, step: &str, block: &str, shared: bool) -> Option<u64> {
        let unmet = |number: &u64| !self.was_met(*number);
        let within = self.under(if shared { step } else { block });
        let numbered = |known: &Known| known.numbers().filter(unmet).min().map(|number| (number, known.stops(number)));
        let next = within.filter_map(|(_, known)| numbered(known)).min();
        beginning(next).or_else(|| {
            let mut around = step;
            std::iter::from_fn(|| {
                around = around.get(..around.rfind(MARKS)?)?;
                Some(around)
            })
            .find_map(|around| self.known.get(around)?.ends().find(unmet))
        })
    }

    fn was_met(&self, number: u64) -> bool {
        let index = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
        self.met.get(index).is_none_or(|met| met.load(Ordering::Relaxed))
    }

    /// Whether nothing that is recorded is left: it was met again, and no turn is to come but of what is overdue.
    pub(crate) fn is_over(&self) -> bool {
        self.unmet.load(Ordering::Relaxed) == 0 && self.lock().are_over()
    }

    /// Whether all that is recorded was met again.
    ///
    /// # Errors
    /// What was not.
    pub(crate) fn complete(&self) -> Result<(), Box<RunError>> {
        if self.unmet.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let unmet = self.met.iter().position(|met| !met.load(Ordering::Relaxed));
        match unmet.and_then(|at| self.events.get(at)) {
            Some(event) => Err(Box::new(gone(event))),
            None => Ok(()),
        }
    }
}

/// What parts a path.
const MARKS: [char; 5] = ['.', '/', '[', '~', '#'];

/// Whether a path lies within another.
fn within(path: &str, around: &str) -> bool {
    path.strip_prefix(around).is_some_and(|rest| rest.starts_with(MARKS))
}

/// The turn before what comes next, given its number and whether it is the place where a loop was stopped: what cancelled
/// that has an earlier turn, and came when the loop was under way.
fn beginning(next: Option<(u64, bool)>) -> Option<u64> {
    next.map(|(number, stops)| if stops { 0 } else { number })
}

/// Notes the rounds that a path names: `poll~2.status`.
fn note_rounds(rounds: &mut FxHashMap<Text, (u64, Timestamp)>, path: &str, at: Timestamp) {
    for (mark, _) in path.match_indices('~') {
        let (base, rest) = path.split_at(mark);
        let digits = rest.get(1..).unwrap_or_default();
        let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if let Ok(round) = digits.parse::<u64>() {
            let latest = rounds.entry(base.into()).or_insert((round, at));
            *latest = (latest.0.max(round), at);
        }
    }
}

/// The error of a run whose program does what was not recorded.
fn differs(then: &Event, now: &EventKind) -> RunError {
    let what = match (&then.kind, now) {
        (EventKind::StepStarted { action: then, .. }, EventKind::StepStarted { action, .. }) if then != action => {
            format!("it called `{then}` when it was recorded, and calls `{action}` now")
        }
        (EventKind::StepStarted { action, .. }, EventKind::StepStarted { .. }) => {
            format!("it called `{action}` with other arguments when it was recorded")
        }
        (then, now) => format!("`{}` was recorded, and now it is `{}`", then.name(), now.name()),
    };
    mismatch(then, &what)
}

/// The error of a run whose program does not do what was recorded.
fn gone(event: &Event) -> RunError {
    mismatch(event, &format!("`{}` was recorded, and the program does not come to it now", event.kind.name()))
}

fn mismatch(event: &Event, what: &str) -> RunError {
    let path = event.kind.path().unwrap_or_default();
    let message = format!(
        "what is recorded does not fit the program: at event {}, step `{path}`: {what}. The run is left as it is; \
         nothing was called",
        event.number
    );
    RunError { step: path.into(), ..RunError::new(ErrorKind::Internal, message) }
}
