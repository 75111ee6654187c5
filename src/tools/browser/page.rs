//! One page: opened, loaded, looked at, and closed, with its context, when it is dropped.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use url::Url;

use crate::run::ToolError;
use crate::tools::browser::connection::{Connection, Event, Failed, text};
use crate::tools::browser::failure::not_loaded;
use crate::tools::browser::process::Process;
use crate::tools::browser::proxy::Proxy;
use crate::tools::http::HttpConfig;
use crate::value::ErrorKind;

/// How often a page may send the browser on to another by itself.
const MAX_NAVIGATIONS: usize = 20;

/// How long a loaded page has to load its fonts and paint.
const PAINTING: Duration = Duration::from_millis(500);

/// A page in a context of its own.
pub(super) struct Page {
    process: Arc<Process>,
    context: String,
    session: String,
    frame: String,
    events: mpsc::UnboundedReceiver<Event>,
    proxy: Proxy,
    state: State,
}

/// What is known of the document in the page.
#[derive(Default)]
struct State {
    /// The browser's id for it.
    loader: String,
    /// Where it is asked for, after redirects.
    url: String,
    status: u16,
    loaded: bool,
    navigations: usize,
    /// Why it will not come.
    failure: Option<String>,
    crashed: bool,
}

/// A page that was loaded.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) url: String,
    pub(super) status: u16,
    pub(super) title: String,
    /// Whether nothing but a status was answered, so that there is nothing to see.
    pub(super) blank: bool,
}

/// A context that is closed with all its pages when this is dropped.
struct Context<'a>(&'a Connection, Option<String>);

impl Drop for Context<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.1.take() {
            dispose(self.0, &context);
        }
    }
}

fn dispose(connection: &Connection, context: &str) {
    connection.tell("Target.disposeBrowserContext", json!({ "browserContextId": context }));
}

impl Drop for Page {
    fn drop(&mut self) {
        self.process.connection.forget(&self.session);
        dispose(&self.process.connection, &self.context);
    }
}

impl Page {
    /// An empty page with a window of this size in pixels.
    pub(super) async fn open(
        process: Arc<Process>,
        http: &HttpConfig,
        (width, height): (u32, u32),
    ) -> Result<Self, ToolError> {
        let proxy = Proxy::start(http).await.map_err(|error| {
            ToolError::new(ErrorKind::Internal, format!("no port of this machine can be listened on: {error}"))
        })?;
        let browser = &process.connection;
        let params = json!({
            "disposeOnDetach": true,
            "proxyServer": proxy.url(),
            // This machine's own addresses go through the proxy, too.
            "proxyBypassList": "<-loopback>",
        });
        let made = browser.command(None, "Target.createBrowserContext", params).await?;
        let context = text(&made, "/browserContextId").to_owned();
        let mut open = Context(browser, Some(context.clone()));
        let params = json!({ "browserContextId": context, "behavior": "deny" });
        browser.command(None, "Browser.setDownloadBehavior", params).await?;
        let params = json!({ "url": "about:blank", "browserContextId": context, "width": width, "height": height });
        let made = browser.command(None, "Target.createTarget", params).await?;
        let target = text(&made, "/targetId").to_owned();
        let params = json!({ "targetId": target, "flatten": true });
        let attached = browser.command(None, "Target.attachToTarget", params).await?;
        let session = text(&attached, "/sessionId").to_owned();
        let events = browser.events(&session);
        open.1 = None;
        drop(open);
        let page = Self { process, context, session, frame: target, events, proxy, state: State::default() };
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let lifecycle = json!({ "enabled": true });
        // What pages are answered is not asked for, so it need not be kept.
        let network = json!({ "maxTotalBufferSize": 0, "maxResourceBufferSize": 0 });
        futures::try_join!(
            page.command("Page.enable", json!({})),
            page.command("Network.enable", network),
            page.command("Inspector.enable", json!({})),
            page.command("Page.setLifecycleEventsEnabled", lifecycle),
            page.command("Emulation.setDeviceMetricsOverride", metrics),
        )?;
        Ok(page)
    }

    /// A command to this page.
    pub(super) async fn command(&self, method: &str, params: Json) -> Result<Json, Failed> {
        self.process.connection.command(Some(&self.session), method, params).await
    }

    /// Goes to an address and waits until the page there is loaded, and those that it leads on to by itself.
    ///
    /// # Errors
    /// Why it is not: see [`not_loaded`]; `denied` where it, or what it redirects to, may not be reached.
    pub(super) async fn load(&mut self, url: &Url) -> Result<Loaded, ToolError> {
        self.state.url = url.to_string();
        let navigated = self.command("Page.navigate", json!({ "url": url.as_str() })).await?;
        self.take_events();
        if navigated.pointer("/isDownload") == Some(&Json::Bool(true)) {
            return Err(ToolError::new(
                ErrorKind::Tool,
                format!("`{}` is a file to download, not a page", self.state.url),
            ));
        }
        match text(&navigated, "/errorText") {
            "" => {}
            // An error status without a page is an answer, too.
            "net::ERR_HTTP_RESPONSE_CODE_FAILURE" if self.state.status > 0 => {
                let (url, status) = (self.state.url.clone(), self.state.status);
                return Ok(Loaded { url, status, title: String::new(), blank: true });
            }
            why => return Err(self.failure(why)),
        }
        self.state.go_to(text(&navigated, "/loaderId"));
        self.settle().await?;
        let title = self.evaluate("document.title.slice(0, 1000)").await?;
        let history = self.command("Page.getNavigationHistory", json!({})).await?;
        let at = history.pointer("/currentIndex").and_then(Json::as_u64).unwrap_or_default();
        let shown = text(&history, &format!("/entries/{at}/url"));
        let url = if shown.starts_with("http") { shown } else { &self.state.url }.to_owned();
        Ok(Loaded {
            url,
            status: self.state.status,
            title: title.as_str().unwrap_or_default().to_owned(),
            blank: false,
        })
    }

