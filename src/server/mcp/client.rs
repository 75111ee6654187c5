//! Who called: what the client can do, how much of the log it wants, and what it watches.

#![allow(deprecated, reason = "clients of the protocol as it is spoken today set levels so")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rmcp::model::{ClientCapabilities, LoggingLevel, ProgressToken, ResourceUpdatedNotificationParam};
use rmcp::service::{Peer, RequestContext, RoleServer};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// How often a file that is watched is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many files a client may watch.
const MOST: usize = 64;

/// The client of one request.
pub(super) struct Client {
    pub(super) peer: Peer<RoleServer>,
    /// Where its progress goes, if it wants to be told.
    pub(super) token: Option<ProgressToken>,
    /// That it does not want the answer any more.
    pub(super) cancelled: CancellationToken,
    capabilities: ClientCapabilities,
    session: Arc<Session>,
}

impl Client {
    pub(super) fn of(context: &RequestContext<RoleServer>, session: Arc<Session>) -> Self {
        Self {
            peer: context.peer.clone(),
            token: context.meta.get_progress_token(),
            cancelled: context.ct.clone(),
            capabilities: context.client_capabilities().unwrap_or_default(),
            session,
        }
    }

    /// Whether it puts forms before a person. A client that says nothing of the ways it has has this one.
    pub(super) fn asks(&self) -> bool {
        self.capabilities.elicitation.as_ref().is_some_and(|way| way.form.is_some() || way.url.is_none())
    }

    /// Whether it lends its model.
    pub(super) fn lends(&self) -> bool {
        self.capabilities.sampling.is_some()
    }

    /// Whether it wants to be told what matters so much.
    pub(super) fn listens(&self, level: LoggingLevel) -> bool {
        severity(level) >= severity(self.session.lock().level)
    }
}

/// What lasts from one request of a client to the next.
#[derive(Debug, Default)]
pub(super) struct Session(Mutex<State>);

#[derive(Debug)]
struct State {
    level: LoggingLevel,
    /// The tasks that look at files, by the resource's address.
    watched: HashMap<String, AbortHandle>,
}

impl Default for State {
    fn default() -> Self {
        Self { level: LoggingLevel::Info, watched: HashMap::new() }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.watched.values().for_each(AbortHandle::abort);
    }
}

impl Session {
    pub(super) fn set_level(&self, level: LoggingLevel) {
        self.lock().level = level;
    }

    /// Tells the client whenever the file behind a resource has changed, until it does not want to know any more.
    ///
    /// # Errors
    /// It watches too many.
    pub(super) fn watch(&self, uri: String, file: PathBuf, peer: Peer<RoleServer>) -> Result<(), String> {
        let mut state = self.lock();
        if state.watched.len() >= MOST && !state.watched.contains_key(&uri) {
            return Err(format!("a client may watch {MOST} resources at once"));
        }
        #[allow(clippy::disallowed_methods, reason = "it ends with the session")]
        let looking = tokio::spawn(look(file, uri.clone(), peer));
        if let Some(before) = state.watched.insert(uri, looking.abort_handle()) {
            before.abort();
        }
        Ok(())
    }

    pub(super) fn unwatch(&self, uri: &str) {
        if let Some(looking) = self.lock().watched.remove(uri) {
            looking.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look(file: PathBuf, uri: String, peer: Peer<RoleServer>) {
    let mut before = state_of(&file).await;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = state_of(&file).await;
        if now != before {
            before = now;
            let told = peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri.clone())).await;
            if told.is_err() {
                return;
            }
        }
    }
}

/// What tells that a file has changed; none where it is not there.
async fn state_of(file: &Path) -> Option<(u64, Option<SystemTime>)> {
    let known = tokio::fs::metadata(file).await.ok()?;
    Some((known.len(), known.modified().ok()))
}

/// RFC 5424, from the least to the most.
fn severity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}
