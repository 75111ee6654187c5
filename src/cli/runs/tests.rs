//! Pictures of runs that a real engine made, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use console::Style;
use futures::StreamExt;
use jiff::Timestamp;

use super::super::progress::Sheet;
use super::select::Selection;
use super::{Records, list, select, send, show, stats, waits};
use crate::compile::compile;
use crate::run::journal::{Filter, Kept, Note, Page};
use crate::run::{Engine, MemoryJournal, RunStatus, RunStore, RunSummary, ToolError, Usage, tool, tool_in_context};
use crate::source::{NoLoader, SourceFile};
use crate::tools::human;
use crate::value::{ErrorKind, Value};

const SOURCE: &str = r#"
flow compare(pages: list<string>) -> string {
    step texts "Read {{pages.length}} pages" = parallel for page in pages limit 2 {
        step text "Read {{page}}" = site.fetch(page) retry 2
        yield text
    }
    step sum "Compare them" = model.sum(texts)
    step sure = human.approve("Publish it?", details: { words: 120 })
    return if sure then sum else ""
}
"#;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Fetch {
    page: String,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Sum {
    #[allow(dead_code, reason = "what is summed up does not matter")]
    texts: Vec<String>,
}

/// Runs of `compare`: their journal holds what the engine wrote.
struct Bench {
    store: Arc<MemoryJournal>,
    engine: Engine,
}

/// A clock without chance, which begins with every test.
struct Steady(tokio::time::Instant);

impl crate::run::Clock for Steady {
    fn now(&self) -> Timestamp {
        "2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap().checked_add(self.0.elapsed()).unwrap()
    }

    fn sleep(&self, how_long: Duration) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(how_long))
    }

    fn jitter(&self) -> f64 {
        0.5
    }
}

/// The journal of a bench, shared with its engine.
struct Shared(Arc<MemoryJournal>);

impl crate::run::Journal for Shared {
    fn open(&self, opening: Arc<crate::run::journal::Opening>) -> crate::run::Lease {
        self.0.open(opening)
    }

    fn append(&self, lease: &crate::run::Lease, events: &[Arc<crate::run::Event>]) {
        self.0.append(lease, events);
    }

    fn commit<'a>(
        &'a self,
        lease: &'a crate::run::Lease,
    ) -> futures::future::BoxFuture<'a, Result<(), crate::run::JournalError>> {
        self.0.commit(lease)
    }

    fn durable(&self) -> bool {
        false
    }
}

impl Bench {
    fn new() -> Self {
        let fetch = tool("site.fetch", "Fetches.", |args: Fetch| async move {
            let slow = if args.page == "slow" { 9 } else { 2 };
            tokio::time::sleep(Duration::from_secs(slow)).await;
            match args.page.as_str() {
                "gone" => Err(ToolError::new(ErrorKind::Network, "the connection to gone.example was refused")),
                page => Ok(page.to_owned()),
            }
        });
        let sum = tool_in_context("model.sum", "Sums up.", |_: Sum, context| {
            Box::pin(async move {
                context.report.usage(Usage { input_tokens: 1_800, output_tokens: 250, usd: 0.0123 });
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok("the same".to_owned())
            })
        });
        let store = Arc::new(MemoryJournal::new());
        let engine = Engine::builder().tool(fetch.read_only()).tool(sum.read_only()).tools(human::tools());
        let engine = engine.clock(Steady(tokio::time::Instant::now())).journal(Shared(Arc::clone(&store)));
        Self { engine: engine.build().unwrap(), store }
    }

