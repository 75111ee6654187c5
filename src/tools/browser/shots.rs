//! `browser.navigate`, `browser.screenshot` and `browser.pdf`.

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::args::{Args, invalid};
use crate::tools::browser::Browser;
use crate::tools::browser::connection::text;
use crate::tools::browser::page::{Loaded, Page};
use crate::tools::http::Guard;
use crate::tools::standard;
use crate::types::Signature;
use crate::value::{ErrorKind, Value, format_duration};

/// The longest side of a picture, in pixels: what Chromium can paint at once.
const LONGEST_SIDE: u64 = 16_384;

/// The largest window, in pixels of a side.
const LARGEST_WINDOW: i64 = 8_192;

/// One of the three tools.
pub(super) struct Shots {
    browser: Arc<Browser>,
    signature: Arc<Signature>,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Navigate,
    Screenshot,
    Pdf,
}

impl Shots {
    /// The tools over this browser.
    pub(super) fn all(browser: &Arc<Browser>) -> Vec<Arc<dyn Tool>> {
        let all = [
            ("browser.navigate", What::Navigate),
            ("browser.screenshot", What::Screenshot),
            ("browser.pdf", What::Pdf),
        ];
        standard::provide(all, |signature, what| Arc::new(Self { browser: Arc::clone(browser), signature, what }))
    }

    async fn take(&self, args: Args<'_>, context: ToolContext<'_>) -> Result<Value, ToolError> {
        let url = args.url("url")?;
        let config = &self.browser.config;
        let refused =
            |refused: crate::tools::http::Refused| ToolError::new(ErrorKind::Denied, refused.to_string()).undelivered();
        Guard::new(config.http.allow_private.clone()).check_url(&url).map_err(refused)?;
        let window = (side(args, "width", 1280)?, side(args, "height", 800)?);
        let _admitted = self.browser.admit().await?;
        let process = self.browser.process().await?;
        let mut page = Page::open(process, &config.http, window).await?;
        let loaded = page.load(&url).await?;
        if loaded.blank {
            return match self.what {
                What::Navigate => Ok(opened(loaded)),
                What::Screenshot | What::Pdf => {
                    let why = format!("`{}` answered {} and shows nothing", loaded.url, loaded.status);
                    Err(ToolError { retryable: loaded.status >= 500, ..ToolError::new(ErrorKind::Tool, why) })
                }
            };
        }
        if let Some(selector) = args.optional_text("wait_for")? {
            page.wait_for(selector).await?;
        }
        let name = url.host_str().unwrap_or_default();
        match self.what {
            What::Navigate => Ok(opened(loaded)),
            What::Screenshot => {
                let picture = screenshot(&page, window, args.flag("full_page")?, context).await?;
                drop(page);
                context.store(picture, "image/png", &format!("{name}.png")).await
            }
            What::Pdf => {
                let document = print(&page, args).await?;
                drop(page);
                context.store(document, "application/pdf", &format!("{name}.pdf")).await
            }
        }
    }
}

impl Tool for Shots {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn available(&self) -> bool {
        self.browser.config.executable.is_some()
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            // A little earlier than the engine would end it, to say where the time went.
            let whole = context.timeout.unwrap_or(self.browser.config.page_timeout);
            let limit = whole.saturating_sub((whole / 20).min(Duration::from_millis(500)));
            match tokio::time::timeout(limit, self.take(Args(&args), context)).await {
                Ok(result) => result,
                Err(_) => {
                    let limit = format_duration(i64::try_from(whole.as_millis()).unwrap_or(i64::MAX));
                    let url = args.get("url").and_then(Value::as_str).unwrap_or_default();
                    let waited = match args.get("wait_for").and_then(Value::as_str) {
                        Some(selector) => format!(", or shows nothing that is `{selector}`"),
                        None => String::new(),
                    };
                    let why = format!("`{url}` was not loaded within {limit}{waited}");
                    Err(ToolError::new(ErrorKind::Timeout, why))
                }
            }
        })
    }
}

/// A side of the window.
fn side(args: Args<'_>, name: &str, default: u32) -> Result<u32, ToolError> {
    let Some(given) = args.get(name).and_then(Value::as_int) else { return Ok(default) };
    match u32::try_from(given) {
        Ok(side) if (1..=LARGEST_WINDOW).contains(&given) => Ok(side),
        _ => Err(invalid(format!("`{name}` must be a number of pixels up to {LARGEST_WINDOW}, found {given}"))),
    }
}

fn opened(page: Loaded) -> Value {
    Value::record_of([
        ("url", page.url.into()),
        ("status", Value::Int(page.status.into())),
        ("title", page.title.into()),
    ])
}

/// A PNG of the window, or of the whole page up to [`LONGEST_SIDE`].
async fn screenshot(
    page: &Page,
    (width, height): (u32, u32),
    full_page: bool,
    context: ToolContext<'_>,
) -> Result<Vec<u8>, ToolError> {
    let mut params = json!({ "format": "png", "optimizeForSpeed": false });
    if full_page {
        let metrics = page.command("Page.getLayoutMetrics", json!({})).await?;
        let length = |name: &str, least: u32| {
            let length = metrics.pointer(&format!("/cssContentSize/{name}")).and_then(Json::as_f64);
            (length.unwrap_or_default().ceil() as u64).max(least.into())
        };
        let whole = (length("width", width), length("height", height));
        let (width, height) = (whole.0.min(LONGEST_SIDE), whole.1.min(LONGEST_SIDE));
        if (width, height) != whole {
            let why =
                format!("the page has {} × {} pixels, the picture its first {width} × {height}", whole.0, whole.1);
            context.report.output(Value::record_of([("warning", why.into())]));
        }
        params = json!({
            "format": "png",
            "captureBeyondViewport": true,
            "clip": { "x": 0, "y": 0, "width": width, "height": height, "scale": 1 },
        });
    }
    decoded(&page.command("Page.captureScreenshot", params).await?)
}

/// A PDF document; paper is measured in inches.
async fn print(page: &Page, args: Args<'_>) -> Result<Vec<u8>, ToolError> {
    let (width, height) = if args.optional_text("paper")? == Some("letter") { (8.5, 11.0) } else { (8.27, 11.69) };
    let params = json!({
        "paperWidth": width,
        "paperHeight": height,
        "landscape": args.flag("landscape")?,
        "printBackground": true,
    });
    decoded(&page.command("Page.printToPDF", params).await?)
}

fn decoded(answer: &Json) -> Result<Vec<u8>, ToolError> {
    let bytes = BASE64_STANDARD.decode(text(answer, "/data")).ok().filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| ToolError::new(ErrorKind::Tool, "the browser gave no picture"))
}
