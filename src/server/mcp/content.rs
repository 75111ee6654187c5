//! Pictures and files as what a client can show. Its model pays for each that it gets, so most are links, to be read where
//! they are wanted (see [`Offer`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{ContentBlock, Resource, ResourceContents};

use super::offer::{Embed, Offer};
use crate::run::Engine;
use crate::types::Type;
use crate::value::Value;

/// How many of a result's pictures and files are told.
const MOST: usize = 20;

/// Makes blocks of handles.
pub(super) struct Contents<'a> {
    engine: &'a Engine,
    offer: &'a Offer,
}

/// A handle's fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle<'a> {
    pub(super) url: &'a str,
    pub(super) mime_type: &'a str,
    size: u64,
}

impl<'a> Handle<'a> {
    /// The handle that a value is.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        let text = |name| value.get(name).and_then(Value::as_str);
        let size = value.get("size")?.as_int()?;
        Some(Self { url: text("url")?, mime_type: text("mime_type")?, size: u64::try_from(size).ok()? })
    }

    /// The handles in a value, each once.
    fn find(value: &'a Value, found: &mut Vec<Self>) {
        if let Some(handle) = Self::of(value) {
            if !found.contains(&handle) {
                found.push(handle);
            }
            return;
        }
        match value {
            Value::List(items) => items.iter().for_each(|item| Self::find(item, found)),
            Value::Record(record) => record.iter().for_each(|(_, value)| Self::find(value, found)),
            Value::Map(map) => map.iter().for_each(|(_, value)| Self::find(value, found)),
            _ => {}
        }
    }

    fn link(self) -> ContentBlock {
        let name = self.url.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(self.url);
        let resource = Resource::new(self.url, name).with_mime_type(self.mime_type).with_size(self.size);
        ContentBlock::resource_link(resource)
    }
}

impl<'a> Contents<'a> {
    pub(super) fn new(engine: &'a Engine, offer: &'a Offer) -> Self {
        Self { engine, offer }
    }

    /// What stands beside the text of a result.
    pub(super) async fn beside(&self, value: &Value, declared: &Type) -> Vec<ContentBlock> {
        let mut found = Vec::new();
        Handle::find(value, &mut found);
        let own = matches!(declared.without_null(), Type::Image | Type::File);
        let embeds = match self.offer.embed {
            Embed::Never => false,
            Embed::Result => own,
            Embed::All => true,
        };
        let mut blocks = Vec::new();
        let mut left = if embeds { self.offer.embed_bytes as u64 } else { 0 };
        for handle in found.into_iter().take(MOST) {
            blocks.push(self.shown(handle, &mut left).await);
        }
        blocks
    }

    /// A picture or file that was asked for, itself where it is not too large.
    pub(super) async fn asked(&self, handle: Handle<'_>) -> ContentBlock {
        self.shown(handle, &mut (self.offer.embed_bytes as u64)).await
    }

    /// Itself, where so many bytes are left and it is kept here; else a link to it.
    async fn shown(&self, handle: Handle<'_>, left: &mut u64) -> ContentBlock {
        if handle.size > *left {
            return handle.link();
        }
        match self.engine.artifacts().load(handle.url).await {
            Ok(Some(bytes)) => {
                *left = left.saturating_sub(handle.size);
                block(handle.url, handle.mime_type, bytes)
            }
            _ => handle.link(),
        }
    }
}

/// Bytes as the block of their kind.
fn block(uri: &str, mime_type: &str, bytes: Vec<u8>) -> ContentBlock {
    match mime_type.split('/').next() {
        Some("image") => ContentBlock::image(STANDARD.encode(bytes), mime_type),
        Some("audio") => ContentBlock::audio(STANDARD.encode(bytes), mime_type),
        _ => ContentBlock::resource(contents(uri, mime_type, bytes)),
    }
}

/// Bytes as a resource: text, where they are.
pub(super) fn contents(uri: &str, mime_type: &str, bytes: Vec<u8>) -> ResourceContents {
    let texty =
        mime_type.starts_with("text/") || ["json", "xml", "yaml", "toml"].iter().any(|end| mime_type.ends_with(end));
    let told = match (texty, String::from_utf8(bytes)) {
        (true, Ok(text)) => ResourceContents::text(text, uri),
        (false, Ok(text)) => ResourceContents::blob(STANDARD.encode(text), uri),
        (_, Err(bytes)) => ResourceContents::blob(STANDARD.encode(bytes.into_bytes()), uri),
    };
    told.with_mime_type(mime_type)
}
