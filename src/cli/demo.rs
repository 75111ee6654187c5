//! `flowc demo`: runs the example flows in a small world on this machine, where pages fail, builds break and no account is
//! needed.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::markdown;
use super::output::{Status, columns, err, folded, misused, out, out_raw, paint, paint_out, watched};
use super::progress::Progress;
use super::{report, run};
use crate::compile::compile;
use crate::demo::{Demo, KEY};
use crate::program::Program;
use crate::project::{Config, EngineOptions, Project};
use crate::run::Engine;
use crate::source::{NoLoader, SourceFile};
use crate::types::Signature;
use crate::value::Value;

/// Run the example flows, without accounts or a network.
///
/// Their pages, search, deployments and model are served by this command itself, on this machine only; the model quotes
/// what it is given.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Only these flows
    #[arg(value_name = "FLOW", value_parser = STORIES.map(|story| story.flow))]
    flows: Vec<String>,
    /// Print the results as JSON, by flow
    #[arg(long)]
    json: bool,
}

/// An example flow, and how it is shown.
struct Story {
    flow: &'static str,
    source: &'static str,
    about: &'static str,
    input: fn(&Demo) -> Json,
    /// The longest that an attempt may take, where nobody wants to sit through what the flow allows.
    patience: Option<Duration>,
    show: fn(&Value) -> String,
}

const STORIES: [Story; 4] = [
    Story {
        flow: "multi_scrape",
        source: include_str!("../../examples/multi_scrape.flow"),
        about: "compares the pages of a small site: one has moved, one fails, one never answers",
        input: |demo| json!({ "urls": demo.compared() }),
        // The script waits 20 seconds for a page, three times.
        patience: Some(Duration::from_millis(1500)),
        show: comparison,
    },
    Story {
        flow: "web_research",
        source: include_str!("../../examples/web_research.flow"),
        about: "searches, reads what it finds, sums it up and remembers it",
        input: |_| json!({ "query": "how tide mills work", "num_sources": 2 }),
        patience: None,
        show: research,
    },
    Story {
        flow: "deployment_check",
        source: include_str!("../../examples/deployment_check.flow"),
        about: "looks at a project's newest deployment and explains what is wrong with it",
        input: |_| json!({ "project": "tide-shop" }),
        patience: None,
        show: deployment,
    },
    Story {
        flow: "screenshot_and_post",
        source: include_str!("../../examples/screenshot_and_post.flow"),
        about: "opens a page in Chromium, photographs it and uploads the picture",
        input: |demo| json!({ "url": demo.pictured() }),
        patience: None,
        show: picture,
    },
];

pub(super) fn demo(args: &Args) -> Status {
    let wanted = |story: &&Story| args.flows.is_empty() || args.flows.iter().any(|flow| flow == story.flow);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return misused(format_args!("the demo cannot start: {why}")),
    };
    runtime.block_on(async {
        let folder = match tempfile::Builder::new().prefix("flowc-demo-").tempdir() {
            Ok(folder) => folder,
            Err(why) => return misused(format_args!("the demo has no folder to work in: {why}")),
        };
        let (demo, project) = match world(folder.path()).await {
            Ok(world) => world,
            Err(why) => return misused(why),
        };
        let mut results = Map::new();
        let mut status = Status::Fine;
        for story in STORIES.iter().filter(wanted) {
            match tell(story, &demo, &project).await {
                Ok(None) => {}
                Ok(Some(value)) if args.json => {
                    results.insert(story.flow.to_owned(), Json::from(&value));
                }
                Ok(Some(value)) => out_raw((story.show)(&value)),
                Err(Status::Interrupted) => return Status::Interrupted,
                Err(failed) => status = failed,
            }
        }
        if args.json {
            out(report::pretty(&Json::Object(results)));
        }
        status
    })
}

/// The world, and a project in which it provides every tool.
async fn world(folder: &std::path::Path) -> Result<(Demo, Project), String> {
    let demo = Demo::start().await.map_err(|why| format!("the demo's site cannot be served: {why}"))?;
    std::fs::write(folder.join("key"), KEY).map_err(|why| format!("the demo's folder cannot be written: {why}"))?;
    let config =
        Config::parse(SourceFile::new("demo/flow.toml", demo.settings())).map_err(|wrong| wrong.to_string())?;
    Ok((demo, Project::with_config(folder, config)))
}

