//! What operators see of runs: figures for Prometheus ([`Metrics`]) and traces by OTLP ([`Traces`]). Both are made of a
//! run's events, so they tell what happened once, however often a run is carried on.

#[cfg(feature = "metrics")]
mod measured;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "otel")]
mod traces;

#[cfg(feature = "metrics")]
pub use measured::Measured;
#[cfg(feature = "metrics")]
pub use metrics::Metrics;
#[cfg(feature = "otel")]
pub use traces::{Traces, TracesError};

/// The path of a step as its end names it: without its own attempt.
fn without_attempt(path: &str, attempt: u32) -> &str {
    if attempt > 1 { path.rsplit_once('#').map_or(path, |(step, _)| step) } else { path }
}

/// Whether a step's action is a tool: its name has a namespace, those of flows and blocks have none.
fn is_tool(action: &str) -> bool {
    action.contains('.')
}
