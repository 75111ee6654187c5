//! Runs kept over time: the same suite over every store.

#[cfg(all(feature = "sqlite", target_os = "linux"))]
mod faults;
mod memory;
#[cfg(all(feature = "postgres", unix))]
mod postgres;
#[cfg(all(feature = "postgres", unix))]
pub(crate) mod server;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;
mod world;
