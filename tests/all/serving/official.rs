//! The official conformance suite against `flowc mcp`: all its server scenarios, asked of a project of flows.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// How many there are in the version that is installed.
const SCENARIOS: usize = 32;

fn suite() -> std::path::PathBuf {
    crate::mcp::real::installed().join("node_modules/@modelcontextprotocol/conformance/dist/index.js")
}

/// The names of the suite's server scenarios, as it lists them itself.
async fn scenarios() -> Vec<String> {
    let listed = Command::new("node").arg(suite()).arg("list").output().await.unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let (_, servers) = listed.split_once("Server scenarios").unwrap();
    let (servers, _) = servers.split_once("Client scenarios").unwrap();
    servers.lines().filter_map(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
}

/// A copy of the project: running it leaves files.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to) } else { std::fs::copy(&from, &to).map(drop).unwrap() }
    }
}

#[tokio::test]
#[ignore = "needs tests/servers/install"]
async fn the_official_suite_finds_the_server_conforming() {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp/project"), folder.path());
    let mut server = super::flowc(&folder).args(["--http", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("where it listens");
        match line.split_once(" at http") {
            Some((_, rest)) => break format!("http{rest}"),
            None => println!("{line}"),
        }
    };
    let scenarios = scenarios().await;
    assert_eq!(scenarios.len(), SCENARIOS, "{scenarios:?}");
    let mut unmet = Vec::new();
    for scenario in &scenarios {
        let asked = Command::new("node")
            .arg(suite())
            .args(["server", "--url", &url, "--scenario", scenario])
            .current_dir(folder.path())
            .output();
        let output = tokio::time::timeout(Duration::from_secs(60), asked).await.expect("an answer in time").unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if !(output.status.success() && said.contains(" 0 failed")) {
            unmet.push(format!("== {scenario}\n{said}"));
        }
    }
    server.kill().await.unwrap();
    assert!(unmet.is_empty(), "{} of {SCENARIOS} unmet\n{}", unmet.len(), unmet.join("\n"));
}
