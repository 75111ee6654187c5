//! `memory`: notes in a SQLite file of this machine, found by their words.

mod notes;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use crate::run::{Clock, TokioClock, Tool, ToolContext, ToolError};
use crate::tools::args::Args;
use crate::tools::memory::notes::Notes;
use crate::tools::standard;
use crate::types::Signature;
use crate::value::{ErrorKind, Value};

/// Where notes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The SQLite file; made, with its folder, by the first call.
    pub path: PathBuf,
}

/// `memory.store`, `memory.search`, `memory.get` and `memory.forget`.
pub fn tools(config: Config) -> Vec<Arc<dyn Tool>> {
    let file = Arc::new(File { path: config.path, notes: Mutex::default() });
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::default());
    let all = [
        ("memory.store", Action::Store),
        ("memory.search", Action::Search),
        ("memory.get", Action::Get),
        ("memory.forget", Action::Forget),
    ];
    standard::provide(all, |signature, action| {
        Arc::new(Memory { action, file: Arc::clone(&file), clock: Arc::clone(&clock), signature })
    })
}

#[derive(Clone, Copy)]
enum Action {
    Store,
    Search,
    Get,
    Forget,
}

struct Memory {
    action: Action,
    file: Arc<File>,
    clock: Arc<dyn Clock>,
    signature: Arc<Signature>,
}

impl Tool for Memory {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, _context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let (action, file, now) = (self.action, Arc::clone(&self.file), self.clock.now());
            let work = tokio::task::spawn_blocking(move || {
                let args = Args(&args);
                match action {
                    Action::Store => {
                        let (text, tags, sources) = (args.text("text")?, args.list("tags")?, args.list("sources")?);
                        file.with(|notes| notes.store(text, &tags, &sources, now))
                    }
                    Action::Search => {
                        let (query, tags) = (args.text("query")?, args.list("tags")?);
                        let limit = args.int("limit", 10, 1..=1_000)?;
                        file.with(|notes| notes.search(query, &tags, limit))
                    }
                    Action::Get => {
                        let id = args.text("id")?;
                        file.with(|notes| notes.get(id))
                    }
                    Action::Forget => {
                        let id = args.text("id")?;
                        file.with(|notes| notes.forget(id))
                    }
                }
            });
            work.await.unwrap_or_else(|_| Err(ToolError::new(ErrorKind::Internal, "the memory broke down")))
        })
    }
}

/// The file and, once something was asked of it, the one connection to it.
struct File {
    path: PathBuf,
    notes: Mutex<Option<Notes>>,
}

impl File {
    /// Blocks until those who came before are done.
    fn with<T>(&self, work: impl FnOnce(&mut Notes) -> rusqlite::Result<T>) -> Result<T, ToolError> {
        let mut held = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = match held.take() {
            Some(notes) => Ok(notes),
            None => Notes::open(&self.path),
        };
        notes.and_then(|notes| work(held.insert(notes))).map_err(|why| self.failed(&why))
    }

    fn failed(&self, why: &rusqlite::Error) -> ToolError {
        let message = format!("the memory `{}` cannot be used: {why}", self.path.display());
        let mut error = ToolError::new(ErrorKind::Tool, message);
        // Another process is writing for longer than is waited for.
        error.retryable = why.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy);
        error
    }
}
