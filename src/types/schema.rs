//! Types ⇄ JSON Schema.

use crate::types::Type;

impl Type {
    /// The type that a JSON Schema describes.
    pub fn from_json_schema(schema: &serde_json::Value) -> Type {
        let _ = schema;
        Type::Json
    }
}
