//! The DevTools protocol over a pair of pipes: JSON messages, each ended by a zero byte. A message is a command's answer
//! by its `id`, or an event of a session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// The longest message, in bytes: a picture of a long page is one.
const LONGEST: usize = 256 << 20;

/// A conversation with the browser. Dropping it closes the pipes, and the browser leaves.
pub(super) struct Connection {
    outgoing: mpsc::UnboundedSender<Json>,
    shared: Arc<Mutex<Shared>>,
    next: AtomicU64,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    replies: HashMap<u64, oneshot::Sender<Result<Json, Failed>>>,
    sessions: HashMap<String, mpsc::UnboundedSender<Event>>,
    closed: bool,
}

/// An event of a page.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) method: String,
    pub(super) params: Json,
}

/// Why a command has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The browser has ended.
    Closed,
    /// The browser refuses, and says why.
    Refused(String),
}

impl Connection {
    /// Speaks through these pipes.
    pub(super) fn new(
        incoming: impl AsyncRead + Send + Unpin + 'static,
        outgoing: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (sender, messages) = mpsc::unbounded_channel();
        let shared = Arc::<Mutex<Shared>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(write(outgoing, messages));
        tasks.spawn(read(incoming, Arc::clone(&shared), sender.clone()));
        Self { outgoing: sender, shared, next: AtomicU64::new(1), _tasks: tasks }
    }

    /// Sends a command, to the browser or to a session, and waits for its result.
    pub(super) async fn command(&self, session: Option<&str>, method: &str, params: Json) -> Result<Json, Failed> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, reply) = oneshot::channel();
        {
            let mut shared = lock(&self.shared);
            if shared.closed {
                return Err(Failed::Closed);
            }
            shared.replies.insert(id, sender);
        }
        let _ = self.outgoing.send(message(id, session, method, params));
        reply.await.unwrap_or(Err(Failed::Closed))
    }

    /// Sends a command to the browser whose result nobody waits for.
    pub(super) fn tell(&self, method: &str, params: Json) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let _ = self.outgoing.send(message(id, None, method, params));
    }

    /// The events of a session from now on; they end with the browser.
    pub(super) fn events(&self, session: &str) -> mpsc::UnboundedReceiver<Event> {
        let (sender, events) = mpsc::unbounded_channel();
        let mut shared = lock(&self.shared);
        if !shared.closed {
            shared.sessions.insert(session.to_owned(), sender);
        }
        events
    }

    /// Wants no more events of a session.
    pub(super) fn forget(&self, session: &str) {
        lock(&self.shared).sessions.remove(session);
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.shared).closed
    }
}

/// The text at a place of a message (RFC 6901); empty where there is none.
pub(super) fn text<'a>(message: &'a Json, place: &str) -> &'a str {
    message.pointer(place).and_then(Json::as_str).unwrap_or_default()
}

fn message(id: u64, session: Option<&str>, method: &str, params: Json) -> Json {
    let mut message = json!({ "id": id, "method": method, "params": params });
    if let (Some(session), Json::Object(message)) = (session, &mut message) {
        message.insert("sessionId".to_owned(), session.into());
    }
    message
}

async fn write(mut pipe: impl AsyncWrite + Unpin, mut messages: mpsc::UnboundedReceiver<Json>) {
    while let Some(message) = messages.recv().await {
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        if pipe.write_all(&bytes).await.is_err() || pipe.flush().await.is_err() {
            return;
        }
    }
}

/// Hands on what comes until the browser ends, or sends what is no message.
async fn read(pipe: impl AsyncRead + Unpin, shared: Arc<Mutex<Shared>>, outgoing: mpsc::UnboundedSender<Json>) {
    let mut pipe = BufReader::with_capacity(1 << 16, pipe);
    let mut bytes = Vec::new();
    while next(&mut pipe, &mut bytes).await {
        let Ok(Json::Object(mut message)) = serde_json::from_slice::<Json>(&bytes) else { break };
        // A screenshot is large, and rare.
        bytes = Vec::new();
        if let Some(id) = message.get("id").and_then(Json::as_u64) {
            let reply = lock(&shared).replies.remove(&id);
            let result = match message.remove("error") {
                Some(error) => Err(Failed::Refused(text(&error, "/message").to_owned())),
                None => Ok(message.remove("result").unwrap_or_default()),
            };
            reply.map(|reply| reply.send(result));
            continue;
        }
        let owned = |value: Option<Json>| if let Some(Json::String(text)) = value { text } else { String::new() };
        let (session, method) = (owned(message.remove("sessionId")), owned(message.remove("method")));
        let params = message.remove("params").unwrap_or_default();
        if method == "Page.javascriptDialogOpening" {
            // No one is there to answer, and the page stands still until someone does. Leaving a page is allowed.
            let accept = text(&params, "/type") == "beforeunload";
            let answer = json!({ "accept": accept });
            let _ = outgoing.send(self::message(0, Some(&session), "Page.handleJavaScriptDialog", answer));
            continue;
        }
        let event = Event { method, params };
        lock(&shared).sessions.get(&session).map(|events| events.send(event));
    }
    let mut shared = lock(&shared);
    shared.closed = true;
    shared.replies.clear();
    shared.sessions.clear();
}

/// Reads a message without its zero byte; false at the end, and where it is too long.
async fn next(pipe: &mut BufReader<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) -> bool {
    loop {
        let Ok(chunk) = pipe.fill_buf().await else { return false };
        if chunk.is_empty() || bytes.len() > LONGEST {
            return false;
        }
        let end = chunk.iter().position(|byte| *byte == 0);
        let taken = end.unwrap_or(chunk.len());
        bytes.extend_from_slice(chunk.get(..taken).unwrap_or_default());
        pipe.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return true;
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
