//! `flowc runs`, and what `flowc run` keeps, over a database on the disk.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::Bench;

/// `mark(NAME)` writes a line into `marks`; `slow` marks and takes until the file `go` is there.
const FLOW: &str = r#"
/// Marks three things.
flow marks(slow: bool = false, broken: bool = false) -> string {
    step one "The first" = text.run("mark", input: "one")
    step two = text.run("slow", input: "two") when slow
    step three = text.run(if broken then "fails" else "mark", input: "three")
    return "done"
}

flow asks() -> string {
    step plan = human.ask("Which colour?", into: string)
    step signal.wait("paid", into: int)
    return plan
}
"#;

const SKILLS: [(&str, &str); 3] = [
    ("mark", "cat >> ../../marks; echo >> ../../marks; echo '\"ok\"'"),
    (
        "slow",
        "cat >> ../../marks; echo >> ../../marks; while [ -e main.sh ] && [ ! -e ../../go ]; do sleep 0.05; done; echo '\"ok\"'",
    ),
    ("fails", "echo 'no such shelf' >&2; exit 3"),
];

/// A project with the flow and its tools.
fn project() -> Bench {
    let mut bench = Bench::with("f.flow", FLOW).file("flow.toml", "[provide.text]\nskills = \"skills\"\n");
    for (name, script) in SKILLS {
        let facts = format!("---\nname: {name}\ndescription: Does {name}.\nrun: [\"sh\", \"main.sh\"]\n---\n");
        bench = bench.file(&format!("skills/{name}/SKILL.md"), &facts).file(&format!("skills/{name}/main.sh"), script);
    }
    bench
}

impl Bench {
    /// The runs that are kept, the newest first.
    pub(super) fn runs(&self, args: &[&str]) -> Vec<Json> {
        let args: Vec<&str> = ["runs", "list", "--format", "json"].iter().chain(args).copied().collect();
        self.flowc(&args).exits(0).json()["runs"].as_array().unwrap().clone()
    }

    /// Starts a command that goes on, and waits until it has said this.
    fn begun(&self, args: &[&str], until: &str) -> Child {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains(until) {
            let line = lines.next().unwrap_or_else(|| panic!("`{until}` is not in:\n{said}")).unwrap();
            said.push_str(&line);
            said.push('\n');
        }
        // What else it says is read, so that it can go on.
        std::thread::spawn(move || lines.for_each(drop));
        child
    }
}

/// Waits until something is so.
fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn id(run: &Json) -> &str {
    run["id"].as_str().unwrap()
}

#[test]
fn a_project_keeps_its_runs_and_shows_them() {
    let bench = project();
    bench.flowc(&["run", "f.flow", "marks"]).exits(0);
    bench.flowc(&["run", "f.flow", "marks", "--broken"]).exits(1).says(&["no such shelf", "flowc runs show "]);
    assert_eq!(bench.read(".flow/.gitignore"), "*\n");
    let runs = bench.runs(&[]);
    let facts: Vec<_> = runs.iter().map(|run| (run["flow"].as_str(), run["status"].as_str())).collect();
    assert_eq!(facts, [(Some("marks"), Some("failed")), (Some("marks"), Some("completed"))]);
    assert_eq!(bench.runs(&["--status", "failed"]).len(), 1);
    assert_eq!(bench.runs(&["--since", "1h", "--limit", "1"]), runs[..1]);
    assert_eq!(bench.runs(&["--after", id(&runs[0])]), runs[1..]);

    let list = bench.flowc(&["runs", "list"]).exits(0).out;
    assert!(list.lines().count() == 3 && list.contains("✗ failed") && list.contains("tool: the skill"), "{list}");
    assert!(list.lines().all(|line| console::measure_text_width(line) <= 80), "{list}");
    let show = bench.flowc(&["runs", "show", &id(&runs[0])[..16]]).exits(0).out;
    for part in ["✗ marks failed in", "✓ The first", "⊘ two", "✗ three  tool: the skill `fails` failed"] {
        assert!(show.contains(part), "`{part}` is not in:\n{show}");
    }
    let timeline = bench.flowc(&["runs", "show", id(&runs[1]), "--timeline"]).exits(0).out;
    assert!(timeline.contains("The first") && timeline.contains('█'), "{timeline}");
    let shown = bench.flowc(&["runs", "show", id(&runs[1]), "--format", "json"]).exits(0).json();
    assert_eq!((&shown["run"], &shown["steps"][0]["title"]), (&runs[1], &"The first".into()));

    let exported = bench.flowc(&["runs", "export", id(&runs[1])]).exits(0).json();
    assert_eq!((&exported["version"], &exported["run"]), (&1.into(), &runs[1]));
    assert_eq!(exported["program"]["sources"][0]["text"], FLOW);
    assert_eq!(exported["events"].as_array().unwrap().last().unwrap()["output"], "done");
    let lines = bench.flowc(&["runs", "export", id(&runs[1]), "--format", "ndjson"]).exits(0).out;
    let kinds: Vec<Json> =
        lines.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["kind"].take()).collect();
    assert_eq!(kinds.len(), 1 + exported["events"].as_array().unwrap().len());
    assert!(kinds[0] == "run" && kinds[1..].iter().all(|kind| kind == "event"), "{kinds:?}");

    let stats = bench.flowc(&["runs", "stats", "--format", "json"]).exits(0).json();
    let marks = &stats["flows"][0];
    assert_eq!((&marks["runs"], &marks["success_rate"]), (&2.into(), &0.5.into()), "{stats}");
    assert_eq!((&marks["failing"][0]["step"], &marks["failing"][0]["count"]), (&"three".into(), &1.into()), "{stats}");
    let stats = bench.flowc(&["runs", "stats"]).exits(0).out;
    assert!(stats.contains("50.0 %") && stats.contains("  three  1 time, tool"), "{stats}");
}

