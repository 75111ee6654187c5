//! Runs kept over time: the same suite over every store.

mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;
mod world;
