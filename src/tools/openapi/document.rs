//! An OpenAPI document, read: where its service is, who may call it, and what it can do.

use serde_json::{Map, Value as Json};
use url::Url;

use crate::tools::openapi::operation::Operation;

/// The methods that a path may have (OpenAPI 3.1, section 4.8.9).
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];
/// How far a reference may lead to another one.
const REFERENCES: usize = 16;

/// A document.
#[derive(Debug)]
pub(super) struct OpenApiDocument {
    pub(super) json: Json,
    pub(super) operations: Vec<Operation>,
}

impl OpenApiDocument {
    /// Reads a document: JSON, or else YAML.
    ///
    /// # Errors
    /// A sentence that says what it is not.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let json: Json = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?
        } else {
            serde_saphyr::from_str(text).map_err(|error| format!("it is not YAML: {error}"))?
        };
        let version = json.get("openapi").and_then(Json::as_str).unwrap_or_default();
        if !version.starts_with("3.") {
            return Err(format!("it is no OpenAPI 3 document: `openapi` is `{version}`"));
        }
        let mut operations = Vec::new();
        for (path, item) in json.get("paths").and_then(Json::as_object).into_iter().flatten() {
            let item = resolve(&json, item);
            for method in METHODS {
                if let Some(operation) = item.get(method) {
                    operations.push(Operation::read(&json, path, method, item, operation));
                }
            }
        }
        Ok(Self { json, operations })
    }

    /// The address of its first server; `at` is the document's own, which a relative one builds on.
    pub(super) fn server(&self, at: Option<&Url>) -> Option<Url> {
        let server = self.json.pointer("/servers/0")?;
        let mut address = server.get("url")?.as_str()?.to_owned();
        for (name, variable) in server.get("variables").and_then(Json::as_object).into_iter().flatten() {
            let value = variable.get("default").and_then(Json::as_str).unwrap_or_default();
            address = address.replace(&format!("{{{name}}}"), value);
        }
        let found = match at {
            Some(at) => at.join(&address),
            None => Url::parse(&address),
        };
        found.ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    }

    /// The first of its security schemes of a type (`apiKey`, `oauth2`).
    pub(super) fn scheme(&self, kind: &str) -> Option<&Map<String, Json>> {
        let schemes = self.json.pointer("/components/securitySchemes")?.as_object()?;
        let mut schemes = schemes.values().map(|scheme| resolve(&self.json, scheme));
        schemes.find(|scheme| scheme.get("type").and_then(Json::as_str) == Some(kind))?.as_object()
    }
}

/// What a reference within the document leads to; what is none is itself.
pub(super) fn resolve<'a>(root: &'a Json, mut node: &'a Json) -> &'a Json {
    for _ in 0..REFERENCES {
        let Some(reference) = node.get("$ref").and_then(Json::as_str) else { break };
        let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) else { break };
        node = target;
    }
    node
}