#[test]
fn runs_that_are_not_there_are_told() {
    let bench = Bench::with("f.flow", "flow f() -> int { return 1 }");
    bench.flowc(&["run", "f.flow"]).exits(0);
    assert!(!bench.path(".flow").exists(), "without a flow.toml nothing is kept");
    bench.flowc(&["runs", "list"]).exits(2).says(&["runs are kept where there is a `flow.toml`", "--database"]);
    bench.flowc(&["run", "f.flow", "--database", "sqlite:kept.db"]).exits(0);
    let database = ["--database", "sqlite:kept.db"];
    let runs = bench.runs(&database);
    assert_eq!(runs.len(), 1);
    bench.flowc(&["runs", "show", "nothing", database[0], database[1]]).exits(2).says(&[
        "there is no run `nothing`",
        "the newest is",
        id(&runs[0]),
    ]);
    bench.flowc(&["runs", "list", "--status", "faild"]).exits(2).says(&["did you mean `failed`?"]);
    bench.flowc(&["runs", "list", "--database", "mysql://root:hunter2@db"]).exits(1).says(&["found `mysql`"]);
    bench.flowc(&["runs", "list", "--database", "memory:"]).exits(2);
    std::fs::write(bench.path("other.db"), "this is no database, it is a text that is long enough to be none").unwrap();
    bench.flowc(&["runs", "list", "--database", "sqlite:other.db"]).exits(1).says(&["other.db"]);
}

#[test]
fn a_run_is_watched_and_cancelled_from_outside() {
    let bench = project();
    let mut running = bench.begun(&["run", "f.flow", "marks", "--slow"], "completed  one");
    let run = bench.runs(&["--status", "running"]).remove(0);
    let watching = bench.begun(&["runs", "watch", id(&run)], "completed  one");
    let all = ["runs", "prune", "--before", "2126-01-01"];
    let prune = |more: &str| bench.flowc(&[&all[..], &[more]].concat());
    assert_eq!(prune("--yes").exits(0).out, "0 runs forgotten\n", "it has not ended");
    bench
        .flowc(&["runs", "prune", "--before", "1h", "--status", "running"])
        .exits(2)
        .says(&["only runs that have ended"]);
    bench.flowc(&["runs", "resume", id(&run)]).exits(2).says(&["another process carries on the run"]);
    let held = bench.flowc(&["runs", "resume", "--all"]).exits(0);
    held.says(&["other processes carry on `", "silent for 15 s", "`--wait`"]);
    bench.flowc(&["runs", "cancel", id(&run)]).exits(0);
    assert_eq!(running.wait().unwrap().code(), Some(130));
    assert_eq!(watching.wait_with_output().unwrap().status.code(), Some(130));
    assert_eq!(bench.runs(&[])[0]["status"], "cancelled");
    bench.flowc(&["runs", "cancel", id(&run)]).exits(2).says(&["has ended"]);

    bench.flowc(&["runs", "prune"]).exits(2).says(&["--before"]);
    bench.flowc(&["runs", "prune", "--before", "1h", "--yes"]).exits(0);
    assert_eq!(bench.runs(&[]).len(), 1);
    bench.flowc(&all).exits(2).says(&["nobody is here to be asked"]);
    assert_eq!(prune("--dry-run").exits(0).out, "1 run would be forgotten\n");
    assert_eq!(prune("--yes").exits(0).out, "1 run forgotten\n");
    assert_eq!(bench.runs(&[]), Vec::<Json>::new());
}

