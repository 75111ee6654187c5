//! The binary killed (`kill -9`) at any moment, again and again, over SQLite: nothing that completed is called again,
//! and the run comes to what one that nobody killed comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;

use super::Bench;

/// Every form at once: `PORT` is the server's.
const FLOW: &str = r#"
flow all() -> list<string> {
    step pages = parallel for name in ["a", "b", "c", "d", "e", "f"] limit 3 {
        step first = http.get("http://127.0.0.1:PORT/first/{{name}}") retry 2 backoff 1ms..5ms
        step second = http.get("http://127.0.0.1:PORT/second/{{name}}?after={{first.status}}")
        yield second.text
    }
    step both = parallel {
        step left = http.get("http://127.0.0.1:PORT/left")
        step right = do {
            step inner = http.get("http://127.0.0.1:PORT/right")
            yield inner.text
        }
    }
    step polled = repeat max 4 every 20ms {
        step look = http.get("http://127.0.0.1:PORT/poll")
        if look.text == "4" { yield look.text }
    }
    step quick = race {
        step fast = http.get("http://127.0.0.1:PORT/fast")
        step slow = http.get("http://127.0.0.1:PORT/slow/30000")
    }
    step last = try http.get("http://127.0.0.1:PORT/last") catch { yield null }
    return [...pages, both.left.text, both.right, polled, quick.text, last?.text ?? "none"]
}
"#;

/// A server that answers with how often the path was asked for, and takes a few milliseconds for it.
pub(super) struct Server {
    pub(super) port: u16,
    asked: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
        let counts = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = Arc::clone(&counts);
                std::thread::spawn(move || answer(stream, &counts));
            }
        });
        Self { port, asked }
    }

    pub(super) fn asked(&self) -> BTreeMap<String, u32> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }
}

fn answer(mut stream: TcpStream, counts: &Mutex<BTreeMap<String, u32>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    while let Some(Ok(request)) = lines.next() {
        while !lines.next()?.ok()?.is_empty() {}
        let path = request.split(' ').nth(1)?.to_owned();
        let count = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(path.clone()).or_default();
            *count += 1;
            *count
        };
        let slow = path.strip_prefix("/slow/").and_then(|millis| millis.parse().ok());
        std::thread::sleep(Duration::from_millis(slow.unwrap_or(8)));
        // What is polled comes to its end after four questions; all else always answers the same.
        let body = if path == "/poll" { count.min(4).to_string() } else { path };
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\ncontent-type: text/plain\r\n\r\n{body}", body.len())
            .ok()?;
    }
    Some(())
}

/// The labels of the attempts that completed, by what is kept.
fn completed(bench: &Bench, run: &str) -> BTreeSet<String> {
    let kept = bench.flowc(&["runs", "export", run]).exits(0).json();
    let events = kept["events"].as_array().unwrap();
    let ends = events.iter().filter(|event| event["event"] == "step.completed");
    ends.map(|event| event["path"].as_str().unwrap().to_owned()).collect()
}

/// What the run returned, where it has ended.
fn result(bench: &Bench, run: &str) -> Option<Json> {
    let kept = bench.flowc(&["runs", "export", run]).exits(0).json();
    let last = kept["events"].as_array()?.last()?.clone();
    assert_ne!(last["event"], "run.failed", "{last}");
    (last["event"] == "run.completed").then(|| last["output"].clone())
}

