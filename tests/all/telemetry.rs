//! What operators see of runs: the figures of real runs, the alerts over them, and traces as a collector receives them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flowc::run::journal::{Rest, Standing};
use flowc::run::{
    Engine, Journal, Lease, MemoryJournal, Observer, Run, RunError, RunStatus, RunStore, ToolError, Usage,
    tool_in_context,
};
use flowc::source::SourceFile;
use flowc::telemetry::{Measured, Metrics, Traces};
use flowc::tools::human;
use flowc::value::{ErrorKind, Value};
use futures::StreamExt;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Fetch {
    page: String,
}

/// `site.fetch` takes a second and spends tokens; of the page `flaky` it fails once, of `gone` always.
fn engine() -> Engine {
    let fetch = tool_in_context("site.fetch", "Fetches.", |args: Fetch, context| {
        Box::pin(async move {
            context.report.usage(Usage { input_tokens: 100, output_tokens: 10, usd: 0.25 });
            tokio::time::sleep(Duration::from_secs(1)).await;
            match args.page.as_str() {
                "gone" => Err(ToolError::new(ErrorKind::Tool, "there is no such page")),
                "flaky" if context.attempt == 1 => Err(ToolError::new(ErrorKind::Network, "the line broke")),
                page => Ok(page.to_owned()),
            }
        })
    });
    Engine::builder().tool(fetch.read_only()).tools(human::tools()).build().unwrap()
}

fn start(engine: &Engine, body: &str) -> Run {
    let flow = format!("flow it() -> json {{ {body} return 1 }}");
    let program = engine.compile(SourceFile::new("it.flow", flow)).unwrap_or_else(|wrong| panic!("{wrong}"));
    engine.start(&program, "it", Value::map([])).unwrap()
}

/// All events of runs as they come.
async fn observed(runs: &[Run], mut observe: impl FnMut(&str, &flowc::run::Event)) {
    for run in runs {
        let mut events = run.events();
        while let Some(event) = events.next().await {
            observe(run.id(), &event);
        }
    }
}

const GOOD: &str = r#"step pages = parallel for page in ["a", "flaky"] { yield step site.fetch(page) retry 2 }"#;
const BAD: &str = r#"step site.fetch("gone")"#;

#[tokio::test(start_paused = true)]
async fn figures_tell_what_runs_did() {
    let engine = engine();
    let metrics = Arc::new(Metrics::new());
    let runs = [start(&engine, GOOD), start(&engine, BAD)];
    observed(&runs, |run, event| metrics.event(run, "it", event)).await;
    metrics.commit(Duration::from_micros(300));
    metrics.database_error();
    let page = metrics.render();
    for line in [
        r#"flow_runs_started_total{flow="it"} 2"#,
        r#"flow_runs_total{flow="it",status="completed"} 1"#,
        r#"flow_runs_total{flow="it",status="failed"} 1"#,
        r#"flow_runs_running{flow="it"} 0"#,
        r#"flow_steps_total{flow="it",tool="site.fetch",status="completed"} 2"#,
        r#"flow_steps_total{flow="it",tool="site.fetch",status="failed"} 1"#,
        r#"flow_steps_total{flow="it",tool="",status="completed"} 1"#,
        r#"flow_step_retries_total{flow="it",tool="site.fetch"} 1"#,
        r#"flow_step_duration_seconds_bucket{le="1.0",tool="site.fetch"} 2"#,
        r#"flow_step_duration_seconds_count{tool="site.fetch"} 3"#,
        r#"flow_run_duration_seconds_count{flow="it"} 2"#,
        r#"flow_tokens_total{flow="it",direction="input"} 400"#,
        r#"flow_cost_usd_total{flow="it"} 1.0"#,
        "flow_database_errors_total 1",
        r#"flow_journal_commit_duration_seconds_bucket{le="0.0005"} 1"#,
    ] {
        assert!(page.lines().any(|found| found == line), "expected {line} in\n{page}");
    }
}

