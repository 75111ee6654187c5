//! Cloudinary's uploads: pictures are kept in memory, and served where it says they are.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::KEY;
use super::search::json_response;

/// The largest upload that is taken, in bytes.
const LARGEST: usize = 32 << 20;

/// The uploads so far, by public id.
#[derive(Clone)]
pub(super) struct Cloud {
    address: SocketAddr,
    uploads: Arc<Mutex<HashMap<String, Bytes>>>,
}

impl Cloud {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, uploads: Arc::default() }
    }
}

/// `POST /v1_1/{cloud}/{type}/upload`
pub(super) async fn upload(State(cloud): State<Cloud>, request: Request) -> Response<Body> {
    let error = |status, message: &str| json_response(status, &json!({ "error": { "message": message } }));
    let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = kind.split_once("boundary=").map_or(String::new(), |(_, boundary)| format!("--{boundary}"));
    let Ok(body) = to_bytes(request.into_body(), LARGEST).await else {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "File size too large");
    };
    let part = |name: &str| part(&body, boundary.as_bytes(), name);
    let text = |name: &str| part(name).map(|value| String::from_utf8_lossy(&value).into_owned());
    if text("api_key").as_deref() != Some(KEY) || text("signature").is_none_or(|signature| signature.len() < 40) {
        return error(StatusCode::UNAUTHORIZED, "Invalid api_key or signature");
    }
    let Some(file) = part("file") else { return error(StatusCode::BAD_REQUEST, "Missing required parameter - file") };
    let Ok(size) = imagesize::blob_size(&file) else { return error(StatusCode::BAD_REQUEST, "Invalid image file") };
    let name = [text("folder"), text("public_id")].into_iter().flatten().collect::<Vec<_>>().join("/");
    let url = format!("http://{}/demo/image/upload/v1/{name}.png", cloud.address);
    let answer = json!({
        "public_id": name, "version": 1, "signature": "0".repeat(40), "width": size.width, "height": size.height,
        "format": "png", "resource_type": "image", "created_at": "2026-11-22T09:00:00Z", "tags": [], "bytes": file.len(),
        "type": "upload", "etag": "0", "url": url, "secure_url": url, "original_filename": "picture",
    });
    cloud.uploads.lock().unwrap_or_else(PoisonError::into_inner).insert(name, file);
    json_response(StatusCode::OK, &answer)
}

/// `GET /demo/image/upload/v1/{public id}.png`
pub(super) async fn picture(State(cloud): State<Cloud>, Path(name): Path<String>) -> Response<Body> {
    let uploads = cloud.uploads.lock().unwrap_or_else(PoisonError::into_inner);
    match uploads.get(name.trim_end_matches(".png")) {
        Some(picture) => {
            let mut response = Response::new(Body::from(picture.clone()));
            response.headers_mut().insert("content-type", HeaderValue::from_static("image/png"));
            response
        }
        None => json_response(StatusCode::NOT_FOUND, &json!({ "error": { "message": "Resource not found" } })),
    }
}

/// The value of a part of a form (RFC 7578).
fn part(body: &Bytes, boundary: &[u8], name: &str) -> Option<Bytes> {
    let named = format!("name=\"{name}\"");
    let mut from = 0;
    while let Some(start) = find(body, boundary, from) {
        let head_end = find(body, b"\r\n\r\n", start)?;
        let end = find(body, boundary, head_end)?;
        let head = String::from_utf8_lossy(body.get(start..head_end)?).into_owned();
        if head.contains(&named) {
            // The line break before the boundary belongs to it.
            return Some(body.slice(head_end + 4..end.checked_sub(2)?));
        }
        from = end;
    }
    None
}

fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    if wanted.is_empty() {
        return None;
    }
    rest.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}