/// The path that a step's request asks for.
fn asks_for(step: &str) -> Option<String> {
    let names = ["a", "b", "c", "d", "e", "f"];
    let (block, inner) = step.split_once('.').unwrap_or((step, ""));
    if let Some(at) = block.strip_prefix("pages[").and_then(|at| at.strip_suffix(']')) {
        let name = names[at.parse::<usize>().ok()?];
        let after = if inner == "second" { "?after=200" } else { "" };
        return Some(format!("/{inner}/{name}{after}"));
    }
    match step {
        "both.left" | "last" | "quick.fast" => Some(format!("/{}", step.rsplit('.').next()?)),
        "both.right.inner" => Some("/right".to_owned()),
        _ => None,
    }
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on() {
    let rounds = 6;
    let mut kills = 0;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..rounds {
        let server = Server::start();
        let settings = "[http]\nallow_private = [\"127.0.0.1\"]\n";
        let script = FLOW.replace("PORT", &server.port.to_string());
        let bench = Bench::with("all.flow", &script).file("flow.toml", settings);
        let mut run: Option<String> = None;
        let mut lives = 0;
        let result = loop {
            lives += 1;
            let show = || run.as_ref().map(|run| bench.flowc(&["runs", "show", run]).out).unwrap_or_default();
            assert!(lives < 100, "round {round}: it comes to no end\n{}", show());
            let args = match &run {
                Some(run) => vec!["runs", "resume", run],
                None => vec!["run", "all.flow", "--format", "json"],
            };
            let known = run.as_ref().map(|run| completed(&bench, run)).unwrap_or_default();
            let before = server.asked();
            let mut child = bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let ended = wait(&mut child, Duration::from_millis(30 + random() % 170));
            if !ended {
                child.kill().unwrap();
                kills += 1;
            }
            let output = child.wait_with_output().unwrap();
            for path in known.iter().filter_map(|step| asks_for(step)) {
                assert_eq!(before.get(&path), server.asked().get(&path), "round {round}: `{path}` was asked for again");
            }
            if ended && output.status.success() {
                break serde_json::from_slice::<Json>(&output.stdout).unwrap();
            }
            run = run.or_else(|| Some(bench.runs(&[]).first()?["id"].as_str()?.to_owned()));
            // It may have been killed between its end and the telling of it.
            if let Some(result) = run.as_ref().and_then(|run| result(&bench, run)) {
                break result;
            }
        };
        let pages = ["a", "b", "c", "d", "e", "f"].map(|name| format!("/second/{name}?after=200"));
        let result: Vec<&str> = result.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        assert_eq!(&result[..6], pages, "round {round}");
        assert_eq!(result[6..8], ["/left", "/right"]);
        assert_eq!(result[9..], ["/fast", "/last"]);
    }
    assert!(kills >= rounds, "{kills} kills");
}

/// Whether the child ended by itself within this time.
fn wait(child: &mut std::process::Child, time: Duration) -> bool {
    let began = std::time::Instant::now();
    while began.elapsed() < time {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

const SECRETS: &str = r#"
flow it() -> string? {
    step good = http.get("http://127.0.0.1:PORT/good", bearer: secrets.TOKEN)
    step bad = try http.get("http://127.0.0.1:1/bad", bearer: secrets.TOKEN) retry 0
    step log.write("{{good.text}} {{bad.error?.message ?? ""}}")
    step worse = http.get("http://127.0.0.1:1/worse", bearer: secrets.TOKEN) retry 0
    return worse.text
}
"#;

/// A secret's value is in nothing that a run leaves behind: not where it is kept, not in what is told, not in errors.
#[test]
fn a_secret_is_nowhere() {
    const CANARY: &str = "canary-7f3a9c51";
    let server = Server::start();
    let script = SECRETS.replace("PORT", &server.port.to_string());
    let settings =
        "[http]\nallow_private = [\"127.0.0.1\"]\n[secrets]\nTOKEN = { env = \"TOKEN\", hosts = [\"127.0.0.1\"] }\n";
    let bench = Bench::with("it.flow", &script).file("flow.toml", settings);
    let mut command = bench.command(&["run", "it.flow", "--events", "ndjson"]);
    let output = command.env("TOKEN", CANARY).env("FLOW_LOG", "trace").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("step.failed") && told.contains("step.completed"), "{told}");
    assert!(!told.contains(CANARY), "{told}");
    let run = bench.runs(&[]).first().unwrap()["id"].as_str().unwrap().to_owned();
    for args in [vec!["runs", "show", &run], vec!["runs", "export", &run]] {
        assert!(!bench.flowc(&args).out.contains(CANARY));
    }
    let kept = std::fs::read_dir(bench.path(".flow")).unwrap().map(|entry| entry.unwrap().path());
    let kept: Vec<_> = kept.filter(|path| path.is_file()).collect();
    assert!(kept.iter().any(|path| path.file_name().is_some_and(|name| name == "runs.db")), "{kept:?}");
    for path in kept {
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!found, "{} has the secret", path.display());
    }
}
