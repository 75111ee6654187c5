//! What goes wrong on the way, in the language's kinds of error.

use std::error::Error;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use url::Url;

use crate::run::ToolError;
use crate::tools::http::client::{Response, TooManyRedirects, denied};
use crate::tools::http::guard::Refused;
use crate::tools::http::resolve::NotFound;
use crate::tools::http::text;
use crate::value::{ErrorKind, Value, format_duration};

/// How much of an error page's text its details keep.
pub(crate) const EXCERPT: usize = 2_000;

/// A request that got no answer.
pub(crate) fn not_sent(url: &Url, error: &reqwest::Error) -> ToolError {
    if let Some(refused) = cause::<Refused>(error) {
        return denied(refused);
    }
    let host = url.host_str().unwrap_or_default();
    if cause::<TooManyRedirects>(error).is_some() {
        return ToolError::new(ErrorKind::Tool, format!("`{host}` redirects in circles: {TooManyRedirects}"));
    }
    if error.is_redirect() {
        return ToolError::new(ErrorKind::Tool, format!("`{host}` redirects to what is no address: {}", root(error)));
    }
    if error.is_builder() {
        return ToolError::new(ErrorKind::Invalid, format!("the request cannot be sent: {}", root(error)))
            .undelivered();
    }
    if let Some(not_found) = cause::<NotFound>(error) {
        return ToolError::new(ErrorKind::Network, not_found.to_string()).undelivered();
    }
    if error.is_timeout() {
        let failure = ToolError::new(ErrorKind::Timeout, format!("`{host}` could not be reached in time"));
        return if error.is_connect() { failure.undelivered() } else { failure };
    }
    if error.is_connect() {
        let reason = root(error);
        return ToolError::new(ErrorKind::Network, format!("`{host}` could not be reached: {reason}")).undelivered();
    }
    ToolError::new(ErrorKind::Network, format!("`{host}` broke the connection off: {}", root(error)))
}

/// An answer that did not come to its end.
pub(super) fn broken_off(url: &Url, bytes: usize, error: &reqwest::Error) -> ToolError {
    let host = url.host_str().unwrap_or_default();
    ToolError::new(ErrorKind::Network, format!("the answer of `{host}` broke off after {bytes} bytes: {}", root(error)))
}

/// A request that took too long.
pub(super) fn timed_out(url: &Url, limit: Duration) -> ToolError {
    let limit = format_duration(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
    ToolError::new(
        ErrorKind::Timeout,
        format!("`{}` did not answer within {limit}", url.host_str().unwrap_or_default()),
    )
}

/// An answer that is not read because of its size.
pub(super) fn too_large(url: &Url, limit: usize) -> ToolError {
    let details = Value::record_of([("limit", Value::Int(i64::try_from(limit).unwrap_or(i64::MAX)))]);
    let limit = if limit >= 1 << 20 { format!("{} MiB", limit >> 20) } else { format!("{limit} bytes") };
    ToolError::new(ErrorKind::Tool, format!("the answer of `{url}` is larger than {limit}")).details(details)
}

/// The error that an answer of this status is, for tools whose answers must be good ones: `rate_limit` for 429,
/// `timeout` for 408, else `tool`; retryable where the server says that another time may do.
pub fn status_error(response: &Response) -> Option<ToolError> {
    let status = response.status;
    // A redirect that was not followed leads to no web address.
    let astray = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    if !status.is_client_error() && !status.is_server_error() && !astray {
        return None;
    }
    let (kind, retryable) = kind_of(status.as_u16());
    let reason = status.canonical_reason().unwrap_or_default().to_lowercase();
    let end = if astray { ", which leads to no web address" } else { "" };
    let message = format!("`{}` answered {}{end}", response.url, format!("{} {reason}", status.as_u16()).trim_end());
    let excerpt: String = text::decode(response).unwrap_or_default().chars().take(EXCERPT).collect();
    let mut error = ToolError::new(kind, message).details(Value::record_of([
        ("status", Value::Int(i64::from(status.as_u16()))),
        ("url", response.url.as_str().into()),
        ("body", excerpt.into()),
    ]));
    error.retryable = retryable;
    // What the APIs behind generated SDKs say of it themselves.
    match response.headers.get("x-should-retry").map(HeaderValue::as_bytes) {
        Some(b"true") => error.retryable = true,
        Some(b"false") => error.retryable = false,
        _ => {}
    }
    Some(error.retry_after(retry_after(&response.headers)))
}

/// The kind of error that a status is, and whether another time may do.
pub(crate) fn kind_of(status: u16) -> (ErrorKind, bool) {
    let kind = match status {
        408 => ErrorKind::Timeout,
        429 => ErrorKind::RateLimit,
        _ => ErrorKind::Tool,
    };
    (kind, kind.retryable() || matches!(status, 425 | 500 | 502 | 503 | 504))
}

/// `Retry-After`, in seconds or as a date (RFC 9110, section 10.2.3), or the finer `retry-after-ms` of some APIs.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    #[allow(clippy::disallowed_methods, reason = "a server's date is compared with this machine's, not with the run's")]
    let now = Timestamp::now();
    wait(headers, now)
}

fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let millis = headers.get("retry-after-ms").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    if let Some(millis) = millis {
        return Some(Duration::from_millis(millis));
    }
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// The first cause of this type.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut error = error;
    loop {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        error = error.source()?;
    }
}

/// The innermost cause, in its own words.
fn root(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    // `Connection refused (os error 111)`: the number tells a reader nothing.
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => "no reason given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = Timestamp::from_second(784_111_777).expect("time");
        let mut headers = HeaderMap::new();
        let mut read = |text: &'static str| {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            wait(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_mins(2)));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sun, 06 Nov 1994 08:40:07 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
        headers.insert("retry-after-ms", HeaderValue::from_static("1500"));
        assert_eq!(wait(&headers, now), Some(Duration::from_millis(1500)));
    }
}
