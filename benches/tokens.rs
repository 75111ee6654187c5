//! What a workflow saves: each example flow is run for real against the demo's services, and what its tools were asked and
//! answered is counted in tokens, once as a model meets it that drives the tools itself, once as it meets one call of the
//! workflow. Prints a table; fails where less than 70 % are saved. `cargo bench --bench tokens`
//!
//! How a conversation is counted: every turn reads the instructions, the definitions of its tools, the request, and all calls
//! and results before; it writes a call, or at the end the answer. The tools are driven in two ways: turn by turn, and with
//! whatever the flow calls at once called in one turn. The assistant is the same in each way and can do all four things: it knows
//! either the four workflows, or the tools that these call and no others. In favour of the model that drives them: it never asks
//! for the wrong thing, and its tools retry by themselves. It has no use for a second model: what the flow leaves to one
//! (`llm`), it does itself in its answer. What the flow's own model reads and writes is counted against the flow. Where a tool
//! gives a picture, the model that drives it sees it, at a token for 750 pixels, as Anthropic counts:
//! <https://docs.anthropic.com/en/docs/build-with-claude/vision>. The picture is taken where Chromium is installed.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flowc::demo::{Demo, KEY};
use flowc::orchestrator::{Dialect, Orchestrator, external_name};
use flowc::project::{Config, EngineOptions, Project};
use flowc::run::{Event, EventKind, Hook, ToolError, Usage};
use flowc::source::{NoLoader, SourceFile};
use flowc::types::Signature;
use flowc::value::Value;
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};
use tiktoken_rs::CoreBPE;

const INSTRUCTIONS: &str =
    "You are an assistant with tools. Do what the user asks, by calling them, and answer briefly.";

/// The flow, what a person asks, and the flow's input.
type Case = (&'static str, &'static str, String, Json);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let demo = Demo::start().await.unwrap();
        let urls = demo.compared();
        let cases: [Case; 4] = [
            (
                "multi_scrape",
                include_str!("../examples/multi_scrape.flow"),
                format!("Compare {}", urls.join(", ")),
                json!({ "urls": urls }),
            ),
            (
                "web_research",
                include_str!("../examples/web_research.flow"),
                "Research how tide mills work".to_owned(),
                json!({ "query": "how tide mills work" }),
            ),
            (
                "deployment_check",
                include_str!("../examples/deployment_check.flow"),
                "Check the deployment of tide-shop".to_owned(),
                json!({ "project": "tide-shop" }),
            ),
            (
                "screenshot_and_post",
                include_str!("../examples/screenshot_and_post.flow"),
                format!("Take a screenshot of {}", demo.pictured()),
                json!({ "url": demo.pictured() }),
            ),
        ];
        let tokens = Tokens(tiktoken_rs::o200k_base().unwrap());
        println!(
            "| workflow | calls | turn by turn | saved | calls at once | saved | one workflow call | in its own model |"
        );
        println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        let mut runs = Vec::new();
        for case in &cases {
            runs.extend(run(&demo, case, &cases).await);
        }
        let used = |tool: &Signature| runs.iter().flat_map(|run| &run.calls).any(|call| call.tool == tool.name);
        let mut all = Counted::default();
        for run in &runs {
            let counted = count(run, used, &tokens);
            println!("| `{}` {}", run.case.0, counted.row());
            assert!(saved(counted.by_turn, counted.called) >= 70.0, "less than 70 % are saved");
            all.add(&counted);
        }
        println!("| all {}", all.row());
        assert!(saved(all.at_once, all.called) >= 70.0, "less than 70 % are saved");
    });
}

/// A workflow both ways, in tokens.
#[derive(Default)]
struct Counted {
    calls: usize,
    /// The tools driven with one call a turn.
    by_turn: usize,
    /// The tools driven with as many calls a turn as the flow makes at once.
    at_once: usize,
    /// The workflow called, with what its own model spends.
    called: usize,
    /// What its own model spends.
    inner: usize,
}

impl Counted {
    fn row(&self) -> String {
        let Counted { calls, by_turn, at_once, called, inner } = self;
        let (first, second) = (saved(*by_turn, *called), saved(*at_once, *called));
        format!("| {calls} | {by_turn} | {first:.1} % | {at_once} | {second:.1} % | {called} | {inner} |")
    }

    fn add(&mut self, other: &Counted) {
        self.calls += other.calls;
        self.by_turn += other.by_turn;
        self.at_once += other.at_once;
        self.called += other.called;
        self.inner += other.inner;
    }
}

fn saved(driven: usize, called: usize) -> f64 {
    100.0 * (1.0 - called as f64 / driven as f64)
}

/// A tool call as it was made.
struct Call {
    turn: usize,
    tool: String,
    args: Json,
    result: Json,
}

/// A workflow that was run.
struct Ran<'a> {
    case: &'a Case,
    orchestrator: Orchestrator,
    calls: Vec<Call>,
    /// What its own model spent.
    inner: usize,
    output: Json,
}

