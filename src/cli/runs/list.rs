//! `flowc runs list`

use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};
use jiff::Timestamp;
use serde_json::json;

use super::super::output::{Status, ago, brief, columns, err, out, paint, paint_out};
use super::super::report;
use super::select::Selection;
use super::{Done, Format, Records, json, wrong};
use crate::run::journal::Page;
use crate::run::{RunStatus, RunSummary};

/// List runs, the newest first
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    which: Selection,
    /// At most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
    /// Only those after this run: the last of the page before
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// How to write them
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) async fn list(args: &Args, records: &Records<'_>) -> Done {
    let after = match &args.after {
        Some(id) => Some(super::select::find(id, records).await?.run),
        None => None,
    };
    // One more than is shown tells whether there are more.
    let page = Page { most: args.limit.saturating_add(1), after };
    let mut runs = records.store.list(&args.which.filter(records.now), page).await.map_err(wrong)?;
    let more = runs.len() > args.limit;
    runs.truncate(args.limit);
    if args.format == Format::Json {
        out(report::pretty(&json!({ "runs": runs.iter().map(json::run).collect::<Vec<_>>(), "more": more })));
        return Ok(Status::Fine);
    }
    if runs.is_empty() {
        err("no runs");
        return Ok(Status::Fine);
    }
    let lines = table(&runs, records.now, columns());
    for (line, run) in lines.iter().zip(std::iter::once(None).chain(runs.iter().map(Some))) {
        match run {
            None => out(paint_out().dim().apply_to(line)),
            Some(run) => {
                let (icon, style) = super::show::icon(run.status);
                out(line.replacen(icon, &style.apply_to(icon).to_string(), 1));
            }
        }
    }
    if let (true, Some(last)) = (more, runs.last()) {
        err(paint().dim().apply_to(format!("there are more: `--after {}` or `--limit`", short(&last.run))));
    }
    Ok(Status::Fine)
}

/// The runs, one a line, beneath a heading.
pub(super) fn table(runs: &[RunSummary], now: Timestamp, columns: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(columns).unwrap_or(120));
    table.set_header(["id", "flow", "status", "began", "took", "steps", ""]);
    for run in runs {
        let took = run.ended_at.unwrap_or(now).duration_since(run.started_at).unsigned_abs();
        let mut row = Row::from([
            short(&run.run).to_owned(),
            run.flow.to_string(),
            format!("{} {}", super::show::icon(run.status).0, run.status),
            ago(run.started_at, now),
            brief(took),
            steps(run),
            note(run, now),
        ]);
        row.max_height(1);
        table.add_row(row);
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at < 6 { 2 } else { 0 }));
        if matches!(at, 3..=5) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// As much of an id as tells it from others: its time and a bit of chance.
pub(super) fn short(id: &str) -> &str {
    id.get(..13).unwrap_or(id)
}

/// How many steps completed; of how many, where that can be told.
fn steps(run: &RunSummary) -> String {
    if run.status.ended() || run.steps_completed > u64::from(run.steps_total) {
        run.steps_completed.to_string()
    } else {
        format!("{}/{}", run.steps_completed, run.steps_total)
    }
}

/// Why it failed or stopped, or what it waits for.
fn note(run: &RunSummary, now: Timestamp) -> String {
    match (&run.error, run.wakes_at) {
        (Some(error), _) => format!("{}: {}", error.kind, error.message.lines().next().unwrap_or_default()),
        (None, Some(at)) if run.status == RunStatus::Waiting => {
            let left = u64::try_from(at.duration_since(now).as_millis()).unwrap_or(0);
            format!("until {} from now", brief(Duration::from_millis(left)))
        }
        _ => String::new(),
    }
}