#[tokio::test(start_paused = true)]
async fn gauges_go_up_and_down_with_what_waits_and_runs() {
    let engine = engine();
    let metrics = Arc::new(Metrics::new());
    let run = start(&engine, r#"step human.approve("Go on?")"#);
    let mut events = run.events();
    let gauge = |name: &str| {
        let start = format!("{name}{{flow=\"it\"}} ");
        metrics.render().lines().find_map(|line| line.strip_prefix(&start)?.parse::<i64>().ok())
    };
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        metrics.event(run.id(), "it", &event);
        seen.push((event.kind.name(), gauge("flow_runs_running"), gauge("flow_steps_waiting")));
        if event.kind.name() == "run.waiting" {
            run.answer(event.kind.path().unwrap(), true).unwrap();
        }
    }
    assert!(seen.contains(&("run.waiting", Some(1), Some(1))), "{seen:?}");
    assert_eq!(seen.last(), Some(&("run.completed", Some(0), Some(0))), "{seen:?}");

    left_waiting(&engine, &metrics).await;
    assert_eq!((gauge("flow_runs_running"), gauge("flow_steps_waiting")), (Some(0), Some(0)));
    assert_eq!(gauge("flow_runs_parked_total"), Some(1));
}

/// A run that is parked while it waits, through a store that is measured.
async fn left_waiting(engine: &Engine, metrics: &Arc<Metrics>) {
    let run = start(engine, r#"step human.approve("Go on?")"#);
    let waits = run.events().take_while(|event| std::future::ready(event.kind.name() != "run.waiting"));
    waits.collect::<Vec<_>>().await;
    run.recorded().iter().for_each(|event| metrics.event(run.id(), "it", event));
    let up = |name: &str| metrics.render().contains(&format!("{name}{{flow=\"it\"}} 1\n"));
    assert!(up("flow_runs_running") && up("flow_steps_waiting"), "{}", metrics.render());
    let store = Measured::new(Arc::new(MemoryJournal::new()), Arc::clone(metrics));
    let lease = Lease { run: run.id().into(), epoch: 1 };
    // The store in memory does not know the run; that is no error of a database.
    let rest = Rest::Parked(RunError::new(ErrorKind::Internal, "it cannot go on"));
    assert!(store.release(&lease, rest).await.is_err());
    assert!(!metrics.render().contains("flow_database_errors_total 1"));
}

#[tokio::test]
async fn commits_are_measured() {
    let metrics = Arc::new(Metrics::new());
    let store = Measured::new(Arc::new(MemoryJournal::durable()), Arc::clone(&metrics));
    let engine = Engine::builder().journal(store).build().unwrap();
    assert_eq!(start(&engine, "").value().await.unwrap(), Value::Int(1));
    assert!(!metrics.render().contains("flow_journal_commit_duration_seconds_count 0"), "{}", metrics.render());
}

#[tokio::test(start_paused = true)]
async fn runs_that_are_kept_are_counted_by_how_they_stand() {
    let metrics = Arc::new(Metrics::new());
    let store: Arc<dyn RunStore> = Arc::new(Measured::new(Arc::new(MemoryJournal::durable()), Arc::clone(&metrics)));
    let engine = Engine::builder().tools(human::tools()).store(store).build().unwrap();
    let keeper = engine.keep();
    let run = start(&engine, r#"step human.approve("Go on?")"#);
    let id = run.id().to_owned();
    let stands = async |wanted: &[(&str, u32)]| {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let page = metrics.render();
        for (status, runs) in wanted {
            let line = format!("flow_runs_kept{{flow=\"it\",status=\"{status}\"}} {runs}");
            assert!(page.lines().any(|found| found == line), "expected {line} in\n{page}");
        }
    };
    stands(&[("running", 1)]).await;
    drop(run);
    stands(&[("running", 0), ("waiting", 1)]).await;
    let run = engine.take(&id).await.unwrap();
    while run.waiting().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run.answer(run.waiting()[0].path.as_str(), true).unwrap();
    run.value().await.unwrap();
    stands(&[("running", 0), ("waiting", 0)]).await;
    drop(keeper);
}

/// The families of a page, with the suffixes that their samples have.
fn samples(page: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in page.lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else { continue };
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_sum", "_count", "_bucket"],
            _ => &[""],
        };
        names.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    names
}

#[tokio::test(start_paused = true)]
async fn alerts_ask_for_figures_that_there_are() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations");
    let text = std::fs::read_to_string(folder.join("alerts.yml")).unwrap();
    // A figure shows once there is something to tell.
    let metrics = Arc::new(Metrics::new());
    observed(&[start(&engine(), GOOD)], |run, event| metrics.event(run, "it", event)).await;
    left_waiting(&engine(), &metrics).await;
    metrics.standing(&[Standing { flow: "it".into(), status: RunStatus::Parked, runs: 1 }]);
    let known = samples(&metrics.render());
    let named: BTreeSet<String> =
        regex::Regex::new(r"\bflow_\w+").unwrap().find_iter(&text).map(|name| name.as_str().to_owned()).collect();
    assert!(named.len() >= 7, "{named:?}");
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {known:?}");
    let alerts = text.split("- alert: ").skip(1).map(|rest| rest.lines().next().unwrap());
    let shown = std::fs::read_to_string(folder.join("alerts.test.yml")).unwrap();
    for alert in alerts {
        let [fires, quiet] = [format!("- alertname: {alert}\n"), format!("- {{ alertname: {alert}, ")];
        assert!(shown.contains(&fires) && shown.contains(&quiet), "{alert} is shown to fire, and not to");
    }
    // Prometheus has the last word on the file, and on what its rules fire at.
    let tool = std::env::var_os("FLOWC_TEST_PROMTOOL");
    for (what, file) in [("check", "alerts.yml"), ("test", "alerts.test.yml")] {
        let mut command = std::process::Command::new(tool.as_deref().unwrap_or("promtool".as_ref()));
        match command.args([what, "rules", file]).current_dir(&folder).output() {
            Ok(said) => {
                let told = [said.stdout, said.stderr].concat();
                assert!(said.status.success(), "{}", String::from_utf8_lossy(&told));
            }
            Err(why) => {
                assert!(tool.is_none(), "{why}");
                eprintln!("promtool is not asked: {why}");
            }
        }
    }
}

