//! Running a program: the engine, and the ports through which it meets the world.

pub mod artifacts;
mod bind;
mod budget;
mod call;
pub mod clock;
pub mod desk;
pub mod engine;
pub mod eval;
pub mod event;
mod exec;
mod fork;
pub mod handle;
mod inbox;
mod input;
pub mod journal;
mod keeper;
mod life;
pub mod limits;
mod policy;
pub mod ports;
mod replay;
mod rest;
mod resume;
mod scope;
pub mod testing;
pub mod typed;

pub use artifacts::{Artifact, Artifacts, NoArtifacts};
pub use clock::{TokioClock, VirtualClock};
pub use desk::{Desk, NoDesk, Request, RequestKind};
pub use engine::{BuildError, Engine, EngineBuilder, FieldError, InputError, StartError};
pub use event::{Event, EventKind, RunError, step_of};
pub use fork::ForkError;
pub use handle::{Events, Run};
pub use inbox::{AnswerError, Waiting};
pub use journal::{Journal, JournalError, Lease, MemoryJournal, RunStatus, RunStore, RunSummary};
pub use keeper::Keeper;
pub use limits::Limits;
pub use ports::{
    Clock, Hook, NoSecrets, Observer, Registry, Report, SecretUse, Secrets, Tool, ToolContext, ToolError, Usage,
};
pub use resume::{Once, OnceError, ResumeError};
pub use typed::{TypedTool, tool, tool_in_context};
