//! Flow: a small typed language for chaining tools.

pub mod builtins;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod compile;
pub mod diagnostic;
pub mod program;
pub mod run;
pub mod source;
pub mod syntax;
pub mod tools;
pub mod types;
pub mod value;
