//! The log of this process, on standard error: what flows write with `log.write`, and what tools and servers warn of.

use std::io::Write;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::output::{err, paint};
use super::progress;

/// The variable that says what is told, as `level` or `target=level`, parted by commas.
const VARIABLE: &str = "FLOW_LOG";
/// What is told without it. What flows write is of the target `flow`.
const TOLD: [(&str, tracing::Level); 2] = [("flowc", tracing::Level::WARN), ("flow", tracing::Level::INFO)];

/// Begins to write the log.
pub(super) fn start() {
    #[allow(clippy::disallowed_methods, reason = "the variable is the command line's own")]
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let told = match wanted.parse::<Targets>() {
        Ok(targets) if !wanted.trim().is_empty() => targets,
        Ok(_) => Targets::new().with_targets(TOLD),
        Err(why) => {
            let warning = paint().yellow().apply_to("warning:");
            err(format_args!(
                "{warning} `{VARIABLE}` is not understood: {why}; write `debug`, or `flow=debug,flowc=info`"
            ));
            Targets::new().with_targets(TOLD)
        }
    };
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .without_time()
        .with_target(false)
        .with_ansi(console::colors_enabled_stderr())
        .with_writer(Beside);
    // Whoever embeds the command line may have a log already.
    let _ = tracing_subscriber::registry().with(told).with(lines).try_init();
}

/// Standard error, where the picture of a run makes room for a line.
struct Beside;

impl MakeWriter<'_> for Beside {
    type Writer = Beside;

    fn make_writer(&self) -> Self::Writer {
        Beside
    }
}

impl Write for Beside {
    /// Takes an event at once: its lines are put together before.
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        progress::beside(|| std::io::stderr().lock().write_all(text)).map(|()| text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
