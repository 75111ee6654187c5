//! What comes to a run from outside while it goes on: answers to its questions, and signals.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use tokio::sync::oneshot;

use crate::run::desk::{Request, RequestKind};
use crate::run::event::{Event, EventKind};
use crate::run::ports::ToolError;
use crate::types::{Text, Type};
use crate::value::{ErrorKind, Misfit, Value};

/// The requests of a run that wait, and what came that nothing waits for yet.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the waiting step's path, in the order they began to wait.
    open: IndexMap<Text, Open>,
    /// By name, in the order they came.
    signals: IndexMap<Text, VecDeque<Received>>,
    /// The steps that waited for a signal when the run was last alive, and do not yet again, in their order.
    owed: IndexMap<Text, Owed>,
    /// Answers that were left for steps which are yet to wait again, by path.
    answers: IndexMap<Text, Received>,
    /// Why nothing is ever answered, where that is so.
    unattended: Option<Text>,
}

/// A step that a signal of this name belongs to before those that began to wait after the event of this number.
struct Owed {
    name: Text,
    since: u64,
}

struct Open {
    request: Request,
    /// The number of the event since which it waits, where that is of an earlier life.
    since: u64,
    reply: oneshot::Sender<Result<Received, ToolError>>,
}

/// What a step waited for.
pub(crate) struct Received {
    /// It, or why there will be none.
    pub(crate) value: Result<Value, Text>,
    /// The number of the event that says that the signal came early.
    pub(crate) signal: Option<u64>,
    /// The number of the message that brought it.
    pub(crate) message: Option<u64>,
}

/// A step that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its path, which is what [`crate::run::Run::answer`] calls it by.
    pub path: Text,
    /// What it waits for.
    pub request: Request,
}

/// Why an answer or a signal was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// No step of this path waits.
    NotWaiting {
        /// The path.
        path: Text,
        /// The paths of those that do.
        waiting: Vec<Text>,
    },
    /// It does not fit what is wanted; the step waits on.
    Misfit(Misfit),
    /// The run has ended.
    Ended,
}