    /// A run until it ends, or waits for an answer; then so much longer.
    async fn run(&self, pages: &[&str], longer: Duration) -> Kept {
        let source = SourceFile::new("compare.flow", SOURCE);
        let program = Arc::new(compile(source, self.engine.catalog(), &NoLoader).unwrap_or_else(|why| panic!("{why}")));
        let input = serde_json::json!({ "pages": pages });
        let run = self.engine.start(&program, "compare", input).unwrap();
        let going = run.events().take_while(|event| std::future::ready(event.kind.name() != "run.waiting"));
        going.collect::<Vec<_>>().await;
        tokio::time::sleep(longer).await;
        if longer.is_zero() && !run.waiting().is_empty() {
            tokio::time::sleep(Duration::from_mins(2)).await;
            run.answer("sure", true).unwrap();
            run.value().await.unwrap();
        }
        self.store.load(run.id()).await.unwrap()
    }

    fn records(&self, now: Timestamp) -> Records<'_> {
        Records { store: &*self.store, now }
    }
}

fn sheet(kept: &Kept, timeline: bool) -> Sheet {
    let last = kept.events.last().unwrap().at;
    let now = last.checked_add(Duration::from_secs(90)).unwrap();
    Sheet { columns: 80, now, paint: Style::new().force_styling(false), timeline }
}