/// Runs a flow and shows it at work. None where this machine lacks what one of its tools needs.
async fn tell(story: &Story, demo: &Demo, project: &Project) -> Result<Option<Value>, Status> {
    let options = EngineOptions { longest_timeout: story.patience, ..EngineOptions::default() };
    let engine = project.engine_builder(options).build().map_err(misused)?;
    let program = program(story, &engine)?;
    let lacks = |tool: &&Arc<Signature>| engine.registry().get(&tool.name).is_none_or(|tool| !tool.available());
    if let Some(tool) = program.tools.iter().find(lacks) {
        let name = paint().bold().apply_to(story.flow);
        err(format_args!(
            "{name} is left out: `{}` needs Chromium, which is not installed (`apt install chromium`)",
            tool.name
        ));
        return Ok(None);
    }
    let input = (story.input)(demo);
    let heading = format!("{} {}", paint().bold().apply_to(story.flow), story.about);
    err(if watched() { folded(&heading, columns()) } else { heading });
    err(paint().dim().apply_to(format_args!("examples/{}.flow with {}", story.flow, brief(&input))));
    err("");
    let started = engine.start(&program, story.flow, input).map_err(misused)?;
    let Some(flow) = program.flow(story.flow) else { return Err(Status::Failed) };
    let mut progress = Progress::new(flow, true);
    run::follow_run(&started, false, &mut progress).await;
    let end = started.value().await;
    progress.finish();
    err("");
    end.map(Some).map_err(|error| run::failed(&error, &progress, &program))
}

fn program(story: &Story, engine: &Engine) -> Result<Arc<Program>, Status> {
    let source = SourceFile::new(format!("examples/{}.flow", story.flow), story.source);
    compile(source, engine.catalog(), &NoLoader).map(Arc::new).map_err(|found| {
        report::diagnostics(&found.list, &found.sources, report::Format::Human);
        Status::Failed
    })
}

/// An input in a line.
fn brief(input: &Json) -> String {
    console::truncate_str(&input.to_string(), columns().saturating_sub(40), "…").into_owned()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_list).unwrap_or_default()
}

fn drawn(page: &str) -> String {
    format!("{}\n", markdown::draw(page, columns(), &paint_out()))
}

/// The comparison, as the flow's own Markdown table, and what could not be read.
fn comparison(value: &Value) -> String {
    let table = markdown::table(text(value, "table"), columns()).map(|table| format!("{table}\n")).unwrap_or_default();
    let mut page = format!("\n**The longest:** {}\n", text(value, "longest"));
    let headings: Vec<&str> = list(value, "common_headings").iter().filter_map(Value::as_str).collect();
    if !headings.is_empty() {
        let _ = writeln!(page, "\n**Headings that several have:** {}", headings.join(", "));
    }
    page.push_str("\n**Not read:**\n\n");
    for failed in list(value, "unreadable") {
        let _ = writeln!(page, "- {}: {}", text(failed, "url"), text(failed, "reason"));
    }
    format!("{table}{}", drawn(&page))
}

fn research(value: &Value) -> String {
    let mut page = format!("{}\n\n**Key points:**\n\n", text(value, "summary"));
    for point in list(value, "key_points") {
        let _ = writeln!(page, "- {} ({})", text(point, "point"), text(point, "source"));
    }
    if value.get("memory_saved").and_then(Value::as_bool) == Some(true) {
        page.push_str("\nThe findings were remembered.\n");
    }
    drawn(&page)
}

fn deployment(value: &Value) -> String {
    let mut page = format!("{}\n\n**Problems in the log:**\n\n", text(value, "report").trim());
    for problem in list(value, "problems").iter().filter_map(Value::as_str) {
        let _ = writeln!(page, "- `{problem}`");
    }
    drawn(&page)
}

fn picture(value: &Value) -> String {
    let side = |name| value.get(name).and_then(Value::as_int).unwrap_or_default();
    let (message, url) = (text(value, "message"), text(value, "url"));
    drawn(&format!("{message}: {} x {} pixels, at {url}\n", side("width"), side("height")))
}
