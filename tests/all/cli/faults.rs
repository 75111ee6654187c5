//! `flowc` on disks that fail: it says what is wrong and how to go on, and `flowc runs resume` does.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::killed::Server;
use super::{Bench, Ended};
use crate::faults::{Disks, clear, disk, full, hit, renamed, tell, wanted};

const FLOW: &str = r#"
flow all() -> list<string> {
    step zero = http.get("http://127.0.0.1:PORT/zero")
    step pages = parallel for name in ["a", "b", "c"] limit 2 {
        step first = http.get("http://127.0.0.1:PORT/first/{{name}}?after={{zero.status}}")
        step second = http.get("http://127.0.0.1:PORT/second/{{name}}?after={{first.status}}")
        yield second.text
    }
    step last = http.get("http://127.0.0.1:PORT/last?after={{pages.length}}")
    return [...pages, last.text]
}
"#;

/// A request, and one that follows from its answer.
const CHAINS: [(&str, &str); 7] = [
    ("/zero", "/first/a?after=200"),
    ("/zero", "/first/b?after=200"),
    ("/first/a?after=200", "/second/a?after=200"),
    ("/first/b?after=200", "/second/b?after=200"),
    ("/first/c?after=200", "/second/c?after=200"),
    ("/second/a?after=200", "/last?after=3"),
    ("/second/c?after=200", "/last?after=3"),
];

/// A run of the flow, on one disk after the other.
struct Trial {
    disks: Disks,
    server: Server,
    bench: Bench,
}

impl Trial {
    fn new() -> Self {
        let server = Server::start();
        let settings = "[http]\nallow_private = [\"127.0.0.1\"]\n";
        let script = FLOW.replace("PORT", &server.port.to_string());
        let bench = Bench::with("all.flow", &script).file("flow.toml", settings);
        Self { disks: Disks::new(), server, bench }
    }

    fn flowc(&self, on: &Path, args: &[&str], faults: bool) -> Ended {
        let url = format!("sqlite:{}", on.join("kept").join("runs.db").display());
        let mut command = self.bench.command(args);
        command.args(["--database", &url]);
        if faults {
            self.disks.under(&mut command);
        }
        Ended::from(command.output().unwrap())
    }

    /// Looks whether nothing was asked again whose answer was used.
    fn compare(&self, before: &BTreeMap<String, u32>) {
        let after = self.server.asked();
        for (first, then) in CHAINS {
            let used = before.contains_key(then);
            assert!(!used || before.get(first) == after.get(first), "`{first}` again: {before:?}, {after:?}");
        }
    }

    /// What the run gave where it came to its end; else it says what is wrong, and whether there is a run to resume.
    fn read(&self, ended: &Ended, on: &Path) -> Result<Json, Option<String>> {
        if ended.status == 0 {
            return Ok(ended.json());
        }
        let power = ended.status == 99;
        assert!(power || ended.status == 1, "{}: {}", ended.status, ended.err);
        assert!(power || ended.err.contains("runs.db` failed: "), "{}", ended.err);
        let runs = self.flowc(on, &["runs", "list", "--format", "json"], false).exits(0).json();
        let run = runs["runs"].get(0).cloned();
        if !power {
            // It says how to go on, whoever asks.
            let told = ended.err.lines().find_map(|line| serde_json::from_str::<Json>(line).ok());
            let told = told.and_then(|told| Some(told["run"].as_str()?.to_owned()));
            let resumes = ended.err.contains("flowc runs resume ");
            // One whose start was refused may be there all the same; it may have been announced before, too.
            let begun = run.as_ref().filter(|run| run["events"].as_u64() > Some(1));
            assert!(begun.is_none_or(|run| resumes || told.as_deref() == run["id"].as_str()), "{}", ended.err);
        }
        let Some(run) = run else { return Err(None) };
        let id = run["id"].as_str().unwrap().to_owned();
        if run["status"] == "completed" {
            let kept = self.flowc(on, &["runs", "export", &id], false).exits(0).json();
            return Ok(kept["events"].as_array().unwrap().last().unwrap()["output"].clone());
        }
        assert!(run["status"] == "running" || run["status"] == "waiting", "{run}");
        Err(Some(id))
    }

    /// One run that meets the fault, taken up twice: on a disk that fails again, and on one that does not. False where the
    /// fault did not come.
    fn run(&self, faults: &str, again: &str, json: bool) -> bool {
        self.server.forget();
        let mut on = disk(&self.disks.root(), faults);
        let format = if json { "json" } else { "human" };
        let mut ended = self.flowc(&on, &["run", "all.flow", "--format", format], true);
        let came = hit(&on);
        assert!(came || ended.status == 0, "{}", ended.err);
        let mut lives = 0;
        let result = loop {
            lives += 1;
            assert!(lives < 4, "{faults}: {}", ended.err);
            let well = format!("well{}", "x".repeat(lives));
            let next = renamed(&on, if lives == 1 { again } else { &well });
            clear(&on);
            on = next;
            let before = self.server.asked();
            let run = match self.read(&ended, &on) {
                Ok(result) => break result,
                Err(run) => run,
            };
            ended = match &run {
                Some(run) => self.flowc(&on, &["runs", "resume", run], true),
                None => {
                    assert_eq!(before.len(), 0, "{faults}: nothing is asked before the run is kept");
                    self.flowc(&on, &["run", "all.flow"], true)
                }
            };
            self.compare(&before);
        };
        clear(&on);
        let pages = ["/second/a?after=200", "/second/b?after=200", "/second/c?after=200", "/last?after=3"];
        assert_eq!(result, json!(pages), "{faults}");
        came
    }
}

/// Each fault at one in so many operations, or at all of them with `FLOW_FAULTS=full`; `FLOW_FAULTS=eio` tries one.
fn sweep(faults: &[&str], one_in: usize) {
    let trial = Trial::new();
    let step = if full() { 1 } else { one_in };
    for (place, fault) in faults.iter().enumerate().filter(|(_, fault)| wanted(fault)) {
        let mut came = 0;
        for number in (1 + (place * 7) % step..).step_by(step) {
            let seed = if *fault == "power" { format!("s{}", number % 7) } else { String::new() };
            let again = format!("{}{}", ["full", "eio", "dead"][number % 3], 2 + number / 2);
            if !trial.run(&format!("{fault}{number}{seed}"), &again, number % 2 == 0) {
                break;
            }
            came += 1;
        }
        tell(&format!("flowc, {fault}: {came}"));
        assert!(came > 0, "{fault}");
    }
}

#[test]
fn a_run_whose_disk_fails_says_how_to_go_on_and_does() {
    sweep(&["eio", "full", "dead", "brim"], 60);
}

#[test]
fn a_run_goes_on_after_the_power_failed() {
    sweep(&["power"], 24);
}