/// A picture with what chance there is in ids taken out.
fn steady(lines: &[String], kept: &[&Kept]) -> String {
    for line in lines {
        assert!(console::measure_text_width(line) <= 80, "too wide: {line}");
    }
    let mut text = lines.join("\n");
    for kept in kept {
        let id = &kept.summary.run;
        text = text.replace(id.as_str(), "01kangaroo0123456789abc").replace(list::short(id), "01kangaroo012");
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_says_for_what() {
    let kept = Bench::new().run(&["a", "slow"], Duration::from_mins(5)).await;
    insta::assert_snapshot!(steady(&show::page(&kept, &sheet(&kept, false)), &[&kept]));
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_says_why() {
    let kept = Bench::new().run(&["a", "gone"], Duration::ZERO).await;
    insta::assert_snapshot!(steady(&show::page(&kept, &sheet(&kept, false)), &[&kept]));
}

#[tokio::test(start_paused = true)]
async fn a_timeline_shows_where_the_time_went() {
    let kept = Bench::new().run(&["a", "b", "slow"], Duration::ZERO).await;
    insta::assert_snapshot!(steady(&show::page(&kept, &sheet(&kept, true)), &[&kept]));
}

#[tokio::test(start_paused = true)]
async fn large_fan_outs_show_the_slowest() {
    let mut pages = vec!["a"; 40];
    pages[17] = "slow";
    let kept = Bench::new().run(&pages, Duration::ZERO).await;
    insta::assert_snapshot!(steady(&show::page(&kept, &sheet(&kept, false)), &[&kept]));
}

#[tokio::test(start_paused = true)]
async fn lists_and_figures_fit_the_terminal() {
    let bench = Bench::new();
    let mut all = Vec::new();
    for (pages, longer) in [(&["a", "b"][..], 0), (&["gone"], 0), (&["slow"], 60), (&["a"], 0)] {
        all.push(bench.run(pages, Duration::from_secs(longer)).await);
    }
    let now = sheet(&all[3], false).now;
    let page = Page { most: 10, after: None };
    let mut runs = bench.store.list(&Filter::default(), page).await.unwrap();
    let parked =
        RunSummary { status: RunStatus::Parked, error: Some(RunSummary::too_many_recoveries()), ..runs[1].clone() };
    runs.push(parked);
    let kept: Vec<&Kept> = all.iter().collect();
    insta::assert_snapshot!("list", steady(&list::table(&runs, now, 80), &kept));
    let flows = bench.store.stats(&Filter::default()).await.unwrap();
    insta::assert_snapshot!("stats", steady(&stats::page(&flows, 80), &kept));
}

#[tokio::test(start_paused = true)]
async fn steps_are_told_to_programs() {
    let kept = Bench::new().run(&["gone"], Duration::ZERO).await;
    let steps = show::steps(kept.events.iter().map(|event| &**event));
    let of = |path: &str| steps.iter().find(|step| step["path"] == path).unwrap_or_else(|| panic!("{steps:?}"));
    let page = of("texts[0].text");
    assert_eq!(
        (&page["status"], &page["attempts"], &page["title"]),
        (&"failed".into(), &3.into(), &"Read gone".into())
    );
    assert_eq!((&page["error"]["kind"], &page["action"]), (&"network".into(), &"site.fetch".into()));
    let took = page["ended_at"].as_str().unwrap().parse::<Timestamp>().unwrap()
        - page["started_at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(Some(took.get_milliseconds() + took.get_seconds() * 1000), page["duration_ms"].as_i64());
    assert_eq!(of("texts")["status"], "failed");
}

#[tokio::test(start_paused = true)]
async fn runs_are_found_by_the_beginning_of_their_ids() {
    let bench = Bench::new();
    let one = bench.run(&["a"], Duration::ZERO).await.summary;
    let other = bench.run(&["b"], Duration::ZERO).await.summary;
    let records = bench.records(other.ended_at.unwrap());
    for beginning in [&one.run[..], &one.run[..15], list::short(&one.run)] {
        assert_eq!(select::find(beginning, &records).await.map(|run| run.run), Ok(one.run.clone()), "{beginning}");
    }
    // Minutes apart, they have the first digits in common.
    for beginning in [&one.run[..3], "zzzzzzz", "nothing", ""] {
        assert!(select::find(beginning, &records).await.is_err(), "{beginning}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_to_a_run_is_checked_first() {
    let bench = Bench::new();
    let kept = bench.run(&["a"], Duration::from_secs(1)).await;
    let waiting = waits::waits(kept.events.iter().map(|event| &**event));
    let [wait] = waiting.as_slice() else { panic!("{waiting:?}") };
    assert_eq!((wait.path.as_str(), wait.reason.as_str()), ("sure", "approval: Publish it?"));
    let wrong = send::not_waiting("sur", &waiting);
    assert!(wrong.contains("did you mean `sure`?") && wrong.contains("approval: Publish it?"), "{wrong}");

    let records = bench.records(wait.since);
    let id = kept.summary.run.as_str();
    let said = |path: &str, value: &str| send::Answer::given(&["flowc", id, path, value]);
    assert!(send::answer(&said("sum", "y"), &records).await.is_err());
    assert!(send::answer(&said("sure", "perhaps"), &records).await.is_err());
    assert!(bench.store.load(id).await.unwrap().messages.is_empty());
    assert!(send::answer(&said("sure", "y"), &records).await.is_ok());
    let sent = bench.store.load(id).await.unwrap().messages;
    assert_eq!(sent[0].note, Note::Answer { path: "sure".into(), value: Value::Bool(true) });
}

/// Arguments as the command line gives them.
trait Given: clap::Args + clap::FromArgMatches {
    fn given(words: &[&str]) -> Self {
        let command = Self::augment_args(clap::Command::new("flowc"));
        Self::from_arg_matches(&command.get_matches_from(words)).unwrap()
    }
}

impl Given for send::Answer {}
impl Given for Selection {}

#[tokio::test(start_paused = true)]
async fn flags_choose_among_runs() {
    let bench = Bench::new();
    let done = bench.run(&["a"], Duration::ZERO).await.summary;
    let failed = bench.run(&["gone"], Duration::ZERO).await.summary;
    let now = failed.ended_at.unwrap();
    for (words, wanted) in [
        (&["flowc"][..], vec![&failed.run, &done.run]),
        (&["flowc", "--status", "failed"], vec![&failed.run]),
        (&["flowc", "--status", "completed,cancelled"], vec![&done.run]),
        (&["flowc", "--flow", "other"], vec![]),
        (&["flowc", "--since", "1m"], vec![&failed.run]),
        (&["flowc", "--before", "1m", "--flow", "compare"], vec![&done.run]),
    ] {
        let filter = Selection::given(words).filter(now);
        let runs = bench.store.list(&filter, Page { most: 9, after: None }).await.unwrap();
        assert_eq!(runs.iter().map(|run| &run.run).collect::<Vec<_>>(), wanted, "{words:?}");
    }
}
