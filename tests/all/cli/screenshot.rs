//! `screenshot_and_post` for real: a Chromium, a site on this machine, and a stand-in for Cloudinary.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::{Bench, Ended};
use crate::browser::chromium;
use crate::cloudinary::StandIn;

const FLOW: &str = include_str!("../../../examples/screenshot_and_post.flow");
const PAGE: &str = include_str!("../../../examples/site/articles/tide-mills.html");

/// A site of one article, `/never` which does not answer, and `/missing`.
async fn site() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new()
        .route("/", axum::routing::get(|| async { axum::response::Html(PAGE) }))
        .route("/never", axum::routing::get(std::future::pending::<()>));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A project whose pictures go to the stand-in, and whose temporary files are its own.
fn bench(stand_in: &StandIn) -> Bench {
    let settings = format!("[artifacts.cloudinary]\n{}\n[secrets]\nAPI = {{ file = \"api\" }}\n", stand_in.account());
    let bench = Bench::with("flow.toml", &settings).file("api", "a-b-c-d\n").file("tmp/keep", "");
    bench.file("screenshot_and_post.flow", FLOW)
}

fn command(bench: &Bench, url: &str) -> std::process::Command {
    let mut command = bench.command(&[
        "run",
        "screenshot_and_post.flow",
        "--url",
        url,
        "--full-page",
        "--allow-private",
        "--format=json",
    ]);
    command.env("TMPDIR", bench.path("tmp")).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn run(bench: &Bench, url: &str) -> Ended {
    let mut command = command(bench, url);
    Ended::from(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
}

/// How many processes have to do with a folder.
fn living(folder: &Path) -> usize {
    let folder = folder.to_str().unwrap();
    let names = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name() != "self")
        .map(names)
        .filter(|it| String::from_utf8_lossy(it).contains(folder))
        .count()
}

/// Waits until that many processes have to do with the bench's temporary files.
async fn settled(bench: &Bench, wanted: impl Fn(usize) -> bool) {
    let began = Instant::now();
    while !wanted(living(&bench.path("tmp/flow-browser-"))) {
        assert!(began.elapsed() < Duration::from_secs(10), "{} processes", living(&bench.path("tmp/flow-browser-")));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_photographed_and_posted() {
    let (Some(_), site, stand_in) = (chromium(), site().await, StandIn::start().await) else { return };
    let bench = bench(&stand_in);
    let ended = run(&bench, &format!("{site}/")).await;
    assert_eq!(ended.status, 0, "{}", ended.err);
    let shot: Json = serde_json::from_str(&ended.out).unwrap();
    let [upload] = stand_in.uploads().try_into().expect("one upload");
    let size = imagesize::blob_size(&upload.file).unwrap();
    assert!(size.width == 1280 && size.height > 800, "{size:?}");
    assert_eq!((shot["width"].as_u64(), shot["height"].as_u64()), (Some(1280), Some(size.height as u64)));
    assert!(shot["url"].as_str().unwrap().starts_with(&format!("http://{}/", stand_in.address)), "{shot}");
    assert!(shot["message"].as_str().unwrap().contains("Screenshot of"), "{shot}");
    settled(&bench, |living| living == 0).await;
    let left: Vec<_> = std::fs::read_dir(bench.path("tmp")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["keep"]);
    // Where the upload fails, the picture is on this machine, and the run says so.
    stand_in.fail(401, &[], r#"{"error":{"message":"Invalid Signature"}}"#);
    let mut told = command(&bench, &format!("{site}/"));
    told.arg("--events=ndjson");
    let told = Ended::from(tokio::task::spawn_blocking(move || told.output().unwrap()).await.unwrap());
    assert_eq!(told.status, 0, "{}", told.err);
    assert!(told.out.contains("cloudinary answered 401: Invalid Signature"), "{}", told.out);
    assert!(told.out.contains(r#""url":"file:///"#) && !told.out.contains("iVBORw0KGgo"), "{}", told.out);
    // An error page is not photographed.
    let ended = run(&bench, &format!("{site}/missing")).await;
    assert_eq!(ended.status, 1);
    assert!(ended.err.contains("answered 404"), "{}", ended.err);
    assert_eq!(stand_in.uploads().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_a_run_that_is_ended() {
    let (Some(_), site, stand_in) = (chromium(), site().await, StandIn::start().await) else { return };
    for signal in ["-INT", "-KILL"] {
        let bench = bench(&stand_in);
        let mut child = command(&bench, &format!("{site}/never")).spawn().unwrap();
        settled(&bench, |living| living > 3).await;
        let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        settled(&bench, |living| living == 0).await;
    }
}
