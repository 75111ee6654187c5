//! One run of a skill's script.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::error::Category;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};

use crate::run::{SecretUse, ToolContext, ToolError};
use crate::tools::Setting;
use crate::tools::process::{Callers, Process};
use crate::tools::skill::manifest::Skill;
use crate::value::{ErrorKind, Value};

/// The largest output that is read.
const MOST: u64 = 8 << 20;
/// How long output may still come once the script has ended: what it started may hold its output open.
const LATE: Duration = Duration::from_millis(200);

/// Runs the script on an input. Dropping the future kills it with all that it started.
pub(super) async fn run(
    skill: &Skill,
    env: &IndexMap<String, Setting>,
    input: &Value,
    context: ToolContext<'_>,
) -> Result<Value, ToolError> {
    let of = SecretUse::Process(&skill.name);
    let resolve = |(name, value): (&String, &Setting)| Ok((name.clone(), value.resolve(context.secrets, of)?));
    let env: Vec<_> = env.iter().map(resolve).collect::<Result<_, ToolError>>()?;
    let callers = Callers::default();
    let _caller = callers.enter();
    let started = Process::start(&skill.name, &skill.run, &env, &skill.folder, &callers);
    let (mut process, stdin, stdout) = started.map_err(|why| {
        let program = skill.run.first().map(String::as_str).unwrap_or_default();
        let message = format!("the skill `{}` cannot be started: `{program}`: {why}", skill.name);
        ToolError::new(ErrorKind::Denied, message).undelivered()
    })?;
    let mut output = Vec::new();
    let ended = {
        let feeding = feed(stdin, input.to_json_text());
        let reading = futures::future::join(feeding, read(stdout, &mut output));
        tokio::pin!(reading);
        tokio::select! {
            _ = &mut reading => process.wait().await,
            ended = process.wait() => {
                let _ = tokio::time::timeout(LATE, reading).await;
                ended
            }
        }
    };
    let too_large = output.len() as u64 > MOST;
    let last_words = process.last_words();
    process.end().await;
    let failed = |kind, what: String| Err(ToolError::new(kind, format!("the skill `{}` {what}", skill.name)));
    match ended {
        _ if too_large => failed(ErrorKind::Tool, format!("wrote more than {} MiB", MOST >> 20)),
        Err(why) => failed(ErrorKind::Internal, format!("was lost: {why}")),
        Ok(status) if !status.success() => failed(ErrorKind::Tool, format!("failed: {last_words}")),
        Ok(_) => match serde_json::from_slice::<serde_json::Value>(&output) {
            Ok(result) => Ok(result.into()),
            Err(why) if why.classify() == Category::Eof && output.trim_ascii().is_empty() => {
                failed(ErrorKind::Invalid, "wrote no result: JSON to its standard output".to_owned())
            }
            Err(why) => failed(ErrorKind::Invalid, format!("wrote what is not JSON: {why}")),
        },
    }
}

/// A script need not read its input.
async fn feed(mut stdin: ChildStdin, input: String) {
    let _ = stdin.write_all(input.as_bytes()).await;
    let _ = stdin.shutdown().await;
}

/// Reads up to the limit, and a byte more. The pipe closes then, and the script ends with its next write.
async fn read(stdout: ChildStdout, into: &mut Vec<u8>) {
    let _ = stdout.take(MOST + 1).read_to_end(into).await;
}
