//! The port to where what tools make is kept: pictures and documents.

use futures::future::BoxFuture;

use crate::run::ports::ToolError;
use crate::types::Text;
use crate::value::{ErrorKind, Value};

/// Where what tools make is kept: pictures and documents. Values hold handles to it, never its bytes.
pub trait Artifacts: Send + Sync {
    /// Keeps bytes, the same ones once. `mime_type` is what their sender says they are, and `name` what a person may
    /// call them; either may be empty. The store looks at the bytes itself and trusts neither.
    ///
    /// # Errors
    /// `invalid` for what claims to be a picture and is none, or is larger than the store takes; else why it cannot be
    /// kept.
    fn store<'a>(
        &'a self,
        bytes: Vec<u8>,
        mime_type: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>>;

    /// The bytes behind a handle's address; none where they are not kept here but have to be fetched.
    ///
    /// # Errors
    /// The address is one of the store's, but its bytes cannot be read.
    fn load<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ToolError>>;
}

impl Artifacts for Box<dyn Artifacts> {
    fn store<'a>(
        &'a self,
        bytes: Vec<u8>,
        mime_type: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>> {
        (**self).store(bytes, mime_type, name)
    }

    fn load<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ToolError>> {
        (**self).load(url)
    }
}

/// Something that is kept. As a value it is a handle: `{ url, mime_type, size }`, and `width` and `height` of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Where it is: an http(s) address, or a `file:` one on this machine.
    pub url: String,
    /// What it is, by its bytes.
    pub mime_type: String,
    /// How many bytes.
    pub size: u64,
    /// Width and height in pixels, of a picture.
    pub dimensions: Option<(u32, u32)>,
    /// What whoever reads the run should know about it: that it is kept here only, since its upload failed.
    pub warning: Option<String>,
}

impl From<Artifact> for Value {
    fn from(artifact: Artifact) -> Self {
        let size = i64::try_from(artifact.size).unwrap_or(i64::MAX);
        let mut fields: Vec<(Text, Value)> = vec![
            ("url".into(), artifact.url.into()),
            ("mime_type".into(), artifact.mime_type.into()),
            ("size".into(), Value::Int(size)),
        ];
        if let Some((width, height)) = artifact.dimensions {
            fields.push(("width".into(), Value::Int(width.into())));
            fields.push(("height".into(), Value::Int(height.into())));
        }
        Value::record(fields)
    }
}

/// No store at all.
#[derive(Debug, Clone, Copy)]
pub struct NoArtifacts;

impl Artifacts for NoArtifacts {
    fn store<'a>(&'a self, _: Vec<u8>, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Artifact, ToolError>> {
        let why = "nothing keeps pictures and files here: name a store where the engine is built \
                   (`EngineBuilder::artifacts`)";
        Box::pin(std::future::ready(Err(ToolError::new(ErrorKind::Denied, why))))
    }

    fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ToolError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
