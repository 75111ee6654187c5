//! Outgoing HTTP: one guarded client for everything, and the `http` tools over it.

mod client;
mod failure;
mod guard;
mod request;
mod resolve;
mod text;

pub use client::{HttpClient, HttpConfig, Incoming, MAX_REDIRECTS, Redirects, Request, Response, USER_AGENT};
pub(crate) use failure::EXCERPT;
pub use failure::status_error;
#[cfg(feature = "mcp")]
pub(crate) use failure::{kind_of, not_sent, retry_after};
pub use guard::{AllowPrivate, Allowed, Guard, Refused};
pub use request::Http;
#[cfg(feature = "web")]
pub(crate) use request::read_headers;
pub use resolve::{Lookup, SystemLookup};
pub use text::{decode, mime_type};
