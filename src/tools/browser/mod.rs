//! `browser`: pages in a real Chromium, over its DevTools protocol (<https://chromedevtools.github.io/devtools-protocol/>).
//!
//! One Chromium serves an engine. It is started with the first call, kept warm, started again should it crash, and ends
//! with the engine, or with this process, however that ends: it is spoken to through a pipe, and leaves when the pipe
//! closes. Nothing listens, so no other user of the machine and no page can speak to it.
//!
//! Each call has a browser context of its own (no cookies, no cache of another's) and a proxy of its own, through which
//! all that its pages ask for goes: see `proxy`.

mod connection;
mod failure;
mod page;
mod process;
mod proxy;
mod shots;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::run::{Tool, ToolError};
use crate::tools::browser::process::Process;
use crate::tools::browser::shots::Shots;
use crate::tools::http::HttpConfig;
use crate::value::ErrorKind;

/// How the browser is started and what it may reach.
#[derive(Clone)]
pub struct BrowserConfig {
    /// Chromium or a browser made of it; none where none was found.
    pub executable: Option<PathBuf>,
    /// How many pages are open at once; more wait. 4 by default.
    pub pages: usize,
    /// How long it may take to start; 20 s by default.
    pub launch_timeout: Duration,
    /// How long a page may take where its step does not say; 30 s by default.
    pub page_timeout: Duration,
    /// What pages may reach, and how names are looked up.
    pub http: HttpConfig,
}

impl BrowserConfig {
    /// This browser, with the defaults.
    pub fn new(executable: Option<PathBuf>, http: HttpConfig) -> Self {
        Self {
            executable,
            pages: 4,
            launch_timeout: Duration::from_secs(20),
            page_timeout: Duration::from_secs(30),
            http,
        }
    }
}

/// `browser.navigate`, `browser.screenshot` and `browser.pdf` over one Chromium, which is started when first needed.
/// Dropping the last of them ends it, which may take half a second.
pub fn tools(config: BrowserConfig) -> Vec<Arc<dyn Tool>> {
    Shots::all(&Arc::new(Browser::new(config)))
}

/// The one Chromium.
struct Browser {
    config: BrowserConfig,
    process: Mutex<Option<Arc<Process>>>,
    pages: Semaphore,
}

impl Browser {
    fn new(config: BrowserConfig) -> Self {
        let pages = Semaphore::new(config.pages.clamp(1, Semaphore::MAX_PERMITS));
        Self { config, process: Mutex::new(None), pages }
    }

    /// Waits until another page may be opened.
    async fn admit(&self) -> Result<SemaphorePermit<'_>, ToolError> {
        self.pages.acquire().await.map_err(|_| ToolError::new(ErrorKind::Internal, "the browser was closed"))
    }

    /// The running process; starts it where there is none, or none any more.
    async fn process(&self) -> Result<Arc<Process>, ToolError> {
        let mut slot = self.process.lock().await;
        if let Some(process) = slot.as_ref().filter(|process| !process.connection.is_closed()) {
            return Ok(Arc::clone(process));
        }
        *slot = None;
        let process = Arc::new(Process::launch(&self.config).await?);
        *slot = Some(Arc::clone(&process));
        Ok(process)
    }
}
