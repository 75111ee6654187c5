//! Pictures of runs that were recorded as events.

use console::Style;
use jiff::Timestamp;

use super::draw::{Canvas, View, picture};
use super::plain;
use super::tree::Tree;
use crate::run::Event;

/// A run that takes its events from JSON, each with the milliseconds since the run's start.
struct Recorded {
    events: Vec<Event>,
}

impl Recorded {
    fn new(title: &str, steps: u32) -> Self {
        let run = Self { events: Vec::new() };
        run.then(
            0,
            serde_json::json!({
                "event": "run.started", "run": "r1", "flow": title, "program": "", "input": {}, "steps": steps
            }),
        )
    }

    fn then(mut self, ms: i64, event: serde_json::Value) -> Self {
        let mut event = event;
        event["number"] = (self.events.len() + 1).into();
        event["at"] = at(ms).to_string().into();
        self.events.push(serde_json::from_value(event).unwrap());
        self
    }

    fn started(self, ms: i64, path: &str, title: &str) -> Self {
        let attempt: u32 = path.rsplit_once('#').map_or(1, |(_, n)| n.parse().unwrap_or(1));
        self.then(
            ms,
            serde_json::json!({
                "event": "step.started", "path": path, "title": title, "action": "web.scrape", "attempt": attempt
            }),
        )
    }

    fn fan(self, ms: i64, path: &str, title: &str, items: u32) -> Self {
        self.then(ms, serde_json::json!({
            "event": "step.started", "path": path, "title": title, "action": "parallel", "attempt": 1, "items": items
        }))
    }

    fn completed(self, ms: i64, path: &str, took: u64) -> Self {
        self.then(
            ms,
            serde_json::json!({
                "event": "step.completed", "path": path, "result": null, "duration_ms": took
            }),
        )
    }

    fn failed(self, ms: i64, path: &str, kind: &str, message: &str, took: u64) -> Self {
        let error = error(path, kind, message, 3);
        self.then(ms, serde_json::json!({ "event": "step.failed", "path": path, "error": error, "duration_ms": took }))
    }

    fn retrying(self, ms: i64, path: &str, kind: &str, message: &str, wait: u64) -> Self {
        let error = error(path, kind, message, 1);
        self.then(
            ms,
            serde_json::json!({
                "event": "step.retrying", "path": path, "attempt": 1, "error": error, "wait_ms": wait
            }),
        )
    }

    fn tree(&self) -> Tree {
        let mut tree = Tree::default();
        self.events.iter().for_each(|event| tree.apply(event));
        tree
    }

    fn picture(&self, ms: i64, lines: usize) -> String {
        let canvas = Canvas {
            columns: 80,
            lines,
            now: at(ms),
            tick: 0,
            paint: Style::new().force_styling(false),
            planned: vec![("pages".into(), "pages".into()), ("rows".into(), "Extract the facts".into())],
            remark: String::new(),
            view: View::Live,
        };
        let lines = picture(&self.tree(), &canvas);
        for line in &lines {
            assert!(console::measure_text_width(line) <= 80, "too wide: {line}");
        }
        lines.join("\n")
    }

    fn lines(&self) -> String {
        let mut tree = Tree::default();
        let lines = self.events.iter().filter_map(|event| {
            tree.apply(event);
            plain::line(event, &tree)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
}

fn error(path: &str, kind: &str, message: &str, attempts: u32) -> serde_json::Value {
    serde_json::json!({
        "kind": kind, "message": message, "step": path, "attempts": attempts, "retryable": true, "details": null
    })
}

fn three_pages() -> Recorded {
    Recorded::new("multi_scrape", 3)
        .fan(1, "pages", "Read 3 pages", 3)
        .started(2, "pages[0].page", "Read a.example")
        .started(2, "pages[1].page", "Read b.example")
        .started(2, "pages[2].page", "Read c.example")
        .completed(300, "pages[0].page", 298)
        .retrying(400, "pages[1].page", "timeout", "no answer in 20s", 730)
        .failed(900, "pages[2].page", "tool", "the page answered 500 Internal Server Error", 898)
}

#[test]
fn a_small_fan_out_shows_every_item() {
    insta::assert_snapshot!(three_pages().picture(1000, 24));
}

#[test]
fn a_retry_says_which_attempt_it_is() {
    let run = three_pages().started(1200, "pages[1].page#2", "Read b.example");
    insta::assert_snapshot!(run.picture(1500, 24));
}

#[test]
fn what_is_through_is_folded_when_lines_are_scarce() {
    let run = three_pages()
        .completed(1500, "pages[1].page", 1498)
        .completed(1501, "pages", 1500)
        .started(1600, "rows", "Extract");
    insta::assert_snapshot!(run.picture(1700, 4));
}

#[test]
fn a_large_fan_out_shows_what_runs_and_what_failed() {
    let mut run = Recorded::new("multi_scrape", 2).fan(1, "pages", "Read 500 pages", 500);
    for item in 0..40 {
        run = run.started(2, &format!("pages[{item}].page"), &format!("Read {item}.example"));
    }
    for item in 0..30 {
        run = run.completed(300, &format!("pages[{item}].page"), 298);
    }
    run = run.failed(310, "pages[30].page", "network", "the connection was refused", 308);
    insta::assert_snapshot!(run.picture(1000, 24));
}

#[test]
fn rounds_flows_statements_and_undos() {
    let run = Recorded::new("deploy", 4)
        .started(0, "poll", "Wait for it")
        .started(1, "poll~1.status", "Ask")
        .completed(2, "poll~1.status", 1)
        .started(10_000, "poll~2.status", "Ask")
        .completed(10_002, "poll~2.status", 2)
        .completed(10_003, "poll", 10_003)
        .started(10_004, "research", "")
        .started(10_005, "research/web.scrape@1", "")
        .started(10_006, "for@1[0].log.write@1", "")
        .completed(10_007, "for@1[0].log.write@1", 1)
        .started(10_010, "poll~undo", "");
    insta::assert_snapshot!(run.picture(11_000, 24));
}

#[test]
fn lines_for_pipes() {
    insta::assert_snapshot!(three_pages().lines());
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let run = Recorded::new("a_flow_with_quite_a_long_name", 12)
        .started(0, "one", "A step whose title goes on and on, further than a narrow terminal is wide")
        .failed(9, "one", "network", "the host of a rather long address was not found", 9);
    let mut tree = Tree::default();
    run.events.iter().for_each(|event| tree.apply(event));
    for columns in [20, 40, 78] {
        let canvas = Canvas {
            columns,
            lines: 24,
            now: at(9),
            tick: 0,
            paint: Style::new(),
            planned: vec![("two".to_owned(), "A step that is still to come, with a title of its own too".to_owned())],
            remark: "cancelling and undoing; Ctrl-C again quits at once".to_owned(),
            view: View::Live,
        };
        for line in picture(&tree, &canvas) {
            assert!(console::measure_text_width(&line) <= columns, "{columns}: {line:?}");
        }
    }
}
