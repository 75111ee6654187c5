//! Running a program: the engine, and the ports through which it meets the world.

pub mod event;
pub mod ports;

pub use event::{Event, EventKind, RunError};
pub use ports::{Clock, Hook, Journal, Registry, Tool, ToolContext, ToolError, Usage};
