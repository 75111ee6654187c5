//! `[mcp]`: what `flowc mcp` offers besides the flows as tools.

use std::path::PathBuf;

use indexmap::IndexMap;

use crate::project::config::set;
use crate::project::keys::{Key, Keys, Shape};
use crate::project::reader::{Entry, Reader};

pub(super) const KEYS: Keys = Keys::new(
    &[
        Key::new("prompts", Shape::Texts, "The flows that are prompts, for people to pick; they are no tools then."),
        Key::new(
            "resources",
            Shape::Each(&Shape::OneOf(&[FILE, FLOW])),
            "What clients can read, by its address: a file, or what a flow returns. `{name}` in an address is a parameter.",
        ),
        Key::new(
            "embed",
            Shape::Pattern("^(never|result|all)$"),
            "Which pictures and files of a result go along themselves, not as links: none, the result itself, all; \"result\".",
        ),
        Key::new("embed_bytes", Shape::Count, "How many bytes of them at most; 1 MiB."),
    ],
    &[],
);

const DESCRIPTION: Key = Key::new("description", Shape::Text, "What it is.");
const MIME_TYPE: Key = Key::new("mime_type", Shape::Text, "Its type; else its name and its bytes tell.");

const FILE: Keys = Keys::new(
    &[Key::new("file", Shape::Text, "The file, relative to the project's folder."), DESCRIPTION, MIME_TYPE],
    &["file"],
);

const FLOW: Keys = Keys::new(
    &[Key::new("flow", Shape::Text, "The flow that returns it, and changes nothing."), DESCRIPTION, MIME_TYPE],
    &["flow"],
);

/// What is offered besides the flows as tools.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// The flows that are prompts.
    pub prompts: Vec<String>,
    /// What can be read, by its address.
    pub resources: IndexMap<String, ResourceSettings>,
    /// Which pictures and files of a result go along themselves.
    pub embed: EmbedSetting,
    /// How many bytes of them at most.
    pub embed_bytes: usize,
}

/// Something that can be read.
#[derive(Clone, Debug)]
pub struct ResourceSettings {
    /// Where it comes from.
    pub source: ResourceOrigin,
    /// What it is.
    pub description: String,
    /// Its type.
    pub mime_type: Option<String>,
}

/// Where a resource comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceOrigin {
    /// A file, relative to the project's folder.
    File(PathBuf),
    /// A flow.
    Flow(String),
}

/// Which pictures and files of a result go along themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmbedSetting {
    /// None.
    Never,
    /// The result itself, where it is one.
    #[default]
    Result,
    /// All.
    All,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self { prompts: Vec::new(), resources: IndexMap::new(), embed: EmbedSetting::default(), embed_bytes: 1 << 20 }
    }
}

impl ServeSettings {
    pub(super) fn read(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        for entry in reader.whole(entry, &KEYS).unwrap_or_default() {
            match entry.name {
                "prompts" => {
                    set(&mut self.prompts, reader.each(&entry, "a list of strings", |text| Ok(text.to_owned())));
                }
                "resources" => {
                    let Some(table) = reader.table(&entry) else { continue };
                    for resource in reader.all(table) {
                        if let Some(read) = read_resource(reader, &resource) {
                            self.resources.insert(resource.name.to_owned(), read);
                        }
                    }
                }
                "embed" => {
                    set(&mut self.embed, reader.read(&entry, "`\"never\"`, `\"result\"` or `\"all\"`", embed));
                }
                _ => set(&mut self.embed_bytes, reader.count(&entry)),
            }
        }
    }
}

fn read_resource(reader: &mut Reader, resource: &Entry<'_>) -> Option<ResourceSettings> {
    let keys = if reader.table(resource)?.contains_key("flow") { FLOW } else { FILE };
    let (mut source, mut description, mut mime_type) = (None, String::new(), None);
    for entry in reader.whole(resource, &keys)? {
        let text = reader.text(&entry)?.to_owned();
        match entry.name {
            "file" => source = Some(ResourceOrigin::File(text.into())),
            "flow" => source = Some(ResourceOrigin::Flow(text)),
            "description" => description = text,
            _ => mime_type = Some(text),
        }
    }
    Some(ResourceSettings { source: source?, description, mime_type })
}

fn embed(name: &str) -> Option<EmbedSetting> {
    match name {
        "never" => Some(EmbedSetting::Never),
        "result" => Some(EmbedSetting::Result),
        "all" => Some(EmbedSetting::All),
        _ => None,
    }
}
