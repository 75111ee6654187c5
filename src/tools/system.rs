//! `time`, `random`, `log`: what every host has.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::run::clock::wakes;
use crate::run::{Clock, Tool, ToolContext, ToolError};
use crate::tools::args::Args;
use crate::tools::standard;
use crate::types::Signature;
use crate::value::Value;

/// What a tool of this file does.
#[derive(Clone, Copy, Debug)]
enum Action {
    Sleep,
    Now,
    Uuid,
    Log,
}

/// One of `time.sleep`, `time.now`, `random.uuid`, `log.write`.
struct System {
    action: Action,
    signature: Arc<Signature>,
    clock: Arc<dyn Clock>,
}

/// `time`, `random` and `log`, by this clock.
pub fn tools(clock: &Arc<dyn Clock>) -> Vec<Arc<dyn Tool>> {
    let all = [
        ("time.sleep", Action::Sleep),
        ("time.now", Action::Now),
        ("random.uuid", Action::Uuid),
        ("log.write", Action::Log),
    ];
    standard::provide(all, |signature, action| Arc::new(System { action, signature, clock: Arc::clone(clock) }))
}

impl Tool for System {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let args = Args(&args);
            match self.action {
                Action::Sleep => {
                    args.duration("duration")?;
                    // Some of it may have gone by in an earlier life of the run.
                    let left = wakes(args.0, context.began).duration_since(self.clock.now());
                    self.clock.sleep(Duration::try_from(left).unwrap_or_default()).await;
                    Ok(Value::Null)
                }
                Action::Now => Ok(Value::Datetime(self.clock.now())),
                Action::Uuid => Ok(uuid_v4(random_bits()).into()),
                Action::Log => {
                    let level = args.optional_text("level")?.unwrap_or("info");
                    write_log(level, args.text("message")?, args.get("fields"), context);
                    Ok(Value::Null)
                }
            }
        })
    }
}

fn write_log(level: &str, message: &str, fields: Option<&Value>, context: ToolContext<'_>) {
    // Whoever watches the run sees it, too.
    let mut line = vec![("level".into(), level.into()), ("message".into(), message.into())];
    line.extend(fields.map(|fields| ("fields".into(), fields.clone())));
    context.report.output(Value::record(line));
    let fields = fields.map(Value::to_json_text);
    let fields = fields.as_deref().map(tracing::field::display);
    let (run, path) = (context.run, context.path);
    match level {
        "debug" => tracing::debug!(target: "flow", run, path, fields, "{message}"),
        "warning" => tracing::warn!(target: "flow", run, path, fields, "{message}"),
        "error" => tracing::error!(target: "flow", run, path, fields, "{message}"),
        _ => tracing::info!(target: "flow", run, path, fields, "{message}"),
    }
}

/// 128 random bits. The standard library's hasher keys come from the operating system, once per thread, and never
/// repeat; hashed with SHA-256 together with a fresh pair they are as good as the system's own.
fn random_bits() -> u128 {
    use std::hash::{BuildHasher, RandomState};

    use sha2::{Digest, Sha256};

    let mut digest = Sha256::new();
    for _ in 0..4 {
        digest.update(RandomState::new().hash_one(std::thread::current().id()).to_le_bytes());
    }
    digest.finalize().iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// RFC 9562, section 5.4.
fn uuid_v4(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let mut text = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_of_version_4_and_differ() {
        assert_eq!(uuid_v4(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid_v4(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let many: std::collections::HashSet<_> = (0..1000).map(|_| uuid_v4(random_bits())).collect();
        assert_eq!(many.len(), 1000);
    }
}