#[test]
fn a_run_goes_on_after_its_process_was_killed() {
    let bench = project();
    let mut running = bench.begun(&["run", "f.flow", "marks", "--slow"], "completed  one");
    wait_for("the second step has begun", || bench.read("marks").contains("two"));
    running.kill().unwrap();
    running.wait().unwrap();
    let run = bench.runs(&[]).remove(0);
    assert_eq!(run["status"], "running");
    // The file may change: the run keeps its program.
    std::fs::write(bench.path("f.flow"), "flow marks() -> string { return \"another\" }").unwrap();
    std::fs::write(bench.path("go"), "").unwrap();
    let resumed = bench.flowc(&["runs", "resume", id(&run)]);
    // A skill may do harm twice, so it is not called again: the step is interrupted.
    resumed.exits(1).says(&["interrupted", "`two`"]);
    assert_eq!(bench.read("marks"), "\"one\"\n\"two\"\n");
    assert_eq!(bench.runs(&[])[0]["status"], "failed");
    bench.flowc(&["runs", "resume", "--all"]).exits(0).says(&["no run waits"]);
}

#[test]
fn a_sleep_is_over_when_it_would_have_been() {
    let script = "flow naps() -> string {\n    step nap = time.sleep(5s)\n    return \"awake\"\n}\n";
    let bench = Bench::with("naps.flow", script).file("flow.toml", "");
    let mut running = bench.command(&["run", "naps.flow"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let begun = || bench.runs(&[]).first().is_some_and(|run| run["events"].as_u64() >= Some(2));
    wait_for("the step has begun", begun);
    running.kill().unwrap();
    running.wait().unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let run = bench.runs(&[]).remove(0);
    assert_eq!(bench.flowc(&["runs", "resume", id(&run)]).exits(0).out, "\"awake\"\n");
    let kept = bench.flowc(&["runs", "export", id(&run)]).exits(0).json();
    let at = |event: &str| {
        let event = kept["events"].as_array().unwrap().iter().find(|it| it["event"] == event).unwrap();
        event["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
    };
    let slept = at("step.completed").duration_since(at("run.resumed"));
    assert!(slept < jiff::SignedDuration::from_secs(2), "it slept {slept} more");
}

#[test]
fn what_another_process_leaves_is_waited_for_and_taken_over() {
    let bench = project();
    let mut running = bench.begun(&["run", "f.flow", "marks", "--slow"], "completed  one");
    wait_for("the second step has begun", || bench.read("marks").contains("two"));
    let mut waiting = bench.command(&["runs", "resume", "--all", "--wait"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(waiting.stderr.take().unwrap()).lines();
    let first = told.next().unwrap().unwrap();
    assert!(first.contains("waits for what other processes carry on"), "{first}");
    running.kill().unwrap();
    running.wait().unwrap();
    let rest: Vec<String> = told.map_while(Result::ok).collect();
    assert_eq!(waiting.wait().unwrap().code(), Some(1), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("interrupted")), "{rest:?}");
    assert_eq!(bench.runs(&[])[0]["status"], "failed");
}

#[test]
fn a_run_is_answered_from_outside() {
    let bench = project();
    let running = bench.begun(&["run", "f.flow", "asks"], "flowc runs answer");
    let run = bench.runs(&[]).remove(0);
    let show = bench.flowc(&["runs", "show", id(&run)]).exits(0).out;
    assert!(show.contains("? `plan` waits for an answer: Which colour?"), "{show}");
    bench.flowc(&["runs", "answer", id(&run), "plans", "red"]).exits(2).says(&["did you mean `plan`?"]);
    bench.flowc(&["runs", "answer", id(&run), "plan", "red"]).exits(0);
    wait_for("the run waits for the signal", || {
        let shown = bench.flowc(&["runs", "show", id(&run), "--format", "json"]).exits(0).json();
        shown["waiting"][0]["request"]["kind"] == "signal"
    });
    bench.flowc(&["runs", "signal", id(&run), "paid", "\"much\""]).exits(2).says(&["does not fit", "integer"]);
    bench.flowc(&["runs", "signal", id(&run), "paid", "42"]).exits(0);
    let ended = running.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stdout).unwrap().trim()), (Some(0), "\"red\""));
    let exported = bench.flowc(&["runs", "export", id(&run)]).exits(0).json();
    let notes: Vec<_> = exported["messages"].as_array().unwrap().iter().map(|note| &note["note"]["kind"]).collect();
    assert_eq!(notes, ["answer", "signal"]);
}

#[test]
fn a_failed_run_is_done_again_from_where_it_failed() {
    let bench = project();
    bench.flowc(&["run", "f.flow", "marks", "--broken"]).exits(1);
    let failed = bench.runs(&[]).remove(0);
    std::fs::write(bench.path("skills/fails/main.sh"), "cat >> ../../marks; echo >> ../../marks; echo 1").unwrap();
    let again = bench.flowc(&["runs", "retry", id(&failed)]).exits(0);
    assert_eq!((again.out.as_str(), bench.read("marks").as_str()), ("\"done\"\n", "\"one\"\n\"three\"\n"));
    let runs = bench.runs(&[]);
    assert_eq!((&runs[0]["status"], &runs[0]["forked_from"]), (&"completed".into(), &failed["id"]));
    assert_eq!(runs[1], failed, "the run itself stays as it is");

    bench.flowc(&["runs", "retry", id(&runs[0])]).exits(2).says(&["did not fail at a step", "--from PATH"]);
    bench.flowc(&["runs", "retry", id(&runs[0]), "--from", "thre"]).exits(2).says(&["did you mean `three`?"]);
    bench.flowc(&["runs", "fork", id(&failed)]).exits(0);
    assert_eq!(bench.read("marks").lines().count(), 4);
}

#[test]
fn a_waiting_run_goes_on_with_another_program() {
    let bench = project();
    let mut running = bench.begun(&["run", "f.flow", "asks"], "flowc runs answer");
    running.kill().unwrap();
    running.wait().unwrap();
    let run = bench.runs(&[]).remove(0);
    let write = |name: &str, flow: &str| std::fs::write(bench.path(name), flow).unwrap();
    write("other.flow", "flow asks() -> string { step plan = human.ask(\"What?\", into: string) return plan }");
    write(
        "better.flow",
        "flow asks() -> string { step plan = human.ask(\"Which colour?\", into: string) return \"in {{plan}}\" }",
    );
    let migrate = |to: &str| bench.flowc(&["runs", "migrate", id(&run), "--to", to]);
    migrate("other.flow").exits(1).says(&["does not fit what the run has done", "plan"]);
    migrate("better.flow").exits(0);
    bench.flowc(&["runs", "answer", id(&run), "plan", "red"]).exits(0);
    assert_eq!(bench.flowc(&["runs", "resume", id(&run)]).exits(0).out, "\"in red\"\n");
}

#[cfg(unix)]
#[test]
fn runs_are_kept_in_a_database_whose_address_is_a_secret() {
    let Some(server) = crate::store::server::server() else { return };
    let url = server.database();
    let settings = "[runs]\ndatabase = { secret = \"RUNS\" }\n[secrets]\nRUNS = { env = \"RUNS_DATABASE\" }\n";
    let bench = Bench::with("f.flow", "flow f() -> int { step time.sleep(1ms) return 1 }").file("flow.toml", settings);
    let flowc = |args: &[&str]| super::Ended::from(bench.command(args).env("RUNS_DATABASE", &url).output().unwrap());
    flowc(&["run", "f.flow"]).exits(0);
    let listed = flowc(&["runs", "list", "--format", "json"]).exits(0).json();
    assert_eq!((&listed["runs"][0]["flow"], &listed["runs"][0]["status"]), (&"f".into(), &"completed".into()));
    assert!(flowc(&["runs", "show", id(&listed["runs"][0])]).exits(0).out.contains("✓ time.sleep"));
    assert_eq!(bench.flowc(&["runs", "list", "--database", &url, "--format", "json"]).exits(0).json(), listed);
    bench.flowc(&["runs", "list"]).exits(1).says(&["the environment variable `RUNS_DATABASE` is not set"]);
    assert!(!bench.path(".flow").exists(), "it is kept there alone");
}
