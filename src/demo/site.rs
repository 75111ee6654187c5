//! The site: real pages under `examples/site`, held in the binary, with one page that fails, one that never answers, and
//! one that has moved.

use std::io::Write;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, VARY};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use flate2::Compression;
use flate2::write::GzEncoder;

/// A file of the site.
struct File {
    path: &'static str,
    mime: &'static str,
    /// How long its server takes to think, so that progress can be seen.
    delay_ms: u64,
    body: &'static [u8],
}

macro_rules! files {
    ($($path:literal $mime:literal $delay:literal)*) => {
        &[$(File {
            path: $path,
            mime: $mime,
            delay_ms: $delay,
            body: include_bytes!(concat!("../../examples/site", $path)),
        }),*]
    };
}

const FILES: &[File] = files! {
    "/index.html" "text/html; charset=utf-8" 0
    "/articles/tide-mills.html" "text/html; charset=utf-8" 350
    "/docs/retries.html" "text/html; charset=utf-8" 120
    "/shop/field-kettle.html" "text/html; charset=utf-8" 700
    // As its server of 1998 sends it: the page itself says which characters it uses.
    "/archive/radio.html" "text/html" 950
    "/de/nachtzug.html" "text/html; charset=utf-8" 500
    "/lists/lighthouses.html" "text/html; charset=utf-8" 220
    "/images/tide-mill.svg" "image/svg+xml" 0
    "/images/kettle.svg" "image/svg+xml" 0
    "/images/mug.svg" "image/svg+xml" 0
    "/images/aerial.svg" "image/svg+xml" 0
    "/images/lighthouse.svg" "image/svg+xml" 0
    "/images/courier.png" "image/png" 0
};

/// What the demo reads: six pages of different kinds, a redirect to one of them, a failure and a silence.
const READ: [&str; 8] = [
    "/moved",
    "/docs/retries.html",
    "/shop/field-kettle.html",
    "/archive/radio.html",
    "/de/nachtzug.html",
    "/lists/lighthouses.html",
    "/broken",
    "/slow",
];

/// The pages that the demo compares, failing ones included.
pub(super) fn compared() -> impl Iterator<Item = &'static str> {
    READ.into_iter()
}

/// The site's pages.
pub(super) fn pages() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES
        .iter()
        .filter(|file| file.mime.starts_with("text/html") && file.path != "/index.html")
        .map(|file| (file.path, file.body))
}

/// Answers a request for a page.
pub(super) async fn answer(uri: Uri, headers: HeaderMap) -> Response<Body> {
    match uri.path() {
        "/slow" => {
            tokio::time::sleep(Duration::from_mins(10)).await;
            plain(StatusCode::OK, "At last.")
        }
        "/broken" => plain(StatusCode::INTERNAL_SERVER_ERROR, "The database is on holiday."),
        "/moved" => {
            let mut response = plain(StatusCode::MOVED_PERMANENTLY, "");
            response.headers_mut().insert(LOCATION, axum::http::HeaderValue::from_static("/articles/tide-mills.html"));
            response
        }
        path => {
            let path = if path == "/" { "/index.html" } else { path };
            match FILES.iter().find(|file| file.path == path) {
                Some(file) => {
                    tokio::time::sleep(Duration::from_millis(file.delay_ms)).await;
                    send(file, &headers)
                }
                None => plain(StatusCode::NOT_FOUND, "There is no such page."),
            }
        }
    }
}

/// A file, packed where the reader can unpack it.
fn send(file: &File, headers: &HeaderMap) -> Response<Body> {
    let accepts = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let packed = if accepts.contains("gzip") && file.mime != "image/png" { gzip(file.body).ok() } else { None };
    let mut response = Response::builder().header(CONTENT_TYPE, file.mime).header(VARY, "accept-encoding");
    if packed.is_some() {
        response = response.header(CONTENT_ENCODING, "gzip");
    }
    let body = packed.map_or_else(|| Body::from(file.body), Body::from);
    response.body(body).unwrap_or_default()
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes)?;
    packer.finish()
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}
