//! What the guard costs: 1,000 GETs of a page on this machine, 100 at a time, against plain `reqwest` in the same
//! process. Prints the medians and their ratio; at most 1.3 is what we promise. `cargo bench --bench fetch`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use flowc::tools::http::{AllowPrivate, HttpClient, HttpConfig, Request};
use futures::{StreamExt, stream};
use url::Url;

const REQUESTS: usize = 1_000;
const AT_ONCE: usize = 100;
const ROUNDS: usize = 15;

fn main() {
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = server.block_on(async {
        let page = "<p>some text of a page</p>".repeat(200);
        let router = Router::new().fallback(move || std::future::ready(page.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Url::parse(&format!("http://{address}/")).unwrap()
    });
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = HttpConfig { allow_private: AllowPrivate::All, ..HttpConfig::default() };
    let guarded = Arc::new(HttpClient::new(config));
    let warm = client.block_on(guarded.send(Request::get(url.clone()))).unwrap();
    assert!(warm.status.is_success());
    let plain = reqwest::Client::new();
    // The two take turns, so that what else this machine does strikes both.
    let (mut plainly, mut guardedly) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        plainly.push(client.block_on(timed(|| {
            let request = plain.get(url.clone());
            async move { request.send().await.unwrap().bytes().await.unwrap().len() }
        })));
        guardedly.push(client.block_on(timed(|| {
            let (client, request) = (Arc::clone(&guarded), Request::get(url.clone()));
            async move { client.send(request).await.unwrap().body.len() }
        })));
    }
    let (plainly, guardedly) = (median(plainly), median(guardedly));
    let ratio = guardedly.as_secs_f64() / plainly.as_secs_f64();
    println!("fetch/plain reqwest   {:>8.1} ms", plainly.as_secs_f64() * 1e3);
    println!("fetch/guarded client  {:>8.1} ms   {ratio:.2} x", guardedly.as_secs_f64() * 1e3);
}

async fn timed<F: Future<Output = usize>>(fetch: impl Fn() -> F) -> Duration {
    let began = Instant::now();
    let bytes: usize = stream::iter(0..REQUESTS)
        .map(|_| fetch())
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, bytes| std::future::ready(sum + bytes))
        .await;
    assert!(bytes > REQUESTS);
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