/// A span as a collector receives it.
#[derive(Debug)]
struct Span {
    name: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    nanos: u64,
    /// 2 is an error.
    status: u64,
    events: usize,
    attributes: BTreeSet<String>,
}

/// The fields of a protobuf message: each number with its bytes, or with its whole number as eight of them.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for at in 0.. {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => varint(&mut bytes).to_le_bytes().to_vec(),
            kind => {
                let length = match kind {
                    1 => 8,
                    5 => 4,
                    _ => varint(&mut bytes) as usize,
                };
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                value.to_vec()
            }
        };
        found.push((tag >> 3, value));
    }
    found
}

fn inside(message: &[u8], field: u64) -> Vec<Vec<u8>> {
    fields(message).into_iter().filter(|(number, _)| *number == field).map(|(_, value)| value).collect()
}

fn one(message: &[u8], field: u64) -> Vec<u8> {
    inside(message, field).pop().unwrap_or_default()
}

fn number(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(eight)
}

/// The spans of an `ExportTraceServiceRequest`, by their names.
fn spans(request: &[u8]) -> BTreeMap<String, Span> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let scopes = inside(request, 1).into_iter().flat_map(|resource| inside(&resource, 2));
    let all = scopes.flat_map(|scope| inside(&scope, 2)).map(|span| Span {
        name: text(one(&span, 5)),
        trace: one(&span, 1),
        id: one(&span, 2),
        parent: one(&span, 4),
        nanos: number(&one(&span, 8)) - number(&one(&span, 7)),
        status: number(&one(&one(&span, 15), 3)),
        events: inside(&span, 11).len(),
        attributes: inside(&span, 9).iter().map(|pair| text(one(pair, 1))).collect(),
    });
    all.map(|span| (span.name.clone(), span)).collect()
}

