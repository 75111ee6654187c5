//! `flowc runs show`: a run, its steps as a tree, or as bars over its time.

use console::Style;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::super::ask::how_to_answer;
use super::super::output::{Status, ago, brief, columns, count, folded, out, paint_out, spent};
use super::super::progress::{Sheet, kept as draw};
use super::super::report;
use super::waits::{Wait, waits};
use super::{Done, Format, Records, json, select, wrong};
use crate::run::journal::Kept;
use crate::run::{Event, EventKind, RunStatus, RunSummary};

/// Show a run: its steps with times, attempts, what they spent, and what it waits for
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// Draw the steps as bars over the run's time
    #[arg(long)]
    timeline: bool,
    /// How to write it
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) async fn show(args: &Args, records: &Records<'_>) -> Done {
    let run = select::find(&args.id, records).await?;
    let kept = records.store.load(&run.run).await.map_err(wrong)?;
    if args.format == Format::Json {
        out(report::pretty(&whole(&kept)));
        return Ok(Status::Fine);
    }
    let sheet = Sheet { columns: columns(), now: records.now, paint: paint_out(), timeline: args.timeline };
    page(&kept, &sheet).into_iter().for_each(out);
    Ok(Status::Fine)
}

/// A status's icon and colour.
pub(super) fn icon(status: RunStatus) -> (&'static str, Style) {
    let paint = paint_out();
    match status {
        RunStatus::Running => ("▶", paint.cyan()),
        RunStatus::Waiting => ("?", paint.yellow()),
        RunStatus::Parked => ("‖", paint.red()),
        RunStatus::Completed => ("✓", paint.green()),
        RunStatus::Failed => ("✗", paint.red()),
        RunStatus::Cancelled => ("⊘", paint.yellow()),
    }
}

/// The run in lines: what is known of it, its steps, why it failed, what it waits for.
pub(super) fn page(kept: &Kept, sheet: &Sheet) -> Vec<String> {
    let run = &kept.summary;
    let mut lines = heading(run, sheet);
    lines.push(String::new());
    let flow = kept.opening.program.flow(&run.flow);
    lines.extend(draw(flow, kept.events.iter().map(|event| &**event), sheet));
    if let Some(error) = &run.error {
        let tries = if error.attempts > 1 { format!(" ({} attempts)", error.attempts) } else { String::new() };
        let said = folded(&format!("{error}{tries}"), sheet.columns - 2);
        lines.push(String::new());
        lines.extend(said.lines().map(|line| format!("  {}", sheet.paint.clone().red().apply_to(line))));
    }
    let waits = if run.status.ended() { Vec::new() } else { waits(kept.events.iter().map(|event| &**event)) };
    for wait in &waits {
        lines.push(String::new());
        lines.extend(question(wait, run, sheet));
    }
    lines
}

fn heading(run: &RunSummary, sheet: &Sheet) -> Vec<String> {
    let (icon, style) = icon(run.status);
    let name = sheet.paint.clone().bold().apply_to(&run.flow);
    let took = run.ended_at.unwrap_or(sheet.now).duration_since(run.started_at).unsigned_abs();
    let how = if run.status.ended() { format!("{} in {}", run.status, brief(took)) } else { run.status.to_string() };
    let mut lines = vec![format!("{} {name} {how}", style.apply_to(icon))];
    let mut fact = |name: &str, value: String| {
        let name = sheet.paint.clone().dim().apply_to(format!("{name:<12}")).to_string();
        lines.push(console::truncate_str(&format!("  {name} {value}"), sheet.columns, "…").into_owned());
    };
    fact("id", run.run.to_string());
    let began = run.started_at.strftime("%Y-%m-%d %H:%M:%SZ");
    fact("began", format!("{began}, {}", ago(run.started_at, sheet.now)));
    if let Some(at) = run.wakes_at {
        fact("goes on", format!("at {}", at.strftime("%Y-%m-%d %H:%M:%SZ")));
    }
    for (name, label) in [
        ("user", &run.labels.user),
        ("conversation", &run.labels.conversation),
        ("key", &run.labels.key),
        ("forked from", &run.labels.forked_from),
    ] {
        if let Some(label) = label {
            fact(name, label.to_string());
        }
    }
    let mut steps = vec![count(run.steps_completed as usize, "step")];
    steps.extend(spent(&run.usage));
    if run.recoveries > 0 {
        steps.push(format!("taken over {}", count(run.recoveries as usize, "time")));
    }
    fact("did", steps.join(" · "));
    lines
}

/// What a step waits for, and how to answer.
fn question(wait: &Wait, run: &RunSummary, sheet: &Sheet) -> Vec<String> {
    let mark = sheet.paint.clone().yellow().apply_to("?");
    let dim = |text: String| format!("  {}", sheet.paint.clone().dim().apply_to(text));
    let mut lines = vec![format!("{mark} `{}` waits for {} ({})", wait.path, wait.reason, ago(wait.since, sheet.now))];
    if !wait.request.details.is_null() {
        lines.extend(report::pretty(&(&wait.request.details).into()).lines().map(|line| dim(line.to_owned())));
    }
    lines.push(dim(how_to_answer(super::list::short(&run.run), &wait.path, &wait.request)));
    lines
}

/// `{ "run", "steps", "waiting" }`
fn whole(kept: &Kept) -> Json {
    let events = || kept.events.iter().map(|event| &**event);
    let waiting: Vec<_> = waits(events())
        .into_iter()
        .map(|wait| json!({ "path": wait.path, "reason": wait.reason, "since": wait.since, "request": wait.data }))
        .collect();
    json!({ "run": json::run(&kept.summary), "steps": steps(events()), "waiting": waiting })
}

/// Every step that began or was skipped, in that order: `{ path, title, action, status, attempts, started_at,
/// ended_at, duration_ms, usage, error, result }`; what is not there is left out.
pub(super) fn steps<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Json> {
    let mut steps: IndexMap<String, Json> = IndexMap::new();
    for event in events {
        let mut set = |path: &str, fields: Json| {
            let step = steps.entry(path.to_owned()).or_insert_with(|| json!({ "path": path }));
            if let (Json::Object(step), Json::Object(fields)) = (step, fields) {
                step.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
            }
        };
        let end = |status: &str, duration_ms: u64, fields: Json| {
            let mut all = json!({ "status": status, "ended_at": event.at, "duration_ms": duration_ms });
            if let (Json::Object(all), Json::Object(fields)) = (&mut all, fields) {
                all.extend(fields);
            }
            all
        };
        match &event.kind {
            EventKind::StepStarted { path, title, action, attempt, .. } => {
                let path = if *attempt > 1 { path.rsplit_once('#').map_or(&**path, |(step, _)| step) } else { path };
                let began = if *attempt > 1 { Json::Null } else { json!(event.at) };
                set(
                    path,
                    json!({ "title": title, "action": action, "status": "running", "attempts": attempt, "started_at": began }),
                );
            }
            EventKind::StepCompleted { path, result, duration_ms, usage } => {
                set(path, end("completed", *duration_ms, json!({ "usage": usage, "result": result })));
            }
            EventKind::StepFailed { path, error, duration_ms, usage } => {
                set(path, end("failed", *duration_ms, json!({ "usage": usage, "error": error })));
            }
            EventKind::StepCancelled { path, duration_ms } => set(path, end("cancelled", *duration_ms, json!({}))),
            EventKind::StepSkipped { path } => set(path, json!({ "status": "skipped", "ended_at": event.at })),
            _ => {}
        }
    }
    steps.into_values().collect()
}
