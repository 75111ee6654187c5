//! The tools that come with Flow: the standard catalog, and what provides it.

pub mod standard;
mod unconfigured;

pub use unconfigured::Unconfigured;
