//! Uploads to Cloudinary, against a server on this machine that checks signatures as Cloudinary does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use flowc::project::{EngineOptions, Project};
use flowc::run::{Engine, Run, ToolError, tool};
use flowc::source::SourceFile;
use flowc::types::Type;
use flowc::value::{ErrorKind, Value};
use serde_json::json;
use sha1::{Digest, Sha1};
use tokio::net::TcpListener;

const PNG: &[u8] = include_bytes!("../../examples/site/images/courier.png");
const SECRET: &str = "a-b-c-d";

/// A stand-in for Cloudinary: answers uploads that are signed rightly, and fails before that as often as it is told to.
#[derive(Clone)]
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    uploads: Mutex<Vec<Upload>>,
    failures: Mutex<Vec<Response>>,
}

/// An upload as it came.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) path: String,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) file: Vec<u8>,
    /// The head of the file's part.
    pub(crate) head: String,
}

impl StandIn {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(answer).with_state((address, Arc::clone(&shared)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    /// Answers the next upload with this.
    pub(crate) fn fail(&self, status: u16, headers: &[(&'static str, &'static str)], body: &'static str) {
        let mut response = (StatusCode::from_u16(status).expect("a status"), body).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        self.shared.failures.lock().unwrap().push(response);
    }

    pub(crate) fn uploads(&self) -> Vec<Upload> {
        self.shared.uploads.lock().unwrap().clone()
    }

    /// The table of an account here.
    pub(crate) fn account(&self) -> String {
        format!("cloud = \"demo\"\nkey = \"1234\"\nsecret = \"API\"\nbase_url = \"http://{}\"\n", self.address)
    }
}

async fn answer(
    State((address, shared)): State<(SocketAddr, Arc<Shared>)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let next = shared.failures.lock().unwrap().pop();
    if let Some(response) = next {
        return response;
    }
    let content_type = headers["content-type"].to_str().expect("text");
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").expect("a form");
    let upload = parts(&body, boundary, uri.path());
    let refused = |status: u16, why: &str| {
        let body = json!({ "error": { "message": why } }).to_string();
        (StatusCode::from_u16(status).expect("a status"), body).into_response()
    };
    let signed: Vec<_> = upload
        .fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "signature" | "api_key"))
        .map(|(name, value)| format!("{name}={}", value.replace('&', "%26")))
        .collect();
    let digest = Sha1::digest(format!("{}{SECRET}", signed.join("&")));
    let expected = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    if upload.fields.get("signature") != Some(&expected) || upload.fields["api_key"] != "1234" {
        return refused(401, "Invalid Signature. String to sign - '…'.");
    }
    let fields = &upload.fields;
    let folder = fields.get("folder").map(|folder| format!("{folder}/")).unwrap_or_default();
    let public_id = format!("{folder}{}", fields["public_id"]);
    let size = (upload.file.starts_with(b"\x89PNG")).then(|| imagesize::blob_size(&upload.file).expect("a picture"));
    let answer = json!({
        "asset_id": "3515c6000a548515f1134043f9785c2f",
        "public_id": public_id,
        "version": 1_719_304_891,
        "width": size.map(|size| size.width),
        "height": size.map(|size| size.height),
        "format": size.map(|_| "png"),
        "resource_type": if size.is_some() { "image" } else { "raw" },
        "created_at": "2026-11-22T10:00:00Z",
        "tags": fields.get("tags").map(|tags| tags.split(',').collect::<Vec<_>>()).unwrap_or_default(),
        "bytes": upload.file.len(),
        "url": format!("http://{address}/demo/image/upload/v1719304891/{public_id}.png"),
        "secure_url": format!("http://{address}/demo/image/upload/v1719304891/{public_id}.png"),
    });
    shared.uploads.lock().unwrap().push(upload);
    answer.to_string().into_response()
}

