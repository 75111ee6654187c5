//! What can be read: files, what flows return, what runs have stored, and how to write a flow.

use std::path::{Path, PathBuf};

use regex::Regex;
use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceTemplate};
use serde_json::{Map, Value as Json, json};

use super::McpServer;
use super::client::Client;
use super::content::{Handle, contents};
use super::offer::{OfferedResource, ResourceSource};
use crate::orchestrator::Orchestrator;
use crate::value::Value;

/// How to write a flow.
const GUIDE: &str = "flow://guide";
/// The largest file that is read.
const MOST: u64 = 8 << 20;

/// The types of files that are offered often.
const TYPES: [(&str, &str); 16] = [
    ("md", "text/markdown"),
    ("flow", "text/plain"),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("toml", "application/toml"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("svg", "image/svg+xml"),
    ("wav", "audio/wav"),
];

/// The resources that the operator offers.
#[derive(Debug, Default)]
pub(super) struct Resources(Vec<Known>);

#[derive(Debug)]
struct Known {
    offered: OfferedResource,
    /// Of a template: what its addresses look like, with a group for each variable.
    template: Option<Regex>,
}

impl Resources {
    /// # Errors
    /// A sentence that says which of them can be none.
    pub(super) fn new(offered: &[OfferedResource], orchestrator: &Orchestrator) -> Result<Self, String> {
        let known = offered.iter().map(|resource| {
            let template = template(&resource.uri)?;
            let variables: Vec<&str> = template.iter().flat_map(Regex::capture_names).flatten().collect();
            match &resource.source {
                ResourceSource::File(_) if !variables.is_empty() => {
                    return Err(format!("`{}` has variables, and a file takes none: name a flow", resource.uri));
                }
                ResourceSource::File(_) => {}
                ResourceSource::Flow(name) => {
                    let params = orchestrator.workflow(name).map(|it| it.flow().params.as_slice()).unwrap_or_default();
                    if let Some(variable) =
                        variables.iter().find(|variable| !params.iter().any(|param| param.name == **variable))
                    {
                        return Err(format!("`{}`: the flow `{name}` has no parameter `{variable}`", resource.uri));
                    }
                    let open = |name: &str| !variables.contains(&name);
                    if let Some(param) = params.iter().find(|param| !param.optional && open(&param.name)) {
                        return Err(format!("`{}` gives nothing for `{}` of `{name}`", resource.uri, param.name));
                    }
                }
            }
            Ok(Known { offered: resource.clone(), template })
        });
        known.collect::<Result<_, String>>().map(Self)
    }

    /// The resource at an address, and what its template's variables are there.
    fn find(&self, uri: &str) -> Option<(&OfferedResource, Map<String, Json>)> {
        let exact = self.0.iter().find(|known| known.template.is_none() && known.offered.uri == uri);
        if let Some(known) = exact {
            return Some((&known.offered, Map::new()));
        }
        self.0.iter().find_map(|known| {
            let template = known.template.as_ref()?;
            let found = template.captures(uri)?;
            let variable = |name: &str| Some((name.to_owned(), Json::from(decoded(found.name(name)?.as_str()))));
            Some((&known.offered, template.capture_names().flatten().filter_map(variable).collect()))
        })
    }

    pub(super) fn templates(&self) -> Vec<ResourceTemplate> {
        let told = |known: &Known| {
            let OfferedResource { uri, description, mime_type, .. } = &known.offered;
            let template = ResourceTemplate::new(uri, name(&known.offered)).with_description(description);
            match mime_type {
                Some(mime_type) => template.with_mime_type(mime_type),
                None => template,
            }
        };
        self.0.iter().filter(|known| known.template.is_some()).map(told).collect()
    }

    /// The flow behind an address or a template.
    pub(super) fn flow_of(&self, uri: &str) -> Option<&str> {
        let known = self.0.iter().find(|known| known.offered.uri == uri)?;
        match &known.offered.source {
            ResourceSource::Flow(flow) => Some(flow),
            ResourceSource::File(_) => None,
        }
    }

    /// The file behind an address: what can be watched.
    pub(super) fn watchable(&self, uri: &str) -> Result<PathBuf, ErrorData> {
        match self.find(uri).map(|(resource, _)| &resource.source) {
            Some(ResourceSource::File(path)) => Ok(path.clone()),
            Some(ResourceSource::Flow(_)) => {
                Err(ErrorData::invalid_params(format!("nothing tells when `{uri}` changes: a flow makes it"), None))
            }
            None => Err(unknown(uri)),
        }
    }
}

impl McpServer {
    pub(super) fn listed_resources(&self) -> Vec<Resource> {
        let told = |known: &Known| {
            let OfferedResource { uri, description, mime_type, source } = &known.offered;
            let resource = Resource::new(uri, name(&known.offered)).with_description(description);
            match (mime_type, source) {
                (Some(mime_type), _) => resource.with_mime_type(mime_type),
                (None, ResourceSource::File(path)) => match by_name(path) {
                    Some(mime_type) => resource.with_mime_type(mime_type),
                    None => resource,
                },
                _ => resource,
            }
        };
        let guide = self.scripts.then(|| {
            Resource::new(GUIDE, "guide")
                .with_description("How to write a flow, and the workflows and tools there are for it.")
                .with_mime_type("text/markdown")
        });
        let own = self.resources.0.iter().filter(|known| known.template.is_none()).map(told);
        guide.into_iter().chain(own).collect()
    }

    pub(super) async fn read(&self, uri: &str, client: &Client) -> Result<ReadResourceResult, ErrorData> {
        let one = |contents| Ok(ReadResourceResult::new(vec![contents]));
        if uri == GUIDE && self.scripts {
            let guide = self.orchestrator.prompt(|tool| self.orchestrator.available(tool));
            return one(contents(uri, "text/markdown", guide.into_bytes()));
        }
        let Some((resource, variables)) = self.resources.find(uri) else { return one(self.stored(uri).await?) };
        let mime_type = resource.mime_type.as_deref();
        match &resource.source {
            ResourceSource::File(path) => {
                let bytes = bytes(path, uri).await?;
                let mime_type = mime_type.or_else(|| by_name(path)).unwrap_or_else(|| by_bytes(&bytes));
                one(contents(uri, mime_type, bytes))
            }
            ResourceSource::Flow(name) => {
                let workflow = self.orchestrator.workflow(name).ok_or_else(|| unknown(uri))?;
                let value = self.run(workflow, variables, client).await?;
                match (&value, Handle::of(&value)) {
                    (_, Some(handle)) => {
                        let bytes = self.artifact(handle.url).await?;
                        one(contents(uri, mime_type.unwrap_or(handle.mime_type), bytes))
                    }
                    (Value::String(text), _) => {
                        one(contents(uri, mime_type.unwrap_or("text/plain"), text.as_bytes().to_vec()))
                    }
                    (value, _) => {
                        let text = value.to_json_text().into_bytes();
                        one(contents(uri, mime_type.unwrap_or("application/json"), text))
                    }
                }
            }
        }
    }

    /// What a run has stored, by the address of its handle.
    async fn stored(&self, uri: &str) -> Result<rmcp::model::ResourceContents, ErrorData> {
        if !uri.starts_with("file:") {
            return Err(unknown(uri));
        }
        let bytes = self.artifact(uri).await?;
        let mime_type = by_name(Path::new(uri)).unwrap_or_else(|| by_bytes(&bytes));
        Ok(contents(uri, mime_type, bytes))
    }

    /// The bytes of an artifact. The store gives none but its own.
    async fn artifact(&self, url: &str) -> Result<Vec<u8>, ErrorData> {
        let loaded = self.orchestrator.engine().artifacts().load(url).await;
        loaded.ok().flatten().ok_or_else(|| unknown(url))
    }
}

fn unknown(uri: &str) -> ErrorData {
    ErrorData::resource_not_found(format!("there is no resource `{uri}`"), Some(json!({ "uri": uri })))
}

async fn bytes(path: &Path, uri: &str) -> Result<Vec<u8>, ErrorData> {
    let unread = |why: String| ErrorData::internal_error(format!("`{uri}` cannot be read: {why}"), None);
    let size = tokio::fs::metadata(path).await.map_err(|why| unread(why.to_string()))?.len();
    if size > MOST {
        return Err(unread(format!("it is larger than {} MiB", MOST >> 20)));
    }
    tokio::fs::read(path).await.map_err(|why| unread(why.to_string()))
}

/// What a person calls it.
fn name(resource: &OfferedResource) -> String {
    match &resource.source {
        ResourceSource::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        ResourceSource::Flow(flow) => flow.clone(),
    }
}

fn by_name(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    TYPES.iter().find(|(known, _)| *known == extension).map(|(_, mime_type)| *mime_type)
}

fn by_bytes(bytes: &[u8]) -> &'static str {
    if std::str::from_utf8(bytes).is_ok() { "text/plain" } else { "application/octet-stream" }
}

