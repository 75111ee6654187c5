//! The stdio transport: one JSON-RPC message a line. A line that is no message is noise and skipped; one that is too
//! long is not kept, and whoever waits for the answer in it is told.

use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{ErrorData, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Mutex;

/// How much of a line that is too long is kept from its beginning and its end, to find the request it answers.
const ENDS: usize = 512;

/// A server's standard input and output.
pub(super) struct Stdio {
    name: String,
    input: Arc<Mutex<Option<ChildStdin>>>,
    output: BufReader<ChildStdout>,
    /// The line so far: reading is taken up where it was cancelled.
    line: Vec<u8>,
    /// The length and the end of a line that is too long; its beginning is in `line`.
    overlong: Option<(usize, Vec<u8>)>,
    longest: usize,
}

impl Stdio {
    /// Over these pipes; lines of more than `longest` bytes are not read.
    pub(super) fn new(name: &str, input: ChildStdin, output: ChildStdout, longest: usize) -> Self {
        Self {
            name: name.to_owned(),
            input: Arc::new(Mutex::new(Some(input))),
            output: BufReader::with_capacity(64 << 10, output),
            line: Vec::new(),
            overlong: None,
            longest,
        }
    }

    /// The next message, or `Err` at the end of the output.
    async fn next(&mut self) -> Result<Option<RxJsonRpcMessage<RoleClient>>, ()> {
        loop {
            let available = self.output.fill_buf().await.map_err(drop)?;
            if available.is_empty() {
                return Err(());
            }
            let newline = available.iter().position(|byte| *byte == b'\n');
            let piece = available.get(..newline.unwrap_or(available.len())).unwrap_or_default();
            match &mut self.overlong {
                Some((length, end)) => {
                    *length += piece.len();
                    end.extend_from_slice(piece.get(piece.len().saturating_sub(ENDS)..).unwrap_or_default());
                    end.drain(..end.len().saturating_sub(ENDS));
                }
                None if self.line.len() + piece.len() > self.longest => {
                    let mut end = self.line.split_off(self.line.len().saturating_sub(ENDS));
                    end.extend_from_slice(piece);
                    end.drain(..end.len().saturating_sub(ENDS));
                    self.overlong = Some((self.line.len() + piece.len(), end));
                    self.line.truncate(ENDS);
                    self.line.shrink_to_fit();
                }
                None => self.line.extend_from_slice(piece),
            }
            let read = piece.len() + usize::from(newline.is_some());
            self.output.consume(read);
            if newline.is_some() {
                return Ok(self.take());
            }
        }
    }

    /// The message in the line that has been read.
    fn take(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let line = std::mem::take(&mut self.line);
        if let Some((length, end)) = self.overlong.take() {
            let id = answered(&line, &end);
            tracing::warn!(target: "flowc::mcp", server = self.name, length, "a line is too long and was skipped");
            let message = format!("the answer is larger than {} bytes", self.longest);
            return Some(RxJsonRpcMessage::<RoleClient>::error(ErrorData::internal_error(message, None), Some(id?)));
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            return None;
        }
        serde_json::from_slice(text)
            .inspect_err(|error| {
                let noise: String = String::from_utf8_lossy(text).chars().take(200).collect();
                tracing::warn!(target: "flowc::mcp", server = self.name, %error, noise, "what is no message was skipped");
            })
            .ok()
    }
}

impl Transport<RoleClient> for Stdio {
    type Error = std::io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let input = Arc::clone(&self.input);
        async move {
            let mut line = serde_json::to_vec(&message)?;
            line.push(b'\n');
            let mut input = input.lock().await;
            let input = input.as_mut().ok_or(std::io::ErrorKind::NotConnected)?;
            input.write_all(&line).await?;
            input.flush().await
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            match self.next().await {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(()) => return None,
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        // A server that does not read may hold up whoever writes; its end will not wait for that.
        if let Ok(mut input) = tokio::time::timeout(Duration::from_millis(200), self.input.lock()).await {
            input.take();
        }
        Ok(())
    }
}

/// The request that a line of which only the ends are known answers: servers write `id` before the result or after it.
fn answered(beginning: &[u8], end: &[u8]) -> Option<RequestId> {
    let (beginning, end) = (String::from_utf8_lossy(beginning), String::from_utf8_lossy(end));
    let before = beginning.split("\"result\"").next().filter(|head| head.len() < beginning.len());
    let id = |text: &str| {
        let (before, after) = text.rsplit_once("\"id\"")?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        if before.ends_with('\\') {
            return None;
        }
        serde_json::Deserializer::from_str(value).into_iter::<RequestId>().next()?.ok()
    };
    before.and_then(id).or_else(|| id(&end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_of_a_line_that_is_too_long_is_found_at_either_end() {
        let number = Some(RequestId::Number(7));
        assert_eq!(answered(br#"{"jsonrpc":"2.0","id":7,"result":{"content":["#, b"xxx"), number);
        assert_eq!(answered(br#"{"result":{"content":["#, br#"xxx \"id\":3 "}]},"jsonrpc":"2.0","id":7}"#), number);
        assert_eq!(answered(br#"{"result":{"id": 3, "#, br#"xxx"}, "jsonrpc": "2.0", "id" : 7 }"#), number);
        let text = Some(RequestId::String("a".into()));
        assert_eq!(answered(br#"{"id":"a","result":"#, b"xxx"), text);
        assert_eq!(answered(b"xxxx", b"xxxx"), None);
        assert_eq!(answered(b"xxxx", br#" \"id\":3 "#), None);
    }
}