/// A collector that keeps what is posted to `/v1/traces`.
async fn collector() -> (String, tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) {
    let (sender, received) = tokio::sync::mpsc::unbounded_channel();
    let take = move |body: axum::body::Bytes| {
        let sender = sender.clone();
        async move { drop(sender.send(body.to_vec())) }
    };
    let app = axum::Router::new().route("/v1/traces", axum::routing::post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}/v1/traces"), received)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_receives_a_run_as_one_trace() {
    let (endpoint, mut received) = collector().await;
    let traces = Arc::new(Traces::to(&endpoint).unwrap());
    let runs = [start(&engine(), &format!("{GOOD} {BAD}"))];
    observed(&runs, |run, event| traces.event(run, "it", event)).await;
    let ending = Arc::clone(&traces);
    tokio::task::spawn_blocking(move || ending.shutdown()).await.unwrap();
    let spans = spans(&received.recv().await.expect("a request"));

    let (run, pages, page, bad) =
        (&spans["run it"], &spans["pages"], &spans["pages[].site.fetch@1"], &spans["site.fetch@1"]);
    assert!(spans.values().all(|span| span.trace == run.trace && span.trace.len() == 16), "{spans:?}");
    assert_eq!((run.parent.len(), &pages.parent, &page.parent, &bad.parent), (0, &run.id, &pages.id, &run.id));
    assert_eq!((run.status, pages.status, page.status, bad.status), (2, 0, 0, 2));
    assert!(run.nanos >= pages.nanos + bad.nanos && page.nanos >= 1_000_000_000, "{spans:?}");
    assert!(page.attributes.contains("gen_ai.tool.name") && page.attributes.contains("gen_ai.usage.input_tokens"));
    assert!(bad.attributes.contains("error.type") && bad.events >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_sends_traces_where_the_environment_says() {
    let (endpoint, mut received) = collector().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("f.flow"), "flow f() -> int { step time.sleep(1ms) return 1 }").unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_flowc"));
    command.args(["run", "f.flow"]).current_dir(folder.path());
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint).env("OTEL_SERVICE_NAME", "shop");
    assert!(command.output().await.unwrap().status.success());
    let request = received.recv().await.expect("a request");
    let spans = spans(&request);
    assert_eq!(spans.keys().collect::<Vec<_>>(), ["run f", "time.sleep@1"]);
    let resource = one(&inside(&request, 1)[0], 1);
    assert!(String::from_utf8_lossy(&resource).contains("shop"), "{resource:?}");
}

/// What was logged, each line with the fields of the spans that it stands in, from the outermost.
#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<(String, Vec<String>)>>>);

/// A span's name and fields, as text.
struct Written(String);

impl tracing::field::Visit for Written {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        use std::fmt::Write;
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl<S> tracing_subscriber::Layer<S> for Lines
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::span::Id,
        context: tracing_subscriber::layer::Context<'_, S>,
    ) {
        let mut written = Written(attributes.metadata().name().to_owned());
        attributes.record(&mut written);
        context.span(id).unwrap().extensions_mut().insert(written);
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: tracing_subscriber::layer::Context<'_, S>) {
        let mut written = Written(String::new());
        event.record(&mut written);
        let spans = context.event_scope(event).into_iter().flat_map(|scope| scope.from_root());
        let spans = spans.filter_map(|span| span.extensions().get::<Written>().map(|written| written.0.clone()));
        self.0.lock().unwrap().push((written.0, spans.collect()));
    }
}

/// What a tool logs stands under its run and its step: at once, after a wait, in branches of which others wait.
#[tokio::test(start_paused = true)]
async fn what_a_tool_logs_stands_under_its_step() {
    use tracing_subscriber::layer::SubscriberExt;
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    let chatty = tool_in_context("site.fetch", "Fetches.", |args: Fetch, _context| {
        tracing::info!(target: "test", "asked for {}", args.page);
        Box::pin(async move {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
                tracing::info!(target: "test", "works on {}", args.page);
            }
            if args.page == "gone" { Err(ToolError::new(ErrorKind::Network, "no line")) } else { Ok(args.page) }
        })
    });
    let engine = Engine::builder().tool(chatty.read_only()).build().unwrap();
    let run = start(
        &engine,
        r#"step pages = parallel for page in ["a", "b"] { yield step site.fetch(page) }
           step last = try site.fetch("gone") retry 1 backoff 1ms"#,
    );
    let other = start(&engine, r#"step site.fetch("c")"#);
    run.value().await.unwrap();
    other.value().await.unwrap();
    let lines = lines.0.lock().unwrap();
    let lines: Vec<_> = lines.iter().filter(|(line, _)| line.contains(" on ") || line.contains(" for ")).collect();
    assert_eq!(lines.len(), 5 * 4);
    for (line, spans) in lines {
        let page = line.rsplit(' ').next().unwrap();
        let (run, paths) = match page {
            "a" => (&run, vec!["pages[0].site.fetch@1"]),
            "b" => (&run, vec!["pages[1].site.fetch@1"]),
            "c" => (&other, vec!["site.fetch@1"]),
            _ => (&run, vec!["last", "last#2"]),
        };
        let [outer, inner] = spans.as_slice() else { panic!("{line}: {spans:?}") };
        assert_eq!(*outer, format!("run flow.run.id={:?} flow.name=\"it\"", run.id()));
        let is = |path: &&str| inner.starts_with(&format!("step flow.step.path={path:?} flow.step.attempt="));
        assert!(paths.iter().any(is) && inner.ends_with("gen_ai.tool.name=\"site.fetch\""), "{line}: {inner}");
    }
}
