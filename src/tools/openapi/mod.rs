//! Operations of OpenAPI documents (3.0 and 3.1, JSON or YAML) as tools.
//!
//! ```text
//! document ─▶ Operation (method, path, places of its parameters) ─▶ Listed ─▶ flow.lock
//!                 └─▶ request ─▶ guarded client ─▶ answer
//! ```

mod auth;
mod document;
mod operation;
mod request;
mod service;
mod settings;

pub use service::OpenApi;
pub use settings::{Auth, Document, OpenApiSettings};