impl Inbox {
    /// What was left of signals when the run was last alive: those that came, less those that a step got; and who waited
    /// for one.
    pub(crate) fn restore(&self, events: &[Arc<Event>]) {
        let taken: Vec<u64> = events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::RunReceived { signal, .. } => signal,
                _ => None,
            })
            .collect();
        let mut state = self.lock();
        for event in events {
            match &event.kind {
                EventKind::RunWaiting { path, request, .. } => {
                    if let Some(name) = request.get("name").and_then(Value::as_str) {
                        state.owed.insert(path.clone(), Owed { name: name.into(), since: event.number });
                    }
                }
                EventKind::RunReceived { path, .. } => drop(state.owed.shift_remove(path)),
                kind if kind.ends_step() => drop(state.owed.shift_remove(kind.path().unwrap_or_default())),
                _ => {}
            }
            if let EventKind::RunSignalled { name, value, message } = &event.kind
                && !taken.contains(&event.number)
            {
                let kept = Received { value: Ok(value.clone()), signal: Some(event.number), message: *message };
                state.signals.entry(name.clone()).or_default().push_back(kept);
            }
        }
    }

    /// Waits for a request to be met. Dropping the future withdraws it.
    ///
    /// # Errors
    /// Nobody ever answers.
    pub(crate) async fn wait(&self, path: &Text, request: &Request) -> Result<Received, ToolError> {
        let (reply, replied) = oneshot::channel();
        {
            let mut state = self.lock();
            let since = state.owed.get(path).map_or(u64::MAX, |owed| owed.since);
            let there = state.there(path, request, since);
            state.owed.shift_remove(path);
            if let Some(there) = there {
                return Ok(there);
            }
            if let Some(why) = &state.unattended {
                return Err(declined(request, why));
            }
            state.open.insert(path.clone(), Open { request: request.clone(), since, reply });
        }
        let _place = Place { inbox: self, path };
        replied.await.unwrap_or_else(|_| Err(ToolError::new(ErrorKind::Internal, "the request was lost")))
    }

    /// The steps that wait.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let state = self.lock();
        let waiting = |(path, open): (&Text, &Open)| Waiting { path: path.clone(), request: open.request.clone() };
        state.open.iter().map(waiting).collect()
    }

    /// Gives a waiting step its answer.
    pub(crate) fn answer(&self, path: &str, value: Value) -> Result<(), AnswerError> {
        let mut state = self.lock();
        let Some(open) = state.open.get(path) else { return Err(state.not_waiting(path)) };
        let value = open.request.fit(value).map_err(AnswerError::Misfit)?;
        state.reply(path, Received { value: Ok(value), signal: None, message: None });
        Ok(())
    }

    /// Makes a waiting step fail.
    pub(crate) fn decline(&self, path: &str, why: &str) -> Result<(), AnswerError> {
        let mut state = self.lock();
        if !state.open.contains_key(path) {
            return Err(state.not_waiting(path));
        }
        state.reply(path, Received { value: Err(why.into()), signal: None, message: None });
        Ok(())
    }

    /// Gives a step what was left for it, or keeps that until it waits.
    pub(crate) fn deliver(&self, path: &Text, value: Result<Value, Text>, message: u64) {
        let received = Received { value, signal: None, message: Some(message) };
        let mut state = self.lock();
        if state.open.contains_key(path) {
            state.reply(path, received);
        } else {
            state.answers.insert(path.clone(), received);
        }
    }

    /// A step has ended, which may have waited when the run was last alive: signals that came meanwhile are for others then.
    pub(crate) fn settle(&self, path: &str) {
        let mut state = self.lock();
        let Some(Owed { name, .. }) = state.owed.shift_remove(path) else { return };
        while let Some((path, since)) = state.first(&name)
            && let Some(kept) = state.kept(&name, since)
        {
            state.reply(&path, kept);
        }
    }

    /// Makes every step fail that waits, now and later.
    pub(crate) fn unattended(&self, why: &str) {
        let mut state = self.lock();
        state.unattended = Some(why.into());
        for (_, open) in state.open.drain(..) {
            let refusal = declined(&open.request, why);
            let _ = open.reply.send(Err(refusal));
        }
    }

    /// Gives a signal to the step that has waited longest for it, or keeps it for the next, once `early` has recorded
    /// it. One that a message brought is taken whether it fits or not: its sender is gone.
    pub(crate) fn signal(
        &self,
        name: &str,
        value: Value,
        message: Option<u64>,
        early: impl FnOnce(&Value) -> u64,
    ) -> Result<(), AnswerError> {
        let mut state = self.lock();
        let kept = state.signals.get(name).map_or(0, VecDeque::len);
        let first = state.first(name).filter(|(_, since)| state.ahead(name, *since) <= kept);
        match first {
            Some((path, _)) => {
                let wanted = state.open.get(&path).map_or(Type::Json, |open| open.request.wanted.clone());
                let value =
                    if message.is_some() { value } else { value.conform(&wanted).map_err(AnswerError::Misfit)? };
                state.reply(&path, Received { value: Ok(value), signal: None, message });
            }
            None => {
                let signal = Some(early(&value));
                let kept = Received { value: Ok(value), signal, message };
                state.signals.entry(name.into()).or_default().push_back(kept);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is there already of what a step is to wait for, or has waited for since an event of an earlier life.
    fn there(&mut self, path: &Text, request: &Request, since: u64) -> Option<Received> {
        if request.kind == RequestKind::Signal {
            return self.kept(&request.text, since);
        }
        self.answers.shift_remove(path)
    }

    /// A signal that was kept and that no step is owed which has waited for longer.
    fn kept(&mut self, name: &str, since: u64) -> Option<Received> {
        let ahead = self.ahead(name, since);
        self.signals.get_mut(name)?.remove(ahead)
    }

    /// How many steps are owed a signal of this name that have waited for longer.
    fn ahead(&self, name: &str, since: u64) -> usize {
        self.owed.values().filter(|owed| owed.name == name && owed.since < since).count()
    }

    /// The step that has waited longest for a signal of this name, and since when.
    fn first(&self, name: &str) -> Option<(Text, u64)> {
        let wants = |open: &Open| open.request.kind == RequestKind::Signal && open.request.text == name;
        let waiting = self.open.iter().filter(|(_, open)| wants(open));
        waiting.min_by_key(|(_, open)| open.since).map(|(path, open)| (path.clone(), open.since))
    }

    fn reply(&mut self, path: &str, received: Received) {
        if let Some(open) = self.open.shift_remove(path) {
            // Where the step has just been cancelled, nobody listens any more.
            let _ = open.reply.send(Ok(received));
        }
    }

    fn not_waiting(&self, path: &str) -> AnswerError {
        AnswerError::NotWaiting { path: path.into(), waiting: self.open.keys().cloned().collect() }
    }
}

fn declined(request: &Request, why: &str) -> ToolError {
    ToolError::new(ErrorKind::Denied, format!("{why} (the step waits for {})", request.reason()))
}

/// A place in the inbox, given up when the step no longer waits.
struct Place<'a> {
    inbox: &'a Inbox,
    path: &'a Text,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.inbox.lock().open.shift_remove(self.path);
    }
}

