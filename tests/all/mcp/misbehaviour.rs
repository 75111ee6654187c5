//! What a server does wrong is an error of a kind, in time, in little memory, and leaves nothing behind.

use std::process::Stdio;
use std::time::{Duration, Instant};

use flowc::run::NoSecrets;
use flowc::tools::listed::Remote;
use flowc::tools::mcp::McpServer;
use flowc::value::ErrorKind;
use serde_json::json;

use super::misbehaving::{MODE, command};
use super::{call, lives, project, server, stdio};

fn misbehaving(mode: &str) -> McpServer {
    server(stdio(command(), &[(MODE, mode)]))
}

#[tokio::test]
async fn one_that_dies_mid_call_is_told_and_started_again() {
    let server = misbehaving("yes");
    let error = call(&server, "die", json!({})).await.expect_err("it died");
    assert_eq!((error.kind, error.retryable, error.undelivered), (ErrorKind::Network, true, false), "{error}");
    assert!(error.message.contains("exit status: 7") && error.message.contains("out of cheese"), "{error}");
    assert_eq!(call(&server, "fine", json!({})).await.expect("it lives again"), "fine");
    server.close().await;
}

#[tokio::test]
async fn one_that_does_not_start_says_why() {
    let error = misbehaving("refuses to start").list(&NoSecrets).await.expect_err("no server");
    assert_eq!((error.kind, error.undelivered), (ErrorKind::Network, true), "{error}");
    assert!(error.message.contains("exit status: 3"), "{error}");
    assert!(error.message.contains("the configuration is missing"), "{error}");
    let error = server(stdio(vec!["no-such-program".into()], &[])).list(&NoSecrets).await.expect_err("no program");
    assert!(error.message.contains("`no-such-program` cannot be started"), "{error}");
    let error = misbehaving("speaks the future").list(&NoSecrets).await.expect_err("another protocol");
    assert!(error.message.contains("2031-01-01"), "{error}");
}

#[tokio::test]
async fn noise_is_passed_over() {
    let server = misbehaving("yes");
    assert_eq!(call(&server, "garbage", json!({})).await.expect("the answer"), "after all that");
    let error = call(&server, "else", json!({})).await.expect_err("no result");
    assert_eq!(error.kind, ErrorKind::Tool, "{error}");
    server.close().await;
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_there() {
    let server = misbehaving("yes");
    let silent = tokio::time::timeout(Duration::from_millis(500), call(&server, "silent", json!({}))).await;
    assert!(silent.is_err(), "{silent:?}");
    let cancelled = call(&server, "cancelled", json!({})).await.expect("a list");
    assert_eq!(cancelled.as_array().map(Vec::len), Some(1), "{cancelled}");
    server.close().await;
}

#[tokio::test]
async fn nothing_that_it_started_outlives_it() {
    let server = misbehaving("stays when its input ends");
    let pids = call(&server, "breed", json!({})).await.expect("process ids");
    let pids: Vec<u64> = pids.as_array().expect("a list").iter().filter_map(serde_json::Value::as_u64).collect();
    assert!(pids.len() == 2 && pids.iter().all(|pid| lives(*pid)), "{pids:?}");
    server.close().await;
    assert!(pids.iter().all(|pid| !lives(*pid)), "{pids:?}");
    // Nobody closes this one.
    let server = misbehaving("yes");
    let pids = call(&server, "breed", json!({})).await.expect("process ids");
    drop(server);
    let began = Instant::now();
    while pids.as_array().expect("a list").iter().filter_map(serde_json::Value::as_u64).any(lives) {
        assert!(began.elapsed() < Duration::from_secs(20), "{pids}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The largest memory that the binary had, in KiB, while it called a tool, and what it wrote to its standard error.
#[cfg(all(feature = "cli", target_os = "linux"))]
fn peak(folder: &std::path::Path, tool: &str) -> (u64, String) {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_flowc"))
        .args(["tools", "call", tool])
        .current_dir(folder)
        // The server is libtest, which talks besides; the log would tell of it.
        .env("FLOW_LOG", "off")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut peak = 0;
    while child.try_wait().expect("a status").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
        peak = kib.unwrap_or(peak).max(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("its output");
    (peak, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(all(feature = "cli", target_os = "linux"))]
#[tokio::test]
async fn a_line_of_a_gigabyte_is_not_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = format!(
        "[provide.bad]\nmcp = {{ command = {}, env = {{ {MODE} = \"yes\" }} }}\nretry = 0\n",
        serde_json::to_string(&command()).expect("JSON")
    );
    let project = project(&folder, &settings);
    std::fs::write(project.lock_file(), project.sync().await.lock.text()).expect("the lock file");
    project.close().await;
    let (usual, said) = peak(folder.path(), "bad.fine");
    assert!(said.is_empty(), "{said}");
    let (huge, said) = peak(folder.path(), "bad.huge");
    assert!(said.contains("the answer is larger than 8388608 bytes"), "{said}");
    println!("{usual} KiB for a small answer, {huge} KiB for one of a gigabyte");
    assert!(huge < usual + (32 << 10), "{usual} KiB, then {huge} KiB");
}