/// The parts of a form (RFC 7578).
fn parts(body: &[u8], boundary: &str, path: &str) -> Upload {
    let mut upload = Upload { path: path.to_owned(), fields: BTreeMap::new(), file: Vec::new(), head: String::new() };
    let find = |from: usize, what: &[u8]| {
        body[from..].windows(what.len()).position(|at| at == what).map(|at| from + at).expect("a whole form")
    };
    let (open, close) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}"));
    assert!(body.starts_with(open.as_bytes()) && body.ends_with(format!("{close}--\r\n").as_bytes()));
    let mut at = open.len();
    while at < body.len() {
        let data = find(at, b"\r\n\r\n") + 4;
        let end = find(data, close.as_bytes());
        let head = String::from_utf8(body[at..data - 4].to_vec()).expect("text");
        let name = head.split("name=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a name").to_owned();
        if name == "file" {
            (upload.file, upload.head) = (body[data..end].to_vec(), head);
        } else {
            upload.fields.insert(name, String::from_utf8(body[data..end].to_vec()).expect("text"));
        }
        at = end + close.len() + 2;
        if body[..at].ends_with(b"--") {
            break;
        }
    }
    upload
}

/// An engine of a project with this `flow.toml`, whose tool `shop.photo` gives a picture as base64.
fn engine(folder: &tempfile::TempDir, settings: &str) -> Engine {
    std::fs::write(folder.path().join("api"), SECRET).expect("a secret");
    let settings = format!("{settings}\n[secrets]\nAPI = {{ file = \"api\" }}\n");
    std::fs::write(folder.path().join("flow.toml"), settings).expect("settings");
    let photo = tool("shop.photo", "Gives a picture.", |_: BTreeMap<String, String>| async {
        use base64::Engine as _;
        Ok::<_, ToolError>(json!({ "shot": base64::prelude::BASE64_STANDARD.encode(PNG) }))
    });
    let project = Project::load(folder.path()).expect("a project");
    project.engine_builder(EngineOptions::default()).tool(photo).build().expect("an engine")
}

fn start(engine: &Engine, body: &str) -> Run {
    let source = SourceFile::new("a.flow", format!("flow main() {{\n{body}\n}}\n"));
    let program = engine.compile(source).unwrap_or_else(|found| panic!("{:?}", found.list));
    engine.start(&program, "main", json!({})).expect("started")
}

const PHOTO: &str = "    step a = shop.photo()\n    return (a as json).shot\n";

async fn photo(stand_in: &StandIn) -> (Value, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(&folder, &format!("[artifacts.cloudinary]\nfolder = \"flow & co\"\n{}", stand_in.account()));
    let run = start(&engine, PHOTO);
    let value = run.value().await.expect("a handle");
    assert!(value.matches(&Type::Image), "{value:?}");
    let events = run.recorded().iter().map(|event| serde_json::to_string(&**event).expect("JSON")).collect();
    (value, events)
}

#[tokio::test]
async fn pictures_are_uploaded_under_their_hash_and_signed() {
    let stand_in = StandIn::start().await;
    let (value, events) = photo(&stand_in).await;
    let [upload] = stand_in.uploads().try_into().expect("one upload");
    assert_eq!(upload.path, "/v1_1/demo/image/upload");
    assert_eq!(upload.file, PNG);
    let id = &upload.fields["public_id"];
    assert_eq!(id.len(), 64);
    assert!(upload.head.ends_with(&format!("filename=\"{id}.png\"\r\nContent-Type: image/png")), "{}", upload.head);
    assert_eq!(upload.fields["folder"], "flow & co");
    assert_eq!(upload.fields["overwrite"], "0");
    assert!(!upload.fields.values().any(|value| value.contains(SECRET)));
    let url = value.get("url").and_then(Value::as_str).expect("an address");
    assert!(url.starts_with(&format!("http://{}/demo/image/upload/", stand_in.address)), "{url}");
    assert!(!events.contains("warning") && !events.contains(SECRET), "{events}");
}