impl std::fmt::Display for AnswerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AnswerError::NotWaiting { path, waiting } if waiting.is_empty() => {
                write!(f, "`{path}` does not wait, and nothing else does")
            }
            AnswerError::NotWaiting { path, waiting } => {
                let waiting: Vec<_> = waiting.iter().map(|path| format!("`{path}`")).collect();
                write!(f, "`{path}` does not wait; what waits is {}", waiting.join(", "))
            }
            AnswerError::Misfit(misfit) => write!(f, "that does not fit: {misfit}"),
            AnswerError::Ended => f.write_str("the run has ended"),
        }
    }
}

impl std::error::Error for AnswerError {}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn wanting() -> Request {
        Request {
            kind: RequestKind::Signal,
            text: "go".into(),
            details: Value::Null,
            wanted: Type::Int,
            form: Value::Null,
        }
    }

    fn waits(path: &str, number: u64) -> Arc<Event> {
        let kind = EventKind::RunWaiting {
            path: path.into(),
            reason: "the signal `go`".into(),
            request: wanting().to_value(),
        };
        Arc::new(Event { number, at: jiff::Timestamp::UNIX_EPOCH, kind })
    }

    fn got(received: Option<Result<Received, ToolError>>) -> Option<i64> {
        received.map(|received| received.unwrap().value.unwrap().as_int().unwrap())
    }

    /// A signal that came while nothing was alive, or before all wait again, is for the step that has waited longest.
    #[test]
    fn whoever_waited_in_an_earlier_life_comes_first() {
        let (inbox, request) = (Inbox::default(), wanting());
        inbox.restore(&[waits("a", 5), waits("b", 7), waits("gone", 8)]);
        let send = |value: i64| inbox.signal("go", Value::Int(value), None, |_| 9).unwrap();
        let path = Text::from;
        let (new, a, b) = (path("new"), path("a"), path("b"));
        send(1);
        let mut late = Box::pin(inbox.wait(&new, &request));
        assert_eq!(got((&mut late).now_or_never()), None, "it is not for one that begins to wait");
        send(2);
        let mut second = Box::pin(inbox.wait(&b, &request));
        assert_eq!(got((&mut second).now_or_never()), Some(2));
        assert_eq!(got(inbox.wait(&a, &request).now_or_never()), Some(1));
        send(3);
        assert_eq!(got((&mut late).now_or_never()), None, "one that waited has not come back");
        inbox.settle("gone");
        assert_eq!(got((&mut late).now_or_never()), Some(3), "it will not");
    }
}
