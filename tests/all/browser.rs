//! The browser: a real Chromium against a site on this machine. Without one these tests say so and pass, unless
//! `FLOWC_TEST_CHROMIUM=required`, as `tests/run` has it.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use flowc::project::find_chromium;
use flowc::run::{Artifacts, NoDesk, NoSecrets, Report, Tool, ToolContext, ToolError, Usage};
use flowc::tools::artifacts::LocalArtifacts;
use flowc::tools::browser::{BrowserConfig, tools};
use flowc::tools::http::{AllowPrivate, HttpConfig, Lookup};
use flowc::types::Type;
use flowc::value::{ErrorKind, Value};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::net::TcpListener;

/// Chromium, if the test is to run.
pub(crate) fn chromium() -> Option<PathBuf> {
    let found = find_chromium();
    if found.is_none() {
        assert!(std::env::var("FLOWC_TEST_CHROMIUM").as_deref() != Ok("required"), "Chromium is not installed");
        // Past the harness, which keeps what passing tests print to itself.
        let _ = writeln!(std::io::stderr(), "left out, since Chromium is not installed: a test of the browser");
    }
    found
}

#[derive(Default)]
struct Said(Mutex<Vec<Value>>);

impl Report for Said {
    fn output(&self, value: Value) {
        self.0.lock().unwrap().push(value);
    }
    fn usage(&self, _usage: Usage) {}
}

/// The tools over a browser of their own, and where their pictures are.
struct Browser {
    tools: Vec<Arc<dyn Tool>>,
    store: LocalArtifacts,
    said: Said,
    timeout: Duration,
    folder: tempfile::TempDir,
}

impl Browser {
    /// A browser that may reach 127.0.0.1, and nothing else of this machine.
    fn new(change: impl FnOnce(&mut BrowserConfig)) -> Option<Self> {
        let list = vec!["127.0.0.1".parse().expect("an address")];
        let http = HttpConfig { allow_private: AllowPrivate::Only(list), ..HttpConfig::default() };
        let mut config = BrowserConfig::new(Some(chromium()?), http);
        change(&mut config);
        let folder = tempfile::tempdir().expect("a folder");
        let store = LocalArtifacts::new(folder.path().join("artifacts"));
        Some(Self { tools: tools(config), store, said: Said::default(), timeout: Duration::from_secs(30), folder })
    }

    async fn call(&self, name: &str, args: serde_json::Value) -> Result<Value, ToolError> {
        let tool = self.tools.iter().find(|tool| tool.signature().name == format!("browser.{name}")).expect("a tool");
        let context = ToolContext {
            run: "run",
            path: "page",
            attempt: 1,
            began: jiff::Timestamp::UNIX_EPOCH,
            key: None,
            timeout: Some(self.timeout),
            report: &self.said,
            secrets: &NoSecrets,
            artifacts: &self.store,
            desk: &NoDesk,
        };
        let value = tool.call(Value::from(args), context).await?;
        Ok(value.conform(&tool.signature().result).expect("a result that fits the signature"))
    }

    async fn navigate(&self, url: String) -> Result<Value, ToolError> {
        self.call("navigate", json!({ "url": url })).await
    }

    async fn bytes(&self, handle: &Value) -> Vec<u8> {
        let url = handle.get("url").and_then(Value::as_str).expect("an address");
        self.store.load(url).await.expect("kept").expect("here")
    }
}

/// The site, at 127.0.0.1 and at 127.0.0.2, with what was asked for at the second.
struct Site {
    port: u16,
    private: Arc<AtomicUsize>,
}