/// Runs a workflow; not one that needs a browser where there is none.
async fn run<'a>(demo: &Demo, case: &'a Case, cases: &[Case]) -> Option<Ran<'a>> {
    let (flow, _, _, input) = case;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let config = Config::parse(SourceFile::new("flow.toml", demo.settings())).unwrap();
    let recorder = Recorder::default();
    // Only the page that never answers needs an end to patience.
    let longest_timeout = (*flow == "multi_scrape").then_some(Duration::from_millis(1500));
    let options = EngineOptions { longest_timeout, ..EngineOptions::default() };
    let project = Project::with_config(folder.path(), config);
    let engine = project.engine_builder(options).hook(recorder.clone()).build().unwrap();
    let lacks_browser = engine.registry().get("browser.screenshot").is_none_or(|tool| !tool.available());
    if *flow == "screenshot_and_post" && lacks_browser {
        return None;
    }
    let mut orchestrator = Orchestrator::new(engine);
    for (name, source, ..) in cases {
        orchestrator.add(SourceFile::new(format!("{name}.flow"), *source), &NoLoader).unwrap();
    }

    let run = orchestrator.start_workflow(flow, Value::from(input.clone())).unwrap();
    let output = Json::from(&run.value().await.unwrap());
    let (calls, inner) = calls(&run.recorded(), &recorder);
    Some(Ran { case, orchestrator, calls, inner, output })
}

/// Counts both ways, `used` being the tools that the model may drive.
fn count(ran: &Ran<'_>, used: impl Fn(&Signature) -> bool, tokens: &Tokens) -> Counted {
    let Ran { case: (flow, _, request, input), orchestrator, calls, inner, output } = ran;
    let answer = answer(output);

    let workflows = orchestrator.definitions(Dialect::Anthropic, |_| false);
    let tools = orchestrator.definitions(Dialect::Anthropic, used).split_off(workflows.len());
    let context = tokens.of(INSTRUCTIONS) + tokens.of_json(&json!(tools)) + tokens.of(request);
    let driven = |turns: &[Vec<&Call>]| {
        let (mut context, mut read) = (context, 0);
        for turn in turns {
            let asked: usize = turn.iter().map(|call| tokens.call(&call.tool, &call.args)).sum();
            read += context + asked;
            context += asked
                + turn.iter().map(|call| tokens.of_json(&call.result) + pixels(&call.result) / 750).sum::<usize>();
        }
        read + context + tokens.of(&answer)
    };
    let by_turn = driven(&calls.iter().map(|call| vec![call]).collect::<Vec<_>>());
    let at_once =
        driven(&calls.chunk_by(|a, b| a.turn == b.turn).map(|turn| turn.iter().collect()).collect::<Vec<_>>());

    let context = tokens.of(INSTRUCTIONS) + tokens.of_json(&json!(workflows)) + tokens.of(request);
    let asked = tokens.call(flow, input);
    let called = 2 * (context + asked) + tokens.of_json(output) + tokens.of(&answer);
    Counted { calls: calls.len(), by_turn, at_once, called: called + inner, inner: *inner }
}

/// The calls in their turns, and what the flow's own model spent. Calls that overlap are of one turn.
fn calls(events: &[Arc<Event>], recorder: &Recorder) -> (Vec<Call>, usize) {
    let mut asked: VecDeque<(String, Json)> = recorder.0.lock().unwrap().drain(..).collect();
    let mut calls: Vec<(String, Call)> = Vec::new();
    let (mut open, mut turn, mut inner) = (0, 0, 0);
    for event in events {
        match &event.kind {
            EventKind::StepStarted { path, action, attempt, .. } if action.contains('.') => {
                let (tool, args) = asked.pop_front().unwrap();
                assert_eq!(tool, *action, "calls are recorded in the order they are made");
                if *attempt == 1 && !tool.starts_with("llm.") {
                    turn += usize::from(open == 0);
                    open += 1;
                    calls.push((path.to_string(), Call { turn, tool, args, result: Json::Null }));
                }
            }
            EventKind::StepCompleted { path, result, usage, .. } => {
                let Usage { input_tokens, output_tokens, .. } = usage.as_deref().copied().unwrap_or_default();
                inner += (input_tokens + output_tokens) as usize;
                if let Some((_, call)) = calls.iter_mut().find(|(of, _)| of == path) {
                    call.result = Json::from(result);
                    open -= 1;
                }
            }
            EventKind::StepFailed { path, error, .. } => {
                if let Some((_, call)) = calls.iter_mut().find(|(of, _)| of == path) {
                    call.result = json!({ "error": Json::from(&error.to_value()) });
                    open -= 1;
                }
            }
            _ => {}
        }
    }
    (calls.into_iter().map(|(_, call)| call).collect(), inner)
}

/// What is said to the person at the end: the field that was made for them, else the whole.
fn answer(output: &Json) -> String {
    let told = ["table", "summary", "report", "message"].iter().find_map(|name| output[*name].as_str());
    told.map_or_else(|| output.to_string(), str::to_owned)
}

/// How many pixels a result shows.
fn pixels(result: &Json) -> usize {
    let side = |name: &str| result[name].as_u64().unwrap_or_default() as usize;
    if result["mime_type"].as_str().is_some_and(|kind| kind.starts_with("image/")) {
        side("width") * side("height")
    } else {
        0
    }
}

/// Keeps what tools are asked.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<(String, Json)>>>);

impl Hook for Recorder {
    fn before<'a>(&'a self, tool: &'a Signature, args: &'a Value) -> BoxFuture<'a, Result<(), ToolError>> {
        self.0.lock().unwrap().push((tool.name.to_string(), Json::from(args)));
        Box::pin(async { Ok(()) })
    }
}

struct Tokens(CoreBPE);

impl Tokens {
    fn of(&self, text: &str) -> usize {
        self.0.encode_ordinary(text).len()
    }

    fn of_json(&self, json: &Json) -> usize {
        self.of(&json.to_string())
    }

    fn call(&self, tool: &str, args: &Json) -> usize {
        self.of_json(&json!({ "name": external_name(tool), "input": args }))
    }
}
