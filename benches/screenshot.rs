//! What a picture of a page takes, from the step to the hosted image, in the real Chromium: the first of an engine, which
//! starts the browser, and the ones after it. Under 5 s and under 1 s is what we promise. `cargo bench --bench screenshot`

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "a benchmark")]

use std::time::{Duration, Instant};

use flowc::demo::{Demo, KEY};
use flowc::project::{Config, EngineOptions, Project};
use flowc::source::SourceFile;
use flowc::value::Value;
use serde_json::json;

const FLOW: &str = "flow shot(url: url) -> image { step picture = browser.screenshot(url) return picture }";
const ENGINES: usize = 5;
const WARM: usize = 10;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let demo = Demo::start().await.unwrap();
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for _ in 0..ENGINES {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("key"), KEY).unwrap();
            let config = Config::parse(SourceFile::new("flow.toml", demo.settings())).unwrap();
            let project = Project::with_config(folder.path(), config);
            let engine = project.engine_builder(EngineOptions::default()).build().unwrap();
            let program = engine.compile(SourceFile::new("shot.flow", FLOW)).unwrap();
            for at in 0..=WARM {
                let input = Value::from(json!({ "url": demo.pictured() }));
                let began = Instant::now();
                engine.start(&program, "shot", input).unwrap().value().await.unwrap();
                if at == 0 { first.push(began.elapsed()) } else { later.push(began.elapsed()) }
            }
            project.close().await;
        }
        println!("screenshot/first of an engine {:>8.0} ms", median(first));
        println!("screenshot/after it           {:>8.0} ms", median(later));
    });
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).unwrap().as_secs_f64() * 1e3
}