/// What the addresses of a template look like (RFC 6570, level 1); none where it has no variables.
fn template(uri: &str) -> Result<Option<Regex>, String> {
    let wrong = |why: &str| format!("`{uri}` can be no resource's address: {why}");
    if !uri.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty()) {
        return Err(wrong("it has no scheme, such as `docs://`"));
    }
    if !uri.contains('{') {
        return Ok(None);
    }
    let mut pattern = String::from("^");
    for (at, piece) in uri.split('{').enumerate() {
        let plain = match (at, piece.split_once('}')) {
            (0, _) => piece,
            (_, Some((variable, plain))) if crate::types::is_name(variable) => {
                pattern.push_str(&format!("(?P<{variable}>[^/?#]+)"));
                plain
            }
            _ => return Err(wrong("a variable is a name in braces, `{id}`")),
        };
        pattern.push_str(&regex::escape(plain));
    }
    pattern.push('$');
    Regex::new(&pattern).map(Some).map_err(|_| wrong("a variable stands there twice"))
}

/// A part of an address without its percent signs.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = byte.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_have_variables() {
        let template = template("orders://{shop}/{id}/items").expect("a template").expect("variables");
        let found = template.captures("orders://b%20c/17/items").expect("an address");
        assert_eq!((decoded(&found["shop"]).as_str(), &found["id"]), ("b c", "17"));
        assert!(template.captures("orders://a/b/c/items").is_none());
        assert_eq!(decoded("100%"), "100%");
    }

    #[test]
    fn addresses_are_checked() {
        assert!(template("docs://style").expect("an address").is_none());
        for wrong in ["style.md", "a://{", "a://{x y}", "a://{x}/{x}"] {
            assert!(template(wrong).is_err(), "{wrong}");
        }
    }
}
