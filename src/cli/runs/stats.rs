//! `flowc runs stats`: what came of the runs of each flow.

use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value as Json, json};

use super::super::output::{Status, brief, columns, count, err, money, out, short};
use super::super::report;
use super::select::Selection;
use super::{Done, Format, Records, wrong};
use crate::run::journal::FlowStats;

/// Tell what came of the runs of each flow: how many, how long, which steps fail, what they spent
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    which: Selection,
    /// How to write it
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

pub(super) async fn stats(args: &Args, records: &Records<'_>) -> Done {
    let flows = records.store.stats(&args.which.filter(records.now)).await.map_err(wrong)?;
    if args.format == Format::Json {
        out(report::pretty(&json!({ "flows": flows.iter().map(told).collect::<Vec<_>>() })));
    } else if flows.is_empty() {
        err("no runs");
    } else {
        page(&flows, columns()).into_iter().for_each(out);
    }
    Ok(Status::Fine)
}

/// A flow's figures and its `success_rate`, null where no run has ended by itself.
fn told(flow: &FlowStats) -> Json {
    let mut told = json!(flow);
    if let Json::Object(fields) = &mut told {
        fields.insert("success_rate".to_owned(), json!(success(flow)));
    }
    told
}

/// How many of the runs that ended by themselves came to their end, in `0..=1`.
fn success(flow: &FlowStats) -> Option<f64> {
    let ended = flow.completed + flow.failed;
    (ended > 0).then(|| flow.completed as f64 / ended as f64)
}

/// A table of the flows, and beneath it the steps that fail.
pub(super) fn page(flows: &[FlowStats], columns: usize) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(columns).unwrap_or(120));
    table.set_header(["flow", "runs", "success", "mean", "p50", "p95", "tokens", "cost"]);
    for flow in flows {
        let time = |millis: u64| if flow.runs == 0 { String::new() } else { brief(Duration::from_millis(millis)) };
        table.add_row([
            flow.flow.to_string(),
            flow.runs.to_string(),
            success(flow).map_or("–".to_owned(), |rate| format!("{:.1} %", rate * 100.0)),
            time(flow.mean_ms as u64),
            time(flow.p50_ms),
            time(flow.p95_ms),
            short(flow.tokens),
            money(flow.usd),
        ]);
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at < 7 { 2 } else { 0 }));
        if at > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    for flow in flows.iter().filter(|flow| !flow.failing.is_empty()) {
        lines.push(String::new());
        lines.push(format!("{}: steps that failed", flow.flow));
        for failing in &flow.failing {
            let line = format!("  {}  {}, {}", failing.step, count(failing.count as usize, "time"), failing.kind);
            lines.push(console::truncate_str(&line, columns, "…").into_owned());
        }
    }
    lines
}
