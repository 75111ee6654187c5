//! `flowc runs export`: all that is kept of a run, for programs.

use clap::ValueEnum;
use serde_json::{Map, Value as Json, json};

use super::super::output::{Status, out};
use super::super::report;
use super::{Done, Records, json, select, wrong};
use crate::run::journal::Kept;

/// Write all that is kept of a run: its program's text, its input, its events, what was said to it
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// How to write it
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One JSON object.
    Json,
    /// The run, then an event or a message a line, each with its `kind`.
    Ndjson,
}

pub(super) async fn export(args: &Args, records: &Records<'_>) -> Done {
    let run = select::find(&args.id, records).await?;
    let kept = records.store.load(&run.run).await.map_err(wrong)?;
    match args.format {
        Format::Json => out(report::pretty(&whole(&kept))),
        Format::Ndjson => lines(&kept).iter().for_each(out),
    }
    Ok(Status::Fine)
}

/// `{ "version": 1, "run", "input", "program", "events", "messages" }`
fn whole(kept: &Kept) -> Json {
    let mut whole = head(kept);
    whole.insert("events".to_owned(), json!(kept.events));
    whole.insert("messages".to_owned(), messages(kept).collect());
    whole.into()
}

/// The same line by line.
fn lines(kept: &Kept) -> Vec<Json> {
    let mut run = head(kept);
    run.shift_insert(0, "kind".to_owned(), "run".into());
    let of_kind = |kind: &str, mut fields: Json| {
        if let Json::Object(fields) = &mut fields {
            fields.shift_insert(0, "kind".to_owned(), kind.into());
        }
        fields
    };
    let events = kept.events.iter().map(|event| of_kind("event", json!(event)));
    let messages = messages(kept).map(|message| of_kind("message", message));
    std::iter::once(run.into()).chain(events).chain(messages).collect()
}

fn head(kept: &Kept) -> Map<String, Json> {
    let program = &kept.opening.program;
    let program = json!({ "hash": program.hash(), "sources": program.sources, "tools": program.tools });
    let head = [
        ("version", json!(1)),
        ("run", json::run(&kept.summary)),
        ("input", json!(kept.opening.input)),
        ("program", program),
    ];
    head.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn messages(kept: &Kept) -> impl Iterator<Item = Json> {
    kept.messages.iter().map(|message| json!({ "number": message.number, "note": message.note }))
}