#[tokio::test]
async fn an_upload_that_fails_leaves_the_picture_here_and_says_so() {
    let stand_in = StandIn::start().await;
    for _ in 0..3 {
        stand_in.fail(503, &[("retry-after", "0")], "resting");
    }
    let (value, events) = photo(&stand_in).await;
    assert!(value.get("url").and_then(Value::as_str).is_some_and(|url| url.starts_with("file:///")), "{value:?}");
    assert!(events.contains("the upload failed, so the artifact is kept on this machine only"), "{events}");
    assert!(stand_in.uploads().is_empty());
    // A wrong signature is not tried again.
    stand_in.fail(401, &[], r#"{"error":{"message":"Invalid Signature"}}"#);
    let (_, events) = photo(&stand_in).await;
    assert!(events.contains("cloudinary answered 401: Invalid Signature"), "{events}");
}

#[tokio::test]
async fn an_upload_that_is_put_off_is_tried_again() {
    let stand_in = StandIn::start().await;
    stand_in.fail(500, &[("retry-after", "0")], "{}");
    stand_in.fail(429, &[("retry-after", "0")], r#"{"error":{"message":"Rate Limit Exceeded"}}"#);
    let (value, _) = photo(&stand_in).await;
    assert!(value.get("url").and_then(Value::as_str).is_some_and(|url| url.starts_with("http://")), "{value:?}");
    assert_eq!(stand_in.uploads().len(), 1);
}

#[tokio::test]
async fn the_tool_uploads_artifacts_and_addresses() {
    let stand_in = StandIn::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(&folder, &format!("[provide.cloudinary]\n{}", stand_in.account()));
    let body = "    step a = shop.photo()\n    let shot = (a as json).shot\n    step b = cloudinary.upload((shot as image), folder: \
                \"f\", public_id: \"kettle\", tags: [\"a\", \"b\"])\n    step c = \
                cloudinary.upload(\"https://example.com/a.png\")\n    return { b, c: c.public_id }\n";
    let value = start(&engine, body).value().await.expect("a value");
    let asset = value.get("b").expect("an asset");
    assert_eq!(asset.get("public_id"), Some(&"f/kettle".into()));
    assert_eq!(asset.get("mime_type"), Some(&"image/png".into()));
    assert_eq!(asset.get("size"), Some(&Value::Int(PNG.len() as i64)));
    assert!(asset.get("width").and_then(Value::as_int).is_some_and(|width| width > 1));
    let [first, second] = stand_in.uploads().try_into().expect("two uploads");
    assert_eq!((first.file.as_slice(), first.fields["tags"].as_str()), (PNG, "a,b"));
    assert_eq!(
        (second.file.as_slice(), second.path.as_str()),
        (&b"https://example.com/a.png"[..], "/v1_1/demo/auto/upload")
    );
    assert_eq!(value.get("c"), Some(&second.fields["public_id"].as_str().into()));
    assert_eq!(second.fields["public_id"].len(), 32);
}

#[tokio::test]
async fn what_the_tool_is_told_is_told_on() {
    let stand_in = StandIn::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let engine = engine(&folder, &format!("[provide.cloudinary]\nretry = 0\n{}", stand_in.account()));
    let fails = async |source: &str| {
        let body = format!("    step b = cloudinary.upload({source})\n    return b\n");
        start(&engine, &body).value().await.expect_err("it fails")
    };
    let source = "\"https://example.com/a.png\"";
    for (status, body, kind, message) in [
        (
            400,
            r#"{"error":{"message":"Invalid image file"}}"#,
            ErrorKind::Tool,
            "cloudinary answered 400: Invalid image file",
        ),
        (429, "", ErrorKind::RateLimit, "429 too many requests"),
        (420, r#"{"error":{"message":"slowly"}}"#, ErrorKind::RateLimit, "cloudinary answered 420: slowly"),
        (200, "{\"public_id\":", ErrorKind::Invalid, "is no asset"),
        (200, "<html>", ErrorKind::Invalid, "is no asset"),
    ] {
        stand_in.fail(status, &[], body);
        let error = fails(source).await;
        assert_eq!(error.kind, kind, "{}", error.message);
        assert!(error.message.contains(message), "{}", error.message);
    }
    let name = "0".repeat(64);
    let error = fails(&format!("\"file:///tmp/{name}.png\".to_url() ?? \"https://no.example\"")).await;
    assert!(error.message.contains("no artifact of this store"), "{}", error.message);
}
