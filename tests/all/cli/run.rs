//! `flowc run`: input, results, failures, events, Ctrl-C.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Bench, DOUBLE};

#[test]
fn flags_come_from_the_parameters() {
    let bench = Bench::with("double.flow", DOUBLE);
    let run = bench.flowc(&["run", "double.flow", "--n", "21", "--labels", "a,b", "--label", "c", "--loud"]).exits(0);
    assert_eq!(run.json(), serde_json::json!({ "n": 42, "labels": ["a", "b", "c"], "loud": true }));
    let run = bench.flowc(&["run", "double.flow", "double", "--n=-1", "--labels", r#"["x, y"]"#, "--no-loud"]).exits(0);
    assert_eq!(run.json(), serde_json::json!({ "n": -2, "labels": ["x, y"], "loud": false }));
    let run = bench.flowc(&["run", "--format", "json", "double.flow", "--param", "n=1"]).exits(0);
    assert_eq!(run.out, "{\"n\":2,\"labels\":[],\"loud\":false}\n");
}

#[test]
fn input_comes_from_a_file_or_a_pipe_and_flags_win() {
    let bench = Bench::with("double.flow", DOUBLE).file("in.json", r#"{ "n": 1, "labels": ["x"] }"#);
    let run = bench.flowc(&["run", "double.flow", "--input", "in.json", "--n", "5"]).exits(0);
    assert_eq!(run.json()["n"], 10);
    assert_eq!(run.json()["labels"], serde_json::json!(["x"]));
    let run = bench.fed(&["run", "double.flow", "--input", "-"], r#"{ "n": 3 }"#).exits(0);
    assert_eq!(run.json()["n"], 6);
    bench.fed(&["run", "double.flow", "--input", "-"], "[1]").exits(2).says(&["must be a JSON object, found a list"]);
    bench.flowc(&["run", "double.flow", "--input", "no.json"]).exits(2).says(&["`no.json` cannot be read"]);
}

#[test]
fn input_that_does_not_fit_exits_with_2_and_names_each_field() {
    let bench = Bench::with("double.flow", DOUBLE);
    bench.flowc(&["run", "double.flow"]).exits(2).says(&["the input does not fit `double`", "`n`:", "--help"]);
    bench
        .flowc(&["run", "double.flow", "--n", "many", "--loud=maybe"])
        .exits(2)
        .says(&["`n`: expected int, found `many`", "`loud`: expected bool, found `maybe`"]);
    let wrong = r#"{ "n": "x", "labels": [1], "extra": 2 }"#;
    bench.fed(&["run", "double.flow", "--input", "-"], wrong).exits(2).says(&["`n`:", "`labels`:", "`extra`:"]);
    bench.flowc(&["run", "double.flow", "--m", "1"]).exits(2).says(&["--m"]);
}

#[test]
fn help_lists_the_parameters() {
    let bench = Bench::with("double.flow", DOUBLE);
    let help = bench.flowc(&["run", "double.flow", "--help"]).exits(0).out;
    for text in
        ["Doubles a number", "--n <INT>", "The number", "required", "list<string>", "default []", "--loud", "--events"]
    {
        assert!(help.contains(text), "`{text}` is not in:\n{help}");
    }
    let help = bench.flowc(&["run", "--help"]).exits(0).out;
    assert!(help.contains("--allow-private"), "{help}");
    bench.flowc(&["run"]).exits(2);
}

#[test]
fn which_flow_is_run() {
    let two = "flow one() -> int {\n    return 1\n}\nflow two() -> int {\n    return 2\n}\n";
    let bench = Bench::with("two.flow", two).file("other.flow", two);
    assert_eq!(bench.flowc(&["run", "two.flow"]).exits(0).out, "2\n");
    assert_eq!(bench.flowc(&["run", "other.flow", "one"]).exits(0).out, "1\n");
    bench.flowc(&["run", "other.flow"]).exits(2).says(&["several flows", "`one`, `two`"]);
    bench.flowc(&["run", "other.flow", "oen"]).exits(2).says(&["no flow `oen`", "did you mean `one`?"]);
    let bench = Bench::with("x.flow", &format!("{two}flow main() -> string {{\n    return \"m\"\n}}\n"));
    assert_eq!(bench.flowc(&["run", "x.flow"]).exits(0).out, "\"m\"\n");
    assert_eq!(bench.flowc(&["run", "x.flow", "--format", "text"]).exits(0).out, "m\n");
    assert_eq!(bench.fed(&["run", "-"], "flow f() -> int { return 3 }").exits(0).out, "3\n");
}

#[test]
fn a_program_with_errors_does_not_run() {
    let bench = Bench::with("f.flow", "flow f() -> int {\n    return x\n}\n");
    bench.flowc(&["run", "f.flow"]).exits(1).says(&["E0201", "1 error"]);
    bench.flowc(&["run", "none.flow"]).exits(2);
}

#[test]
fn progress_goes_to_standard_error_line_by_line() {
    let flow = "flow f(items: list<int>) -> list<int> {
    step all \"Do all\" = parallel for item in items {
        step wait = time.sleep(1ms)
        yield item * 2
    }
    emit { done: all.length }
    return all
}
";
    let bench = Bench::with("f.flow", flow);
    let run = bench.flowc(&["run", "f.flow", "--items", "1,2"]).exits(0);
    assert_eq!(run.json(), serde_json::json!([2, 4]));
    run.says(&["started    all (Do all), 2 items", "completed  all[1].wait", "emitted    ", "f completed in"]);
}

#[test]
fn events_are_ndjson_and_end_with_the_output() {
    let bench = Bench::with("f.flow", "flow f() -> int {\n    step wait = time.sleep(1ms)\n    return 1\n}\n");
    let run = bench.flowc(&["run", "f.flow", "--events", "ndjson"]).exits(0);
    let events: Vec<serde_json::Value> = run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["run.started", "step.started", "step.completed", "run.completed"]);
    let numbers: Vec<u64> = events.iter().map(|event| event["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(events.last().unwrap()["output"], 1);
}

#[test]
fn a_failure_names_the_step_and_points_into_the_source() {
    let flow = "flow f(n: int) -> int {
    step outer = do {
        step inner = time.sleep(1ms)
        if n > 1 {
            fail \"{{n}} is too much\" details { n }
        }
        yield n
    }
    return outer
}
";
    let bench = Bench::with("f.flow", flow);
    assert_eq!(bench.flowc(&["run", "f.flow", "--n", "1"]).exits(0).out, "1\n");
    let failed = bench.flowc(&["run", "f.flow", "--n", "2"]).exits(1);
    assert_eq!(failed.out, "");
    failed.says(&["2 is too much", "kind      failed", "f.flow:5:13", "fail \"{{n}} is too much\""]);
    let json = bench.flowc(&["run", "f.flow", "--n", "2", "--format", "json"]).exits(1);
    let line = json.err.lines().last().unwrap();
    let error: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(error["error"]["kind"], "failed");
}

#[test]
fn a_tool_that_nothing_provides_says_how_to_configure_it() {
    let flow = "flow f() -> string {\n    step text = llm.complete(prompt: \"hi\")\n    return text\n}\n";
    let bench = Bench::with("f.flow", flow);
    bench.flowc(&["run", "f.flow"]).exits(1).says(&["denied", "flow.toml", "step `text`"]);
}

#[test]
fn private_addresses_are_refused_unless_allowed() {
    let flow = "flow f(u: url) -> int {\n    step page = http.get(u) retry 0\n    return page.status\n}\n";
    let bench = Bench::with("f.flow", flow);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
        }
    });
    bench.flowc(&["run", "f.flow", "--u", &address]).exits(1).says(&["denied"]);
    assert_eq!(bench.flowc(&["run", "f.flow", "--u", &address, "--allow-private"]).exits(0).out, "200\n");
}

