//! Runs kept over time: the same suite over every store.

#[cfg(all(feature = "sqlite", target_os = "linux"))]
mod faults;
#[cfg(all(feature = "cli", unix))]
mod fenced;
mod locks;
mod memory;
#[cfg(all(feature = "postgres", unix))]
mod postgres;
#[cfg(all(feature = "postgres", unix))]
mod restarts;
#[cfg(all(feature = "postgres", unix))]
pub(crate) mod server;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;
#[cfg(feature = "cli")]
mod upgrade;
mod work;
mod world;
