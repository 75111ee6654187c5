//! Operations of OpenAPI documents as tools.

mod settings;

pub use settings::{Auth, Document, OpenApiSettings};