impl Site {
    async fn start() -> Self {
        let private = Arc::new(AtomicUsize::new(0));
        loop {
            let first = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = first.local_addr().expect("an address").port();
            let Ok(second) = TcpListener::bind(("127.0.0.2", port)).await else { continue };
            let counted = Arc::clone(&private);
            let site = Router::new().fallback(move |request: Request| answer(request, port));
            let secret = Router::new().fallback(move || async move {
                counted.fetch_add(1, Ordering::SeqCst);
                "secret"
            });
            tokio::spawn(async move { axum::serve(first, site).await });
            tokio::spawn(async move { axum::serve(second, secret).await });
            return Self { port, private };
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

async fn answer(request: Request, port: u16) -> Response<Body> {
    let html = |body: &str| {
        let page = format!("<!doctype html><title>A page</title><body style='margin:0'>{body}");
        Response::builder().header("content-type", "text/html; charset=utf-8").body(Body::from(page)).unwrap()
    };
    let to = |target: String| Response::builder().status(302).header("location", target).body(Body::empty()).unwrap();
    let elsewhere = format!("127.0.0.2:{port}");
    match request.uri().path() {
        "/red" => html("<div style='background:#f00;width:100vw;height:100vh'></div>"),
        "/tall" => html("<div style='background:#00f;height:40000px'></div>"),
        "/page" => html("<div style='height:1500px'>two screens</div>"),
        "/missing" => {
            let mut page = html("not here");
            *page.status_mut() = axum::http::StatusCode::NOT_FOUND;
            page
        }
        "/gone" => Response::builder().status(410).body(Body::empty()).unwrap(),
        "/moved" => to("/red".to_owned()),
        "/leads-on" => html("<script>location.replace('/red')</script>"),
        "/circle" => to("/circle".to_owned()),
        "/again" => html("<script>location.href = '/again?' + Math.random()</script>"),
        "/late" => html("<script>setTimeout(() => document.body.innerHTML = '<p id=late>now</p>', 300)</script>"),
        "/dialogs" => html(
            "<script>onbeforeunload = event => { event.preventDefault(); return 'stay' }; alert('1'); confirm('2'); \
             prompt('3'); document.title = 'past them'</script>",
        ),
        "/download" => Response::builder()
            .header("content-disposition", "attachment; filename=a.bin")
            .header("content-type", "application/octet-stream")
            .body(Body::from("bytes"))
            .unwrap(),
        "/empty" => Response::builder().status(204).body(Body::empty()).unwrap(),
        "/hangs" => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            html("at last")
        }
        "/hangs-in-part" => html("<img src=/hangs>"),
        "/busy" => html("<script>setTimeout(() => { while (true) {} })</script>"),
        "/to-private" => to(format!("http://{elsewhere}/secret")),
        "/asks-private" => html(&format!(
            "<img src='http://{elsewhere}/a.png'><iframe src='http://{elsewhere}/'></iframe><link rel=stylesheet \
             href='http://{elsewhere}/a.css'><script src='http://{elsewhere}/a.js'></script><script>\
             const tries = [fetch('http://{elsewhere}/f', {{ mode: 'no-cors' }}), new Promise((_, no) => {{ const socket = new \
             WebSocket('ws://{elsewhere}/'); socket.onerror = no }}), fetch('http://localhost:{port}/l', {{ mode: \
             'no-cors' }})]; navigator.sendBeacon('http://{elsewhere}/b'); Promise.allSettled(tries).then(all => \
             document.body.innerHTML += `<p id=done class=${{all.map(one => one.status).join('-')}}>`)</script>"
        )),
        "/rebinds" => html(
            "<script>const ask = () => fetch('/f?' + Math.random()).then(() => 'f', () => 'r'); Promise.all([ask(), ask(), \
             ask()]).then(all => document.title = all.join(''))</script>",
        ),
        "/cookie" => {
            let seen = request.headers().contains_key("cookie");
            let mut page = html(if seen { "<p id=seen>" } else { "<p id=fresh>" });
            page.headers_mut().insert("set-cookie", "a=b; Path=/".parse().expect("a header"));
            page
        }
        _ => html("plain"),
    }
}

#[tokio::test]
async fn pages_are_opened_and_told() {
    let (Some(browser), site) = (Browser::new(|_| {}), Site::start().await) else { return };
    let page = browser.navigate(site.url("/page")).await.expect("a page");
    let told = |page: &Value| serde_json::Value::from(page);
    assert_eq!(told(&page), json!({ "url": site.url("/page"), "status": 200, "title": "A page" }));
    let missing = browser.navigate(site.url("/missing")).await.expect("an answer is a value");
    assert_eq!(missing.get("status"), Some(&Value::Int(404)));
    let gone = browser.navigate(site.url("/gone")).await.expect("an answer is a value");
    assert_eq!(told(&gone), json!({ "url": site.url("/gone"), "status": 410, "title": "" }));
    let error = browser.call("screenshot", json!({ "url": site.url("/gone") })).await.expect_err("nothing to see");
    assert!(error.message.ends_with("answered 410 and shows nothing"), "{error}");
    for path in ["/moved", "/leads-on"] {
        let page = browser.navigate(site.url(path)).await.expect("a page");
        assert_eq!(page.get("url"), Some(&site.url("/red").into()), "{path}");
    }
    let past = browser.navigate(site.url("/dialogs")).await.expect("no one has to answer");
    assert_eq!(past.get("title"), Some(&"past them".into()));
    // Each call begins without the cookies of others.
    for _ in 0..2 {
        let args = json!({ "url": site.url("/cookie"), "wait_for": "#fresh" });
        browser.call("navigate", args).await.expect("a fresh context");
    }
    let args = json!({ "url": site.url("/late"), "wait_for": "#late" });
    browser.call("navigate", args).await.expect("it comes later");
    let args = json!({ "url": site.url("/late"), "wait_for": "p[" });
    let error = browser.call("navigate", args).await.expect_err("no selector");
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
}

#[tokio::test]
async fn pictures_and_documents_are_stored() {
    let (Some(browser), site) = (Browser::new(|_| {}), Site::start().await) else { return };
    let shot = browser.call("screenshot", json!({ "url": site.url("/red"), "width": 300, "height": 200 })).await;
    let shot = shot.expect("a picture");
    assert!(shot.matches(&Type::Image), "{shot:?}");
    assert_eq!((shot.get("width"), shot.get("height")), (Some(&Value::Int(300)), Some(&Value::Int(200))));
    assert!(browser.bytes(&shot).await.starts_with(b"\x89PNG"));
    let again = browser.call("screenshot", json!({ "url": site.url("/moved"), "width": 300, "height": 200 })).await;
    assert_eq!(again.expect("a picture"), shot, "the same picture is kept once");
    let whole = json!({ "url": site.url("/page"), "full_page": true, "width": 400, "height": 300 });
    let whole = browser.call("screenshot", whole).await.expect("a picture");
    assert_eq!((whole.get("width"), whole.get("height")), (Some(&Value::Int(400)), Some(&Value::Int(1500))));
    let tall = json!({ "url": site.url("/tall"), "full_page": true, "width": 100, "height": 100 });
    let tall = browser.call("screenshot", tall).await.expect("a picture");
    assert_eq!(tall.get("height"), Some(&Value::Int(16_384)));
    let said = browser.said.0.lock().unwrap().clone();
    let warning = said[0].get("warning").and_then(Value::as_str).expect("a warning").to_owned();
    assert_eq!(warning, "the page has 100 × 40000 pixels, the picture its first 100 × 16384");
    let document =
        browser.call("pdf", json!({ "url": site.url("/page"), "landscape": true })).await.expect("a document");
    assert_eq!(document.get("mime_type"), Some(&"application/pdf".into()));
    assert!(browser.bytes(&document).await.starts_with(b"%PDF-"));
    for width in [0, -1, 10_000] {
        let args = json!({ "url": site.url("/red"), "width": width });
        let error = browser.call("screenshot", args).await.expect_err("no window");
        assert_eq!((error.kind, error.undelivered), (ErrorKind::Invalid, true), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_page_is_a_typed_error() {
    let (Some(mut browser), site) = (Browser::new(|_| {}), Site::start().await) else { return };
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    for (url, kind, message) in [
        (format!("http://{nobody}/"), ErrorKind::Network, "connection refused"),
        (format!("https://127.0.0.1:{}/", site.port), ErrorKind::Network, "TLS"),
        (
            "http://no-such-host.invalid/".to_owned(),
            ErrorKind::Network,
            "the host `no-such-host.invalid` was not found",
        ),
        (
            "https://no-such-host.invalid/".to_owned(),
            ErrorKind::Network,
            "the host `no-such-host.invalid` was not found",
        ),
        (site.url("/download"), ErrorKind::Tool, "is a file to download"),
        (site.url("/empty"), ErrorKind::Tool, "no content"),
        (site.url("/circle"), ErrorKind::Tool, "redirects in circles"),
        (site.url("/again"), ErrorKind::Tool, "redirects in circles"),
        ("file:///etc/passwd".to_owned(), ErrorKind::Denied, "only http and https"),
        ("http://127.0.0.2/".to_owned(), ErrorKind::Denied, "`127.0.0.2` is an address of this machine"),
        (format!("http://127.1.2.3:{}/", site.port), ErrorKind::Denied, "`127.1.2.3` is an address of this machine"),
    ] {
        let error = browser.navigate(url.clone()).await.expect_err(&url);
        assert_eq!(error.kind, kind, "{url}: {error}");
        assert!(error.message.contains(message), "{url}: {error}");
    }
    browser.timeout = Duration::from_secs(2);
    for path in ["/hangs", "/hangs-in-part", "/busy"] {
        let error = browser.call("screenshot", json!({ "url": site.url(path) })).await.expect_err(path);
        assert_eq!(error.kind, ErrorKind::Timeout, "{path}: {error}");
    }
    // A page that never rests does not hold up the next.
    browser.timeout = Duration::from_secs(30);
    browser.navigate(site.url("/red")).await.expect("a page");
}

#[tokio::test]
async fn pages_reach_only_what_flows_may() {
    let (Some(browser), site) = (Browser::new(|_| {}), Site::start().await) else { return };
    let error = browser.navigate(site.url("/to-private")).await.expect_err("a redirect");
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    assert!(error.message.starts_with("`127.0.0.2` is an address of this machine"), "{error}");
    let args = json!({ "url": site.url("/asks-private"), "wait_for": "#done.rejected-rejected-fulfilled" });
    browser.call("navigate", args).await.expect("every other way is closed");
    assert_eq!(site.private.load(Ordering::SeqCst), 0);
}

/// Leads to an address that may be reached, and from then on to one that may not.
struct Rebinding(AtomicUsize);

impl Lookup for Rebinding {
    fn lookup(&self, _host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let first = self.0.fetch_add(1, Ordering::SeqCst) == 0;
        async move { Ok(vec![IpAddr::from(if first { [127, 0, 0, 1] } else { [127, 0, 0, 2] })]) }.boxed()
    }
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_the_second_time_gains_nothing() {
    let site = Site::start().await;
    let lookup = Arc::new(Rebinding(AtomicUsize::new(0)));
    let named = Arc::clone(&lookup) as Arc<dyn Lookup>;
    let Some(browser) = Browser::new(|config| config.http.lookup = named) else { return };
    let url = format!("http://rebind.example:{}/rebinds", site.port);
    let args = json!({ "url": url, "wait_for": "body" });
    let page = browser.call("navigate", args).await.expect("the first time");
    assert_eq!(page.get("status"), Some(&Value::Int(200)));
    let error = browser.navigate(url).await.expect_err("the second time");
    assert!(error.message.contains("`rebind.example` leads to `127.0.0.2`"), "{error}");
    assert_eq!(site.private.load(Ordering::SeqCst), 0);
    assert!(lookup.0.load(Ordering::SeqCst) > 1);
}

/// A Chromium that tells its process id and its profile's folder.
fn telling(folder: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let script = folder.join("chromium");
    let text = "#!/bin/sh\nfor flag; do case $flag in --user-data-dir=*) profile=${flag#*=};; esac; done\n\
                echo \"$$ $profile\" >> \"${0%/*}/told\"\nexec REAL \"$@\"\n";
    std::fs::write(&script, text.replace("REAL", chromium()?.to_str().expect("text"))).expect("a script");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    Some(script)
}

/// The processes and profiles that were told.
fn told(folder: &Path) -> Vec<(u32, PathBuf)> {
    let text = std::fs::read_to_string(folder.join("told")).unwrap_or_default();
    let line = |line: &str| {
        let (pid, profile) = line.split_once(' ').expect("two words");
        (pid.parse().expect("a number"), PathBuf::from(profile))
    };
    text.lines().map(line).collect()
}

/// How many processes of a Chromium live: those of its group, and those that name its profile.
fn living(pid: u32, profile: &Path) -> usize {
    let of_it = |entry: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let (state, group) = (fields.next()?, fields.nth(1)?);
        let names = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let names = String::from_utf8_lossy(&names).contains(profile.to_str()?);
        (state != "Z" && (group == pid.to_string() || names)).then_some(())
    };
    std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(of_it).count()
}

/// Waits until nothing of a Chromium is left.
async fn gone(pid: u32, profile: &Path) {
    for _ in 0..100 {
        if living(pid, profile) == 0 && !profile.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} processes are left, the profile is there: {}", living(pid, profile), profile.exists());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn one_chromium_serves_all_comes_back_and_leaves_nothing_behind() {
    let (site, scripts) = (Site::start().await, tempfile::tempdir().expect("a folder"));
    let Some(script) = telling(scripts.path()) else { return };
    let Some(mut browser) = Browser::new(|config| config.executable = Some(script)) else { return };
    let many = (0..6).map(|_| browser.navigate(site.url("/red")));
    futures::future::try_join_all(many).await.expect("pages");
    let [(pid, profile)] = told(scripts.path()).try_into().expect("one Chromium");
    assert!(living(pid, &profile) > 1);
    // It is killed, with nobody to clean up behind it, while a page is loaded.
    let (killed, ()) = tokio::join!(browser.navigate(site.url("/hangs")), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
    });
    let error = killed.expect_err("it ended");
    assert_eq!((error.kind, error.retryable), (ErrorKind::Tool, true), "{error}");
    browser.navigate(site.url("/red")).await.expect("another one is started");
    let [_, (second, home)] = told(scripts.path()).try_into().expect("two Chromiums");
    gone(pid, &profile).await;
    // Calls that are dropped or too long, one of them with a page that never rests.
    browser.timeout = Duration::from_millis(800);
    let _ = tokio::time::timeout(Duration::from_millis(200), browser.navigate(site.url("/hangs"))).await;
    assert_eq!(browser.navigate(site.url("/busy")).await.expect_err("too long").kind, ErrorKind::Timeout);
    drop(browser);
    gone(second, &home).await;
}

#[tokio::test]
async fn a_browser_that_cannot_be_used_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let with = |executable: Option<PathBuf>| {
        let store = LocalArtifacts::new(folder.path());
        let mut config = BrowserConfig::new(executable, HttpConfig::default());
        config.launch_timeout = Duration::from_millis(500);
        let folder = tempfile::tempdir().expect("a folder");
        Browser { tools: tools(config), store, said: Said::default(), timeout: Duration::from_secs(5), folder }
    };
    for (executable, message) in [
        (None, "install it (on Debian `apt install chromium`)"),
        (Some("/no/such/chromium"), "ended as soon as it was started: "),
        (Some("/bin/false"), "`/bin/false` ended as soon as it was started"),
    ] {
        let browser = with(executable.map(PathBuf::from));
        let error = browser.navigate("http://1.1.1.1/".to_owned()).await.expect_err("no browser");
        assert_eq!((error.kind, error.retryable, error.undelivered), (ErrorKind::Tool, false, true), "{error}");
        assert!(error.message.contains(message), "{error}");
        assert!(browser.folder.path().exists());
    }
}
