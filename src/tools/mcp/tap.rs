//! Progress notifications, taken out of the stream of messages before the answer that follows them: whoever waits for
//! the answer has seen all progress when it comes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleClient;
use rmcp::model::{JsonRpcMessage, ProgressNotificationParam, ProgressToken, ServerNotification};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::mpsc;

/// How many notifications wait for a call to look at them; what comes beyond is dropped.
const WAITING: usize = 64;

/// Who listens for the progress of which request.
#[derive(Clone, Default)]
pub(super) struct Listeners(Arc<Mutex<HashMap<ProgressToken, mpsc::Sender<ProgressNotificationParam>>>>);

/// Listens until it is dropped.
pub(super) struct Listener {
    listeners: Listeners,
    token: ProgressToken,
    progress: mpsc::Receiver<ProgressNotificationParam>,
}

impl Listeners {
    /// Listens for the progress of the request with this token.
    pub(super) fn listen(&self, token: ProgressToken) -> Listener {
        let (sender, progress) = mpsc::channel(WAITING);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), sender);
        Listener { listeners: self.clone(), token, progress }
    }

    fn tell(&self, progress: ProgressNotificationParam) {
        let listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listeners.get(&progress.progress_token) {
            let _ = listener.try_send(progress);
        }
    }
}

impl Listener {
    /// The next notification.
    pub(super) async fn next(&mut self) -> Option<ProgressNotificationParam> {
        self.progress.recv().await
    }

    /// The next notification that has come already.
    pub(super) fn pending(&mut self) -> Option<ProgressNotificationParam> {
        self.progress.try_recv().ok()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}

/// A transport whose progress notifications go to those who listen.
pub(super) struct Tap<T> {
    pub(super) transport: T,
    pub(super) listeners: Listeners,
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Tap<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.transport.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            match self.transport.receive().await? {
                JsonRpcMessage::Notification(notification) => match notification.notification {
                    ServerNotification::ProgressNotification(progress) => self.listeners.tell(progress.params),
                    other => return Some(RxJsonRpcMessage::<RoleClient>::notification(other)),
                },
                message => return Some(message),
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.transport.close().await
    }
}
