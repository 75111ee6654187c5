//! What a server offers besides its tools, as its operator says.

use std::path::PathBuf;

/// What a server offers besides its tools.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The flows that are prompts: a person picks one, and what it returns is put before the model.
    pub prompts: Vec<String>,
    /// What can be read.
    pub resources: Vec<OfferedResource>,
    /// Which pictures and files of a result go along themselves; the others are linked, to be read where they are wanted.
    pub embed: Embed,
    /// How many bytes of them at most.
    pub embed_bytes: usize,
}

/// Something that can be read.
#[derive(Clone, Debug)]
pub struct OfferedResource {
    /// Its address, or a template of addresses: `orders://{id}`.
    pub uri: String,
    /// What it is.
    pub description: String,
    /// Its type; else it is told by its name and its bytes.
    pub mime_type: Option<String>,
    /// Where it comes from.
    pub source: ResourceSource,
}

/// Where a resource comes from.
#[derive(Clone, Debug)]
pub enum ResourceSource {
    /// A file, read anew each time.
    File(PathBuf),
    /// A flow, which gets the template's variables as its parameters.
    Flow(String),
}

/// Which pictures and files of a result go along themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Embed {
    /// None.
    Never,
    /// The one that the flow returns, where its result is a picture or a file.
    #[default]
    Result,
    /// All.
    All,
}

impl Default for Offer {
    fn default() -> Self {
        Self { prompts: Vec::new(), resources: Vec::new(), embed: Embed::default(), embed_bytes: 1 << 20 }
    }
}

impl Offer {
    /// The flows that are no tools.
    pub(super) fn flows(&self) -> impl Iterator<Item = &str> {
        let behind = self.resources.iter().filter_map(|resource| match &resource.source {
            ResourceSource::Flow(flow) => Some(flow.as_str()),
            ResourceSource::File(_) => None,
        });
        self.prompts.iter().map(String::as_str).chain(behind)
    }
}