    /// Waits until there is an element that a CSS selector finds.
    ///
    /// # Errors
    /// `invalid` where it is no selector.
    pub(super) async fn wait_for(&mut self, selector: &str) -> Result<(), ToolError> {
        let selector = Json::from(selector);
        let script = format!(
            "new Promise((found, wrong) => {{
                const look = () => document.querySelector({selector}) !== null;
                if (look()) return found(true);
                const watch = new MutationObserver(() => {{ if (look()) {{ watch.disconnect(); found(true); }} }});
                watch.observe(document, {{ subtree: true, childList: true, attributes: true }});
            }})"
        );
        match self.evaluate(&script).await {
            Ok(_) => Ok(()),
            Err(error) if error.message.contains("is not a valid selector") => {
                Err(ToolError::new(ErrorKind::Invalid, format!("`wait_for` is no CSS selector: {selector}")))
            }
            Err(error) => Err(error),
        }
    }

    /// What a script gives, on the page that is there once those before it have led on.
    async fn evaluate(&mut self, script: &str) -> Result<Json, ToolError> {
        loop {
            let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
            let answer = self.command("Runtime.evaluate", params).await;
            self.take_events();
            match answer {
                Ok(answer) if answer.pointer("/exceptionDetails").is_none() => {
                    return Ok(answer.pointer("/result/value").cloned().unwrap_or_default());
                }
                Ok(answer) => {
                    let why =
                        text(&answer, "/exceptionDetails/exception/description").lines().next().unwrap_or_default();
                    return Err(ToolError::new(ErrorKind::Tool, format!("the page does not answer: {why}")));
                }
                Err(Failed::Closed) => return Err(Failed::Closed.into()),
                // The page went on to another while the script ran.
                Err(Failed::Refused(_)) if !self.state.loaded || self.state.crashed => self.loaded().await?,
                Err(refused) => return Err(refused.into()),
            }
        }
    }

    /// Waits until the page is loaded and painted, and does not go on to another.
    async fn settle(&mut self) -> Result<(), ToolError> {
        // Painted is what two frames after its fonts were loaded; a page in trouble is not waited for.
        let script = format!(
            "Promise.race([new Promise(done => setTimeout(done, {})), document.fonts.ready.then(() => new Promise(done => \
             requestAnimationFrame(() => requestAnimationFrame(done))))]).then(() => true)",
            PAINTING.as_millis()
        );
        loop {
            self.loaded().await?;
            let navigations = self.state.navigations;
            self.evaluate(&script).await?;
            if self.state.loaded && self.state.navigations == navigations {
                return Ok(());
            }
        }
    }

    /// Waits until the document in the page is loaded.
    async fn loaded(&mut self) -> Result<(), ToolError> {
        loop {
            if self.state.crashed {
                let why = format!("the page `{}` crashed", self.state.url);
                return Err(ToolError { retryable: true, ..ToolError::new(ErrorKind::Tool, why) });
            }
            if let Some(why) = self.state.failure.take() {
                return Err(self.failure(&why));
            }
            if self.state.navigations > MAX_NAVIGATIONS {
                return Err(not_loaded(&self.state.url, "net::ERR_TOO_MANY_REDIRECTS"));
            }
            if self.state.loaded {
                return Ok(());
            }
            let event = self.events.recv().await.ok_or(Failed::Closed)?;
            self.state.take(event, &self.frame);
        }
    }

    fn take_events(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.state.take(event, &self.frame);
        }
    }

    /// Why the document that was asked for last did not come: the proxy knows more than the browser.
    fn failure(&self, why: &str) -> ToolError {
        self.proxy.failure(&self.state.url).unwrap_or_else(|| not_loaded(&self.state.url, why))
    }
}

impl State {
    /// Another document comes.
    fn go_to(&mut self, loader: &str) {
        if self.loader != loader {
            loader.clone_into(&mut self.loader);
            self.loaded = false;
            self.navigations += 1;
        }
    }

    fn take(&mut self, event: Event, frame: &str) {
        let Event { method, params } = event;
        let is = |place: &str, what: &str| text(&params, place) == what;
        let document = || is("/frameId", frame) && is("/type", "Document");
        match method.as_str() {
            "Network.requestWillBeSent" if document() => text(&params, "/request/url").clone_into(&mut self.url),
            "Network.responseReceived" if document() => {
                let status = params.pointer("/response/status").and_then(Json::as_u64);
                self.status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
            }
            "Page.frameNavigated" if is("/frame/id", frame) => {
                if params.pointer("/frame/unreachableUrl").is_none() {
                    self.go_to(text(&params, "/frame/loaderId"));
                } else {
                    // The browser's own page about an error; a navigation of ours is told by its command.
                    self.failure = Some("net::ERR_FAILED".to_owned());
                }
            }
            "Page.lifecycleEvent" if is("/frameId", frame) && is("/name", "load") => {
                self.loaded |= is("/loaderId", &self.loader);
            }
            "Inspector.targetCrashed" => self.crashed = true,
            _ => {}
        }
    }
}
