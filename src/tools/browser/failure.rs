//! What goes wrong with a page, in the language's kinds of error.

use crate::run::ToolError;
use crate::tools::browser::connection::Failed;
use crate::value::ErrorKind;

impl From<Failed> for ToolError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Closed => {
                // The next call starts another one.
                ToolError { retryable: true, ..ToolError::new(ErrorKind::Tool, "the browser ended while it was used") }
            }
            Failed::Refused(why) => ToolError::new(ErrorKind::Tool, format!("the browser refuses: {why}")),
        }
    }
}

/// A navigation that failed, by the browser's name for why (`net::ERR_…`, Chromium's `net_error_list.h`).
pub(super) fn not_loaded(url: &str, why: &str) -> ToolError {
    let name = why.strip_prefix("net::ERR_").unwrap_or(why);
    let (kind, told) = match name {
        "TOO_MANY_REDIRECTS" => (ErrorKind::Tool, "redirects in circles"),
        "ABORTED" => (ErrorKind::Tool, "gives no page: it has no content, or is a file to download"),
        "UNSAFE_REDIRECT" | "UNKNOWN_URL_SCHEME" => (ErrorKind::Denied, "redirects to what is no web address"),
        "TIMED_OUT" | "CONNECTION_TIMED_OUT" => (ErrorKind::Timeout, "did not answer in time"),
        "EMPTY_RESPONSE" | "CONNECTION_RESET" | "CONNECTION_CLOSED" | "INCOMPLETE_CHUNKED_ENCODING" => {
            (ErrorKind::Network, "broke the connection off")
        }
        "SSL_PROTOCOL_ERROR" | "SSL_VERSION_OR_CIPHER_MISMATCH" => (ErrorKind::Network, "speaks no TLS that is known"),
        "INVALID_HTTP_RESPONSE" => (ErrorKind::Tool, "answers with what is no HTTP"),
        name if name.starts_with("CERT_") => (ErrorKind::Network, "has a certificate that is not trusted"),
        name if name.starts_with("BLOCKED_") || name == "UNSAFE_PORT" => {
            (ErrorKind::Denied, "is blocked by the browser")
        }
        _ => (ErrorKind::Network, "cannot be loaded"),
    };
    let mut error = ToolError::new(kind, format!("`{url}` {told} ({why})"));
    error.retryable &= !name.starts_with("CERT_");
    error
}
