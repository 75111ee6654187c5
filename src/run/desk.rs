//! The port through which a step waits for what only the world outside the run can give it.

use futures::future::BoxFuture;

use crate::run::ports::ToolError;
use crate::types::{Text, Type};
use crate::value::{ErrorKind, Value};

/// Where steps wait for what comes from outside: the engine's makes the run wait (`run.waiting`), and whoever holds
/// the [`crate::run::Run`] answers.
pub trait Desk: Send + Sync {
    /// Waits until the request is met. The answer fits what is wanted. Dropping the future withdraws the request.
    ///
    /// # Errors
    /// `denied` where it is declined; `invalid` for a signal that came before and does not fit.
    fn wait(&self, request: Request) -> BoxFuture<'_, Result<Value, ToolError>>;
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What kind of thing.
    pub kind: RequestKind,
    /// The question, or the signal's name.
    pub text: Text,
    /// What a person needs to know to answer; null where that is nothing.
    pub details: Value,
    /// What an answer must be.
    pub wanted: Type,
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A person's answer.
    Answer,
    /// A person's yes or no.
    Approval,
    /// A signal.
    Signal,
}

impl Request {
    /// What is waited for, in a few words.
    pub fn reason(&self) -> String {
        match self.kind {
            RequestKind::Answer => format!("an answer: {}", self.text),
            RequestKind::Approval => format!("approval: {}", self.text),
            RequestKind::Signal => format!("the signal `{}`", self.text),
        }
    }

    /// For programs: `{ kind, question, details, schema }`, of a signal `{ kind, name, schema }`.
    pub fn to_value(&self) -> Value {
        let schema = ("schema".into(), self.wanted.to_json_schema().into());
        let text = Value::String(self.text.clone());
        match self.kind {
            RequestKind::Signal => Value::map([("kind".into(), "signal".into()), ("name".into(), text), schema]),
            kind => {
                let kind = if kind == RequestKind::Answer { "answer" } else { "approval" };
                let details = ("details".into(), self.details.clone());
                Value::map([("kind".into(), kind.into()), ("question".into(), text), details, schema])
            }
        }
    }
}

/// Nobody who answers.
#[derive(Debug, Clone, Copy)]
pub struct NoDesk;

impl Desk for NoDesk {
    fn wait(&self, request: Request) -> BoxFuture<'_, Result<Value, ToolError>> {
        let why = format!("nobody can be asked here for {}", request.reason());
        Box::pin(std::future::ready(Err(ToolError::new(ErrorKind::Denied, why))))
    }
}
