//! Where runs are kept so that they outlive the machine: [`SqliteStore`] on one machine, [`PostgresStore`] for several.
//! Both are a [`Journal`](crate::run::Journal) and a [`RunStore`](crate::run::RunStore), have the same tables, and pass
//! the same tests.
//!
//! ```text
//! append, commit ─▶ queue ─▶ one writer: a batch of all runs, one transaction ─▶ workflow_runs, _steps, _events
//! ```
//!
//! A run appends to the queue and waits for its commit; the writer takes all that is queued, whoever's it is, and makes it
//! durable at once. Every write of a run names its owner and epoch; one whose lease was lost changes nothing.
//! `workflow_events` is the run, the other tables are told from it in the same transaction.

mod filter;
mod head;
mod owner;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
#[cfg(feature = "sqlite")]
mod sqlite;
mod text;

#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStore};
