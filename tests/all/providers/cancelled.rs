//! Fan-outs of tools that start programs, cancelled at any moment: nothing of them is left.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowc::run::{Engine, NoSecrets, Tool};
use flowc::source::SourceFile;
use flowc::tools::Setting;
use flowc::tools::listed::Remote;
use flowc::tools::skill::tools;
use flowc::value::ErrorKind;
use serde_json::json;

use super::skill::skills;
use crate::mcp::misbehaving::MODE;
use crate::mcp::{misbehaving, server, stdio};

/// The variable by which whatever descends from a test's programs is known.
const TOKEN: &str = "FLOW_TEST_TOKEN";

/// What programs do that do not want to be found: each is a program with descendants that ignore what asks them to end, and
/// that leave the group and the session, are orphans, or come one after the other.
const SCRIPTS: [(&str, &str); 4] = [
    ("stubborn", "trap '' INT TERM HUP; sh -c \"trap '' INT TERM HUP; sleep $NAP; sleep $NAP\" & sleep $NAP; wait"),
    (
        "scattered",
        "(setsid sh -c 'sleep $NAP & sleep $NAP' &); (setsid setsid sleep $NAP &) & exec setsid -w sleep $NAP",
    ),
    ("short", "for i in 1 2 3 4; do (setsid sh -c '(sleep $NAP &); exec sleep $NAP' &); done; echo 1"),
    ("nameless", "env -i sh -c \"trap '' INT TERM; setsid sleep $NAP & sleep $NAP\" & sleep $NAP"),
];

/// The processes of this machine.
fn processes() -> BTreeSet<PathBuf> {
    let folders = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    folders.filter(|folder| folder.join("environ").exists()).collect()
}

/// The processes that were not there before and have a token in their environment or their arguments, zombies left out.
fn left(token: &str, before: &BTreeSet<PathBuf>) -> BTreeSet<String> {
    let has = |folder: &Path, file: &str| {
        let text = std::fs::read(folder.join(file)).unwrap_or_default();
        text.windows(token.len()).any(|part| part == token.as_bytes())
    };
    let ours = processes().into_iter().filter(|folder| !before.contains(folder));
    let ours = ours.filter(|folder| has(folder, "environ") || has(folder, "cmdline"));
    ours.map(|folder| {
        let words = std::fs::read_to_string(folder.join("cmdline")).unwrap_or_default();
        format!("{} {}", folder.display(), words.replace('\0', " "))
    })
    .collect()
}

/// Waits until nothing is left; says how long that took.
async fn gone(token: &str, before: &BTreeSet<PathBuf>) -> Duration {
    let began = Instant::now();
    loop {
        let left = left(token, before);
        if left.is_empty() {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(5), "after 5 s there is still {left:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How long each of them sleeps, in seconds: a number that no other process has among its arguments.
fn nap(round: usize) -> String {
    format!("7{}.{round:04}", std::process::id())
}

fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Starts the flow on these tools, cancels it after this time, and waits for its end.
async fn cancelled(tools: Vec<Arc<dyn Tool>>, flow: &str, after: Duration) {
    let engine = Engine::builder().tools(tools).build().unwrap();
    let program = engine.compile(SourceFile::new("it.flow", flow)).unwrap_or_else(|wrong| panic!("{wrong}"));
    let run = engine.start(&program, "it", json!({})).unwrap();
    tokio::time::sleep(after).await;
    run.cancel();
    // One that ended before has nothing left either.
    if let Err(error) = run.value().await {
        assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
    }
}

/// How often: as `FLOW_CANCEL_ROUNDS` says.
fn rounds() -> usize {
    std::env::var("FLOW_CANCEL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_of_skills_leaves_nothing() {
    let scripts = SCRIPTS.map(|(name, script)| (name, "", script));
    let (_folder, config) = skills(&scripts);
    let flow = "flow it() {\n    step all = parallel for name in [\"stubborn\", \"scattered\", \"short\", \"nameless\"] {\n        \
                step one = s.run(name: name)\n    }\n}\n";
    let mut seed = 0x5eed_u64;
    let mut longest = Duration::ZERO;
    let before = processes();
    let rounds = rounds();
    for round in 0..rounds {
        let mut config = config.clone();
        config.env.insert("NAP".into(), Setting::Plain(nap(round)));
        let after = Duration::from_micros(random(&mut seed) % 40_000);
        cancelled(tools("s", config), flow, after).await;
        longest = longest.max(gone(&nap(round), &before).await);
    }
    println!("{rounds} cancelled; the last process was gone after at most {longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_over_servers_leaves_nothing_once_they_are_closed() {
    let mut seed = 0xcafe_u64;
    let rounds = (0..4).map(|round| {
        let after = Duration::from_millis(random(&mut seed) % 400);
        one_round(round, after)
    });
    futures::future::join_all(rounds).await;
}

/// Two servers, one of which does not leave when its input ends; each has started what leaves its group and ignores signals.
async fn one_round(round: usize, after: Duration) {
    let (token, before) = (format!("{TOKEN}={}", nap(round)), processes());
    let open = |mode: &str| server(stdio(misbehaving::command(), &[(MODE, mode), (TOKEN, &nap(round))]));
    let servers = [open("stays when its input ends"), open("yes")];
    let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
    for (server, name) in servers.iter().zip(["a", "b"]) {
        let listed = server.list(&NoSecrets).await.unwrap();
        let wanted = listed.iter().filter(|listed| ["breed", "silent"].contains(&listed.name.as_str()));
        tools.extend(wanted.map(|listed| server.tool(&format!("{name}.{}", listed.name), listed)));
    }
    let flow = "flow it() {\n    step all = parallel {\n        step a = a.breed()\n        step b = b.breed()\n        \
                step c = a.silent()\n        step d = b.silent()\n    }\n}\n";
    cancelled(tools, flow, after).await;
    futures::future::join_all(servers.iter().map(|server| server.close())).await;
    gone(&token, &before).await;
}
