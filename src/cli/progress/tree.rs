//! The tree of a run's steps, grown from its events. It knows nothing of terminals.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::path::{self, Part};
use crate::run::{Event, EventKind, RunError, Usage, step_of};
use crate::value::ErrorKind;

/// A run as seen so far.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Its nodes; a node's place never changes.
    nodes: Vec<Node>,
    /// Places of nodes by their steady paths.
    index: HashMap<String, usize>,
    /// Nodes that hang under no other.
    pub(super) roots: Vec<usize>,
    /// The flow's name.
    pub(super) flow: String,
    /// How many named or titled steps stand in the flow's text.
    pub(super) planned: u32,
    /// The places in the text of those that were begun.
    begun: HashSet<String>,
    /// The steady paths of steps that write to the log.
    logs: HashSet<String>,
    /// When the run began.
    pub(super) started: Option<Timestamp>,
    /// How it ended.
    pub(super) end: Option<End>,
    /// What happened so far.
    pub(super) tally: Tally,
}

/// How a run ended, and after how many milliseconds.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) how: State,
    pub(super) duration_ms: u64,
}

/// Counts for the closing line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) completed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
    pub(super) cancelled: usize,
    pub(super) retries: usize,
}

/// A step, or a container that has no events of its own.
#[derive(Debug)]
pub(super) struct Node {
    /// Its steady path.
    key: String,
    pub(super) kind: Kind,
    /// Its title, else its name.
    pub(super) label: String,
    pub(super) state: State,
    pub(super) attempt: u32,
    pub(super) started: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    pub(super) duration_ms: Option<u64>,
    /// What it was at, and from when.
    pub(super) phases: Vec<(Timestamp, State)>,
    pub(super) usage: Usage,
    /// For a fan-out: how many items there are in all.
    pub(super) items: Option<u32>,
    /// What there is to say: why it failed, waits or was retried; its partial output.
    pub(super) note: String,
    pub(super) children: Vec<usize>,
}

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A step, with events.
    Step,
    /// A block statement.
    Block,
    /// An item of a list.
    Item,
    /// A round of a `repeat`.
    Round,
}

/// Where a node is in its life. Containers stay [`State::Running`]; ask [`Tree::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    /// Between two attempts.
    Waiting,
    /// For a person or a signal.
    Asking,
    Completed,
    Failed,
    Skipped,
    Cancelled,
}

impl State {
    pub(super) fn settled(self) -> bool {
        !matches!(self, State::Running | State::Waiting | State::Asking)
    }
}

impl Node {
    fn turn(&mut self, state: State, at: Timestamp) {
        self.state = state;
        self.phases.push((at, state));
    }
}

/// How far a fan-out is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fan {
    /// Items that are through, failed ones among them.
    pub(super) done: usize,
    /// Items in which something failed.
    pub(super) failed: usize,
    /// Items in flight.
    pub(super) running: usize,
}

