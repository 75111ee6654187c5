//! What goes wrong while a program runs, as its `catch` sees it.

use serde::{Deserialize, Serialize};

use crate::types::ERROR_KINDS;
use crate::value::Value;

/// The kind of a failure, as the language names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// It took longer than its timeout.
    Timeout,
    /// The other side could not be reached, or the connection broke.
    Network,
    /// The other side asks to slow down.
    RateLimit,
    /// The tool says no.
    Tool,
    /// A value does not fit its type.
    Invalid,
    /// Policy forbids it.
    Denied,
    /// It was cancelled.
    Cancelled,
    /// The budget would be exceeded.
    Budget,
    /// A `repeat` came to its end without yielding, or a limit of the engine was met.
    Exhausted,
    /// The process ended while the step was in flight, and running it again could do harm.
    Interrupted,
    /// Overflow, division by zero, a number that is none.
    Arithmetic,
    /// An index out of range.
    Index,
    /// The flow itself said `fail`.
    Failed,
    /// A fault of the engine.
    Internal,
}

impl ErrorKind {
    /// All kinds, in the order of [`ERROR_KINDS`].
    pub const ALL: [ErrorKind; 14] = [
        ErrorKind::Timeout,
        ErrorKind::Network,
        ErrorKind::RateLimit,
        ErrorKind::Tool,
        ErrorKind::Invalid,
        ErrorKind::Denied,
        ErrorKind::Cancelled,
        ErrorKind::Budget,
        ErrorKind::Exhausted,
        ErrorKind::Interrupted,
        ErrorKind::Arithmetic,
        ErrorKind::Index,
        ErrorKind::Failed,
        ErrorKind::Internal,
    ];

    /// Its name in the language.
    pub fn name(self) -> &'static str {
        ERROR_KINDS.get(self as usize).copied().unwrap_or("internal")
    }

    /// The kind of a name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the default policy tries such a failure again.
    pub fn retryable(self) -> bool {
        matches!(self, ErrorKind::Timeout | ErrorKind::Network | ErrorKind::RateLimit)
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A failure of a pure computation: what a built-in method gives back. The evaluator adds where it happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Its kind.
    pub kind: ErrorKind,
    /// What is wrong, in one line.
    pub message: String,
    /// More, for programs.
    pub details: Value,
}

impl Fault {
    /// A fault of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { kind, message: message.into(), details: Value::Null })
    }

    /// A number that cannot be.
    pub fn arithmetic(message: impl Into<String>) -> Box<Self> {
        Self::new(ErrorKind::Arithmetic, message)
    }

    /// A value that does not fit.
    pub fn invalid(message: impl Into<String>) -> Box<Self> {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An index out of range.
    pub fn index(message: impl Into<String>) -> Box<Self> {
        Self::new(ErrorKind::Index, message)
    }
}
