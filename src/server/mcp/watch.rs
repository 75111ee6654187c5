//! A run, followed for the client that started it: its steps as progress, what it says as log messages, its questions
//! asked.

#![allow(deprecated, reason = "clients of the protocol as it is spoken today listen to this")]

use std::collections::HashSet;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam};
use serde_json::{Value as Json, json};

use super::ask;
use super::client::Client;
use crate::run::{EventKind, Run, RunError};
use crate::types::Text;
use crate::value::Value;

/// Waits for the run's end and tells of it on the way. A call that is cancelled or dropped cancels the run.
pub(super) async fn follow(run: &Run, client: &Client) -> Result<Value, RunError> {
    let guard = CancelOnDrop(run);
    let mut teller = Teller { client, done: 0.0, gone: false, logs: HashSet::new() };
    let mut events = run.events();
    let mut questions = FuturesUnordered::new();
    let mut asked = false;
    loop {
        tokio::select! {
            () = client.cancelled.cancelled(), if !asked => {
                asked = true;
                run.cancel();
            }
            Some(()) = questions.next() => {}
            event = events.next() => {
                let Some(event) = event else { break };
                if let EventKind::RunWaiting { path, .. } = &event.kind
                    && let Some(waiting) = run.waiting().into_iter().find(|waiting| waiting.path == *path)
                {
                    questions.push(ask::ask(run, waiting, client).boxed());
                }
                teller.tell(&event.kind).await;
            }
        }
    }
    let end = run.value().await;
    drop(guard);
    end
}

struct CancelOnDrop<'a>(&'a Run);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        // After the run's end this does nothing.
        self.0.cancel();
    }
}

/// Tells a client what happens.
struct Teller<'a> {
    client: &'a Client,
    /// How many notifications of progress there were.
    done: f64,
    gone: bool,
    /// The steps in flight that write to the log.
    logs: HashSet<Text>,
}

impl Teller<'_> {
    async fn tell(&mut self, event: &EventKind) {
        match event {
            EventKind::StepStarted { path, action, .. } if action == "log.write" => {
                self.logs.insert(path.clone());
            }
            EventKind::StepOutput { path, output } if self.logs.contains(path) => {
                self.log(level(output), path, Json::from(output)).await;
            }
            EventKind::StepOutput { path, output } if output.get("warning").is_some() => {
                self.log(LoggingLevel::Warning, path, Json::from(output)).await;
            }
            EventKind::Emitted { path, value } => self.log(LoggingLevel::Info, path, Json::from(value)).await,
            EventKind::StepRetrying { path, error, .. } => {
                let data = json!({ "warning": format!("{path} failed and is tried again"), "error": error });
                self.log(LoggingLevel::Warning, path, data).await;
            }
            _ => {}
        }
        // A line of the log is told already.
        if event.ends_step() && event.path().is_some_and(|path| self.logs.remove(path)) {
            return;
        }
        self.progress(event).await;
    }

    /// Steps as progress: each that begins with a title is named, each that ends counts.
    async fn progress(&mut self, event: &EventKind) {
        let Some(token) = &self.client.token else { return };
        let message = match event {
            EventKind::StepStarted { title: Some(title), attempt: 1, .. } => title.to_string(),
            EventKind::StepRetrying { path, error, .. } => format!("{path} failed ({error}), trying again"),
            EventKind::RunWaiting { reason, .. } => format!("waiting: {reason}"),
            event if event.ends_step() => format!("{} {}", event.path().unwrap_or_default(), ending(event)),
            _ => return,
        };
        // Progress must grow with every notification, whatever it tells.
        self.done += 1.0;
        if self.gone {
            return;
        }
        let told = ProgressNotificationParam::new(token.clone(), self.done).with_message(message);
        self.gone = self.client.peer.notify_progress(told).await.is_err();
    }

    async fn log(&mut self, level: LoggingLevel, path: &str, data: Json) {
        if self.gone || !self.client.listens(level) {
            return;
        }
        let mut message = LoggingMessageNotificationParam::new(level, data);
        message.logger = Some(path.to_owned());
        self.gone = self.client.peer.notify_logging_message(message).await.is_err();
    }
}

/// The level of a line of the log.
fn level(line: &Value) -> LoggingLevel {
    match line.get("level").and_then(Value::as_str) {
        Some("debug") => LoggingLevel::Debug,
        Some("warning") => LoggingLevel::Warning,
        Some("error") => LoggingLevel::Error,
        _ => LoggingLevel::Info,
    }
}

fn ending(event: &EventKind) -> &'static str {
    match event {
        EventKind::StepCompleted { .. } => "done",
        EventKind::StepFailed { .. } => "failed",
        EventKind::StepSkipped { .. } => "skipped",
        _ => "cancelled",
    }
}