impl Tree {
    /// The nodes at some places, with the places.
    pub(super) fn nodes<'a>(&'a self, places: &'a [usize]) -> impl DoubleEndedIterator<Item = (usize, &'a Node)> {
        places.iter().filter_map(|at| Some((*at, self.nodes.get(*at)?)))
    }

    /// How many of the planned steps were begun.
    pub(super) fn begun(&self) -> usize {
        self.begun.len().min(self.planned as usize)
    }

    /// Whether a step at this place of the text was begun.
    pub(super) fn has_begun(&self, place: &str) -> bool {
        self.index.contains_key(place)
    }

    /// Whether a step writes to the log, which shows what it says.
    pub(super) fn logs(&self, path: &str) -> bool {
        self.logs.contains(&path::steady(path))
    }

    /// The label of a step's path, where it is known.
    pub(super) fn label(&self, path: &str) -> Option<&str> {
        let node = self.nodes.get(*self.index.get(&path::steady(path))?)?;
        Some(&node.label)
    }

    /// Takes the next event.
    pub(super) fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { flow, steps, .. } => {
                self.flow = flow.to_string();
                self.planned = *steps;
                self.started = Some(event.at);
            }
            EventKind::StepStarted { path, title, action, attempt, items, .. } => {
                if action == "log.write" {
                    self.logs.insert(path::steady(path));
                }
                self.start(path, title.as_deref(), *attempt, *items, event.at);
            }
            EventKind::StepRetrying { path, attempt, error, wait_ms, .. } => {
                self.tally.retries += 1;
                let wait = super::super::output::brief(std::time::Duration::from_millis(*wait_ms));
                let note = format!("attempt {attempt} failed, again in {wait}: {}", blame(error));
                self.change(path, |node| {
                    node.turn(State::Waiting, event.at);
                    node.note = note;
                });
            }
            EventKind::StepOutput { path, .. } if self.logs(path) => {}
            EventKind::StepOutput { path, output } => {
                let note = one_line(&output.as_str().map_or_else(|| output.to_json_text(), str::to_owned));
                self.change(path, |node| node.note = note);
            }
            EventKind::StepCompleted { path, duration_ms, usage, .. } => {
                self.tally.completed += 1;
                self.settle(event.at, path, State::Completed, Some(*duration_ms), None);
                self.spent(path, usage.as_deref());
            }
            EventKind::StepFailed { path, error, duration_ms, usage } => {
                self.tally.failed += 1;
                let tries =
                    if error.attempts > 1 { format!(" after {} attempts", error.attempts) } else { String::new() };
                let note = format!("{}{tries}: {}", error.kind, one_line(&error.message));
                self.settle(event.at, path, State::Failed, Some(*duration_ms), Some(note));
                self.spent(path, usage.as_deref());
            }
            EventKind::StepSkipped { path } => {
                self.tally.skipped += 1;
                self.find_or_add(path);
                self.settle(event.at, path, State::Skipped, None, Some("skipped".to_owned()));
            }
            EventKind::StepCancelled { path, duration_ms } => {
                self.tally.cancelled += 1;
                self.settle(event.at, path, State::Cancelled, Some(*duration_ms), Some("cancelled".to_owned()));
            }
            EventKind::RunWaiting { path, reason, .. } => {
                self.change(step_of(path), |node| {
                    node.turn(State::Asking, event.at);
                    node.note = format!("waits for {reason}");
                });
            }
            EventKind::StepCaught { path, error, .. } => {
                let note = format!("caught {}", blame(error));
                self.change(path, |node| node.note = note);
            }
            EventKind::RunReceived { path, .. } => self.change(step_of(path), |node| {
                node.turn(State::Running, event.at);
                node.note = String::new();
            }),
            EventKind::Emitted { .. }
            | EventKind::StepReturned { .. }
            | EventKind::StepExpired { .. }
            | EventKind::StepStopped { .. }
            | EventKind::RunSignalled { .. }
            | EventKind::RunCancelling { .. }
            | EventKind::RunResumed => {}
            EventKind::RunCompleted { duration_ms, .. } => self.finish(State::Completed, *duration_ms),
            EventKind::RunFailed { duration_ms, .. } => self.finish(State::Failed, *duration_ms),
            EventKind::RunCancelled { duration_ms } => self.finish(State::Cancelled, *duration_ms),
        }
    }

    /// The state of a node; a container's follows from what it holds.
    pub(super) fn state(&self, node: &Node) -> State {
        if node.kind == Kind::Step {
            return node.state;
        }
        let mut state = State::Completed;
        for (_, child) in self.nodes(&node.children) {
            match self.state(child) {
                State::Running | State::Waiting | State::Asking => return State::Running,
                State::Completed | State::Skipped => {}
                worse => state = worse,
            }
        }
        state
    }

    /// From when until when a node went on, as far as is known; a container's follows from what it holds.
    pub(super) fn extent(&self, node: &Node) -> (Option<Timestamp>, Option<Timestamp>) {
        if node.kind == Kind::Step {
            return (node.started, node.ended);
        }
        let parts = self.nodes(&node.children).map(|(_, child)| self.extent(child));
        parts.fold((None, None), |(from, to), (start, end)| {
            (from.into_iter().chain(start).min(), to.into_iter().chain(end).max())
        })
    }

    /// How far a node's items are; all zero where it has none.
    pub(super) fn fan(&self, node: &Node) -> Fan {
        let mut fan = Fan::default();
        for (_, item) in self.nodes(&node.children).filter(|(_, child)| child.kind == Kind::Item) {
            match self.state(item) {
                State::Running | State::Waiting | State::Asking => fan.running += 1,
                State::Failed => (fan.done, fan.failed) = (fan.done + 1, fan.failed + 1),
                State::Completed | State::Skipped | State::Cancelled => fan.done += 1,
            }
        }
        if node.state == State::Completed {
            fan.done = node.items.map_or(fan.done, |items| items as usize);
        }
        fan
    }

    /// The round a `repeat` is in.
    pub(super) fn round<'a>(&'a self, node: &'a Node) -> Option<&'a Node> {
        self.nodes(&node.children).rfind(|(_, child)| child.kind == Kind::Round).map(|(_, child)| child)
    }

    fn start(&mut self, path: &str, title: Option<&str>, attempt: u32, items: Option<u32>, at: Timestamp) {
        let place = self.find_or_add(path);
        let steady = path::steady(path);
        let titled = title.is_some() || !steady.rsplit(['.', '/', ']']).next().unwrap_or_default().contains('@');
        if titled && !steady.contains(['/']) && !steady.contains("~undo") {
            self.begun.insert(path::place(&steady));
        }
        let Some(node) = self.nodes.get_mut(place) else { return };
        if let Some(title) = title.filter(|title| !title.trim().is_empty()) {
            node.label = one_line(title);
        }
        node.turn(State::Running, at);
        node.attempt = attempt;
        node.items = items;
        node.started = node.started.or(Some(at));
        if attempt > 1 {
            // A new attempt of a block begins from nothing.
            for child in std::mem::take(&mut node.children) {
                self.forget(child);
            }
        }
    }

    /// Takes a node and what hangs under it out of the index; its place stays, unreachable.
    fn forget(&mut self, at: usize) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        self.index.remove(&node.key);
        for child in std::mem::take(&mut node.children) {
            self.forget(child);
        }
    }

    fn settle(&mut self, at: Timestamp, path: &str, state: State, duration_ms: Option<u64>, note: Option<String>) {
        self.change(path, |node| {
            node.state = state;
            node.ended = Some(at);
            node.duration_ms = duration_ms;
            node.note = note.unwrap_or_default();
        });
    }

    fn spent(&mut self, path: &str, usage: Option<&Usage>) {
        let Some(usage) = usage else { return };
        self.change(path, |node| node.usage.add(usage));
    }

    fn finish(&mut self, how: State, duration_ms: u64) {
        self.end = Some(End { how, duration_ms });
    }

    fn change(&mut self, path: &str, change: impl FnOnce(&mut Node)) {
        let place = self.index.get(&path::steady(path)).copied();
        if let Some(node) = place.and_then(|place| self.nodes.get_mut(place)) {
            change(node);
        }
    }

    /// The node of a path, with the containers it stands in.
    fn find_or_add(&mut self, path: &str) -> usize {
        let steady = path::steady(path);
        let (mut parent, mut known) = self.nearest(&steady);
        while let Some((part, rest)) = path::next(steady.get(known..).unwrap_or_default()) {
            known = steady.len() - rest.len();
            let kind = match part {
                _ if rest.is_empty() => Kind::Step,
                Part::Item(_) => Kind::Item,
                Part::Round(_) => Kind::Round,
                Part::Name(_) | Part::Undo => Kind::Block,
            };
            parent = Some(self.add(steady.get(..known).unwrap_or_default(), kind, part, parent));
        }
        parent.unwrap_or_default()
    }

    /// The node of the longest known beginning of a path, and how long that is.
    fn nearest(&self, steady: &str) -> (Option<usize>, usize) {
        let ends = steady.char_indices().rev().filter(|(_, c)| "./[~".contains(*c)).map(|(at, _)| at);
        std::iter::once(steady.len())
            .chain(ends)
            .find_map(|end| Some((Some(*self.index.get(steady.get(..end)?)?), end)))
            .unwrap_or((None, 0))
    }

    fn add(&mut self, key: &str, kind: Kind, part: Part<'_>, parent: Option<usize>) -> usize {
        let label = match part {
            Part::Name(name) => name.split_once('@').map_or(name, |(name, _)| name).to_owned(),
            Part::Item(index) => format!("[{index}]"),
            Part::Round(round) => format!("round {round}"),
            Part::Undo => "undo".to_owned(),
        };
        let place = self.nodes.len();
        self.nodes.push(Node {
            key: key.to_owned(),
            kind,
            label,
            state: State::Running,
            attempt: 1,
            started: None,
            ended: None,
            duration_ms: None,
            phases: Vec::new(),
            usage: Usage::default(),
            items: None,
            note: String::new(),
            children: Vec::new(),
        });
        self.index.insert(key.to_owned(), place);
        match parent.and_then(|parent| self.nodes.get_mut(parent)) {
            Some(parent) => parent.children.push(place),
            None => self.roots.push(place),
        }
        place
    }
}

/// Why an attempt failed, in a few words: the kind, and the tool's words where the kind says little.
fn blame(error: &RunError) -> String {
    match error.kind {
        ErrorKind::Timeout | ErrorKind::RateLimit | ErrorKind::Cancelled => error.kind.to_string(),
        kind => format!("{kind}: {}", one_line(&error.message)),
    }
}

/// The first line of a text.
pub(super) fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
