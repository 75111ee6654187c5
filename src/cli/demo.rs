//! `flowc demo`: serves a small site on this machine and compares its pages, of which one fails and one never answers.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::markdown;
use super::output::{Status, columns, err, misused, out, out_raw, paint, paint_out};
use super::progress::Progress;
use super::{report, run};
use crate::compile::compile;
use crate::program::Program;
use crate::project::DemoSite;
use crate::run::{Engine, Limits, RunError};
use crate::source::{NoLoader, SourceFile};
use crate::tools::http::{AllowPrivate, HttpClient, HttpConfig, Lookup};
use crate::tools::standard;
use crate::tools::web::WebScrape;
use crate::value::Value;

/// Run the example `multi_scrape` on a small site that is served by this command itself.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Print the result as JSON instead of a table
    #[arg(long)]
    json: bool,
}

const FLOW: &str = "multi_scrape";
const SOURCE: &str = include_str!("../../examples/multi_scrape.flow");

/// The script waits 20 seconds for a page. Nobody wants to sit through that three times.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(super) fn demo(args: &Args) -> Status {
    let engine = match engine() {
        Ok(engine) => engine,
        Err(why) => return misused(why),
    };
    let source = SourceFile::new("examples/multi_scrape.flow", SOURCE);
    let program = match compile(source, &standard::catalog(), &NoLoader) {
        Ok(program) => Arc::new(program),
        Err(found) => {
            report::diagnostics(&found.list, &found.sources, report::Format::Human);
            return Status::Failed;
        }
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(compare(&engine, &program, args)),
        Err(why) => misused(format_args!("the demo cannot start: {why}")),
    }
}

/// An engine that reads pages of this machine, whatever host they seem to stand on.
fn engine() -> Result<Engine, String> {
    let config = HttpConfig { allow_private: AllowPrivate::All, lookup: Arc::new(Here), ..HttpConfig::default() };
    let scrape = WebScrape::new(&Arc::new(HttpClient::new(config))).ok_or("there is no `web.scrape`")?;
    let limits = Limits { longest_timeout: Some(PATIENCE), ..Limits::default() };
    Engine::builder().tool(scrape).limits(limits).build().map_err(|why| why.to_string())
}

/// Every host is this machine. So each page of the one site can stand on a host of its own, as pages do that are worth
/// comparing.
struct Here;

impl Lookup for Here {
    fn lookup(&self, _host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) })
    }
}

/// `http://127.0.0.1:8000/shop/kettle.html` on a host of its own: `http://shop.example:8000/shop/kettle.html`.
fn on_own_host(url: &str, site: &DemoSite) -> String {
    let path = url.strip_prefix(&format!("http://{}", site.address)).unwrap_or_default();
    let host = path.trim_start_matches('/').split('/').next().unwrap_or("site");
    format!("http://{host}.example:{}{path}", site.address.port())
}

async fn compare(engine: &Engine, program: &Arc<Program>, args: &Args) -> Status {
    let site = match DemoSite::start().await {
        Ok(site) => site,
        Err(why) => return misused(format_args!("the demo's site cannot be served: {why}")),
    };
    err(format_args!("Comparing {} pages of a small site on http://{}:", site.urls.len(), site.address));
    err(paint().dim().apply_to("one has moved, one fails, one never answers (see examples/multi_scrape.flow)"));
    err("");
    let urls: Vec<String> = site.urls.iter().map(|url| on_own_host(url, &site)).collect();
    let input = serde_json::json!({ "urls": urls });
    let run = match engine.start(program, FLOW, input) {
        Ok(run) => run,
        Err(why) => return misused(why),
    };
    let Some(flow) = program.flow(FLOW) else { return Status::Failed };
    let mut progress = Progress::new(flow, true);
    run::follow_run(&run, &mut progress).await;
    let end = run.value().await;
    progress.finish();
    err("");
    conclude(end, &progress, program, args.json)
}

fn conclude(end: Result<Value, RunError>, progress: &Progress, program: &Program, json: bool) -> Status {
    let value = match end {
        Ok(value) => value,
        Err(error) => {
            return run::failed(&error, progress, program);
        }
    };
    if json {
        out(report::pretty(&serde_json::Value::from(&value)));
    } else {
        show(&value);
    }
    Status::Fine
}

/// The comparison, as the flow's own Markdown table, and what could not be read.
fn show(value: &Value) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(table) = markdown::table(&text(value.get("table")), columns()) {
        out(table);
    }
    let list = |name: &str| value.get(name).and_then(Value::as_list).unwrap_or_default();
    let mut page = format!("\n**The longest:** {}\n", text(value.get("longest")));
    let headings: Vec<&str> = list("common_headings").iter().filter_map(Value::as_str).collect();
    if !headings.is_empty() {
        let _ = writeln!(page, "\n**Headings that several have:** {}", headings.join(", "));
    }
    page.push_str("\n**Not read:**\n\n");
    for failed in list("unreadable") {
        let _ = writeln!(page, "- {}: {}", text(failed.get("url")), text(failed.get("reason")));
    }
    out_raw(markdown::draw(&page, columns(), &paint_out()));
}
