//! `flowc runs cancel`, `answer` and `signal`: what is said to a run, whoever carries it on.

use super::super::output::{Status, err, misused, paint};
use super::super::{ask, report};
use super::list::short;
use super::waits::{self, Wait};
use super::{Done, Records, select, wrong};
use crate::diagnostic::nearest;
use crate::run::journal::Note;
use crate::run::{RequestKind, RunStatus, RunSummary};
use crate::value::Value;

/// End runs: what is in flight is cancelled, then undos and `finally` blocks run
#[derive(clap::Args, Debug)]
pub(super) struct Cancel {
    /// The runs
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Answer a step that waits for a person
#[derive(clap::Args, Debug)]
pub(super) struct Answer {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// The waiting step's path, which `flowc runs show` tells
    path: String,
    /// The answer: JSON, or a text; `y` or `n` to what is to be approved
    #[arg(required_unless_present = "decline", conflicts_with = "decline", allow_hyphen_values = true)]
    value: Option<String>,
    /// Say that there will be no answer, and why
    #[arg(long, value_name = "WHY")]
    decline: Option<String>,
}

/// Give a run a signal: to the step that waits for it, or to the next that will
#[derive(clap::Args, Debug)]
pub(super) struct Signal {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// The signal's name
    name: String,
    /// What it carries, as JSON; null without it
    #[arg(allow_hyphen_values = true)]
    value: Option<String>,
}

pub(super) async fn cancel(args: &Cancel, records: &Records<'_>) -> Done {
    let mut worst = Status::Fine;
    for id in &args.ids {
        let sent = match select::find(id, records).await {
            Ok(run) => send(&run, Note::Cancel, records).await,
            Err(status) => Err(status),
        };
        worst = worst.max(sent.unwrap_or_else(|status| status));
    }
    Ok(worst)
}

pub(super) async fn answer(args: &Answer, records: &Records<'_>) -> Done {
    let (run, waits) = waiting(&args.id, records).await?;
    let people: Vec<Wait> = waits.iter().filter(|wait| wait.request.kind != RequestKind::Signal).cloned().collect();
    let Some(wait) = waits::find(&people, &args.path) else {
        let signal = waits::find(&waits, &args.path).map(|wait| {
            format!("`{}` waits for a signal: `flowc runs signal {} {}`", wait.path, args.id, wait.request.text)
        });
        return Err(misused(signal.unwrap_or_else(|| not_waiting(&args.path, &waits))));
    };
    let note = match &args.decline {
        Some(why) => Note::Decline { path: wait.path.clone(), why: why.as_str().into() },
        None => {
            let read = ask::read(args.value.as_deref().unwrap_or_default(), &wait.request);
            let value = read.and_then(|value| fit(value, wait)).map_err(misused)?;
            Note::Answer { path: wait.path.clone(), value }
        }
    };
    send(&run, note, records).await
}

pub(super) async fn signal(args: &Signal, records: &Records<'_>) -> Done {
    let (run, waits) = waiting(&args.id, records).await?;
    let text = args.value.as_deref().unwrap_or("null");
    let json: serde_json::Value = serde_json::from_str(text)
        .map_err(|why| misused(format_args!("expected JSON, found `{text}`: {why}; a text is written `'\"…\"'`")))?;
    let signals = || waits.iter().filter(|wait| wait.request.kind == RequestKind::Signal);
    let mut value = Value::from(json);
    if let Some(wait) = signals().find(|wait| wait.request.text == args.name) {
        value = fit(value, wait).map_err(misused)?;
    } else {
        let near = nearest(&args.name, signals().map(|wait| wait.request.text.as_str()));
        let near = near.map(|near| format!("; it waits for `{near}`")).unwrap_or_default();
        let name = &args.name;
        note(format_args!("nothing waits for `{name}` yet, the signal is kept for the next step that does{near}"));
    }
    send(&run, Note::Signal { name: args.name.as_str().into(), value }, records).await
}

async fn waiting(id: &str, records: &Records<'_>) -> Result<(RunSummary, Vec<Wait>), Status> {
    let run = select::find(id, records).await?;
    let kept = records.store.load(&run.run).await.map_err(wrong)?;
    Ok((run, waits::waits(kept.events.iter().map(|event| &**event))))
}

async fn send(run: &RunSummary, said: Note, records: &Records<'_>) -> Done {
    records.store.send(&run.run, said, records.now).await.map_err(wrong)?;
    let id = short(&run.run);
    match run.status {
        RunStatus::Waiting => note(format_args!(
            "whoever carries on runs takes it up, a server for one; `flowc runs resume {id}` does it here"
        )),
        RunStatus::Parked => note(format_args!("the run is parked: `flowc runs resume {id}` carries it on")),
        _ => {}
    }
    Ok(Status::Fine)
}

/// The value as the waiting step wants it.
fn fit(value: Value, wait: &Wait) -> Result<Value, String> {
    let found = value.clone();
    wait.request.fit(value).map_err(|misfit| {
        let wanted = wait.data.get("schema").map(|schema| report::pretty(&schema.into())).unwrap_or_default();
        format!(
            "that does not fit what `{}` waits for ({}): {misfit}\nfound {}\nwanted, as JSON Schema: {wanted}",
            wait.path,
            wait.reason,
            found.to_json_text()
        )
    })
}

/// Says what waits, where the step that was named does not.
pub(super) fn not_waiting(path: &str, waits: &[Wait]) -> String {
    if waits.is_empty() {
        return format!("`{path}` does not wait, and nothing else in the run does");
    }
    let near = nearest(path, waits.iter().map(|wait| wait.path.as_str()));
    let near = near.map_or(".".to_owned(), |near| format!(", did you mean `{near}`?"));
    let all: Vec<_> = waits.iter().map(|wait| format!("  `{}` waits for {}", wait.path, wait.reason)).collect();
    format!("`{path}` does not wait{near} What waits:\n{}", all.join("\n"))
}

fn note(text: impl std::fmt::Display) {
    err(format_args!("{} {text}", paint().cyan().apply_to("note:")));
}