const PATIENT: &str = "flow f() -> string {
    step booked = log.write(\"booked\") undo log.write(\"unbooked\")
    try {
        step wait = time.sleep(60s)
    } finally {
        step tidy = log.write(\"tidied\")
    }
    return \"done\"
}
";

#[cfg(unix)]
#[test]
fn the_first_interrupt_undoes_and_ends_with_130() {
    let bench = Bench::with("f.flow", PATIENT);
    let start = Instant::now();
    let mut command = bench.command(&["run", "f.flow", "--events", "ndjson"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut events: Vec<serde_json::Value> = Vec::new();
    for line in lines.by_ref() {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        let waits = event["event"] == "step.started" && event["path"] == "wait";
        events.push(event);
        if waits {
            break;
        }
    }
    interrupt(child.id());
    events.extend(lines.map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap()));
    assert_eq!(child.wait().unwrap().code(), Some(130), "{events:#?}");
    let said: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["event"].as_str().unwrap(), event["path"].as_str().unwrap_or_default()))
        .collect();
    for text in ["step.cancelled wait", "step.completed tidy", "step.completed booked~undo", "run.cancelled "] {
        assert!(said.iter().any(|event| event == text), "`{text}` is not in {said:#?}");
    }
    assert!(start.elapsed() < Duration::from_secs(30), "the wait was cut short");
}

#[cfg(unix)]
#[test]
fn the_second_interrupt_ends_at_once() {
    let flow = PATIENT.replace("step tidy = log.write(\"tidied\")", "step tidy = time.sleep(60s)");
    let bench = Bench::with("f.flow", &flow);
    let mut command = bench.command(&["run", "f.flow", "--events", "ndjson"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let started = |path: &str| {
        let path = format!("\"path\":\"{path}\"");
        move |line: &String| line.contains("step.started") && line.contains(&path)
    };
    assert!(lines.by_ref().any(|line| started("wait")(&line)));
    interrupt(child.id());
    assert!(lines.by_ref().any(|line| started("tidy")(&line)));
    interrupt(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[cfg(unix)]
fn interrupt(process: u32) {
    assert!(std::process::Command::new("kill").args(["-INT", &process.to_string()]).status().unwrap().success());
}

#[test]
fn questions_without_a_terminal_fail_and_say_how_they_are_answered() {
    let flow = "flow f() -> bool { step sure = human.approve(\"Delete all?\") return sure }\n\
                flow s() -> int { step n = signal.wait(\"paid\", into: int) else 7 return n }\n";
    let bench = Bench::with("f.flow", flow);
    let nobody = "nobody is here to answer: `flowc run` asks on a terminal";
    bench.flowc(&["run", "f.flow", "f"]).exits(1).says(&[nobody, "(the step waits for approval: Delete all?)"]);
    let ended = bench.flowc(&["run", "f.flow", "s"]).exits(0).says(&["failed     n in"]);
    assert_eq!(ended.out.trim(), "7");
}
