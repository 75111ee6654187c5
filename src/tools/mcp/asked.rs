//! What a server asks while it works on a call (`elicitation/create`): put before the person of the run whose call it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability,
    ErrorData, FormElicitationCapability, Implementation, ProtocolVersion,
};
use rmcp::service::{RequestContext, RoleClient};
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};

use crate::run::{Request, RequestKind, ToolError};
use crate::types::{Text, Type};
use crate::value::{ErrorKind, Value};

/// How many questions a call may have open.
const OPEN: usize = 16;

/// What a server is told of us, and what answers it.
#[derive(Clone, Default)]
pub(super) struct Us(Arc<Calls>);

/// The calls that are in flight.
#[derive(Default)]
struct Calls {
    next: AtomicU64,
    all: Mutex<Vec<(u64, Text, mpsc::Sender<Question>)>>,
}

/// A question of the server, and where its answer goes.
pub(super) struct Question {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Result<Value, ToolError>>,
}

/// Hears the questions of a call until it is dropped.
pub(super) struct Hearing {
    us: Us,
    call: u64,
    questions: mpsc::Receiver<Question>,
}

impl Us {
    /// Hears what the server asks while it works for this run.
    pub(super) fn hear(&self, run: &str) -> Hearing {
        let (sender, questions) = mpsc::channel(OPEN);
        let call = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.lock().push((call, run.into(), sender));
        Hearing { us: self.clone(), call, questions }
    }

    /// The call that a question belongs to. A server does not say; where it works for several runs, nobody is asked what
    /// may be another's.
    fn asker(&self) -> Option<mpsc::Sender<Question>> {
        let calls = self.lock();
        let (_, run, sender) = calls.first()?;
        calls.iter().all(|(_, other, _)| other == run).then(|| sender.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Text, mpsc::Sender<Question>)>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hearing {
    pub(super) async fn next(&mut self) -> Option<Question> {
        self.questions.recv().await
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.us.lock().retain(|(call, ..)| *call != self.call);
    }
}

impl ClientHandler for Us {
    fn get_info(&self) -> ClientConfig {
        let forms = ElicitationCapability::new().with_form(FormElicitationCapability::default());
        let capabilities = ClientCapabilities::builder().enable_elicitation_with(forms).build();
        ClientConfig::new(capabilities, Implementation::new("flowc", env!("CARGO_PKG_VERSION")))
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_elicitation(
        &self,
        asked: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } = asked else {
            return Ok(ElicitResult::new(ElicitationAction::Decline));
        };
        let Some(asker) = self.asker() else {
            tracing::warn!(target: "flowc::mcp", message, "a server asks, and it is not known for which run");
            return Ok(ElicitResult::new(ElicitationAction::Cancel));
        };
        let schema = serde_json::to_value(requested_schema).unwrap_or_default();
        let form = schema.get("properties").cloned().unwrap_or_default();
        let request = Request {
            kind: RequestKind::Answer,
            text: message.into(),
            details: Value::Null,
            wanted: Type::from_json_schema(&schema),
            form: form.into(),
        };
        let (reply, replied) = oneshot::channel();
        if asker.send(Question { request, reply }).await.is_err() {
            return Ok(ElicitResult::new(ElicitationAction::Cancel));
        }
        Ok(match replied.await {
            Ok(Ok(answer)) => {
                let mut content = Json::from(&answer);
                if let Some(fields) = content.as_object_mut() {
                    fields.retain(|_, value| !value.is_null());
                }
                ElicitResult::new(ElicitationAction::Accept).with_content(content)
            }
            Ok(Err(error)) if error.kind == ErrorKind::Denied => ElicitResult::new(ElicitationAction::Decline),
            _ => ElicitResult::new(ElicitationAction::Cancel),
        })
    }
}
