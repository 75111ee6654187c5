//! `cloudinary.upload`.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use url::Url;

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::args::{Args, invalid};
use crate::tools::cloudinary::{Asset, Cloudinary, Source, Upload};
use crate::tools::standard;
use crate::types::Signature;
use crate::value::Value;

/// `cloudinary.upload`, for an account.
pub struct CloudinaryUpload {
    api: Cloudinary,
    signature: Arc<Signature>,
}

impl CloudinaryUpload {
    /// The tool; none where the standard catalog has none of its name.
    pub fn new(api: Cloudinary) -> Option<Self> {
        Some(Self { api, signature: standard::find("cloudinary.upload")? })
    }
}

impl Tool for CloudinaryUpload {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let given = Args(&args);
            let text = |name| given.optional_text(name).map(|text| text.map(str::to_owned));
            // A second attempt uploads to the same place, so it is the same upload.
            let public_id = text("public_id")?.unwrap_or_else(|| context.idempotency_key().chars().take(32).collect());
            let tags = given.get("tags").and_then(Value::as_list).unwrap_or_default();
            let tags = tags.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            let source = source(given.get("source").unwrap_or(&Value::Null), context).await?;
            let upload = Upload { source, folder: text("folder")?, public_id, overwrite: true, tags };
            let asset = self.api.upload(&upload, context.secrets, context.timeout).await?;
            Ok(to_value(asset))
        })
    }
}

/// The bytes of an artifact that is kept here; anything else Cloudinary fetches by itself.
async fn source(source: &Value, context: ToolContext<'_>) -> Result<Source, ToolError> {
    let address = source.get("url").unwrap_or(source).as_str();
    let address =
        address.ok_or_else(|| invalid(format!("`source` must be a url or a handle, found {}", source.kind())))?;
    if let Some(bytes) = context.artifacts.load(address).await? {
        let mime_type =
            source.get("mime_type").and_then(Value::as_str).unwrap_or("application/octet-stream").to_owned();
        let name = address.rsplit('/').next().unwrap_or_default().to_owned();
        return Ok(Source::Bytes { bytes: Bytes::from(bytes), mime_type, name });
    }
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.map(Source::Remote)
        .ok_or_else(|| invalid(format!("`{address}` is neither a web address nor an artifact kept here")))
}

fn to_value(asset: Asset) -> Value {
    let count = |count: u64| Value::Int(i64::try_from(count).unwrap_or(i64::MAX));
    let side = |side: Option<u32>| side.map(|side| Value::Int(side.into()));
    let mime_type = match (asset.resource_type.as_str(), asset.format.as_deref()) {
        ("image", Some("pdf")) => "application/pdf".to_owned(),
        ("image", Some("jpg")) => "image/jpeg".to_owned(),
        ("image", Some("svg")) => "image/svg+xml".to_owned(),
        (kind @ ("image" | "video"), Some(format)) => format!("{kind}/{format}"),
        _ => "application/octet-stream".to_owned(),
    };
    Value::record_of([
        ("url", String::from(asset.secure_url).into()),
        ("mime_type", mime_type.into()),
        ("size", count(asset.bytes)),
        ("width", side(asset.width).unwrap_or(Value::Null)),
        ("height", side(asset.height).unwrap_or(Value::Null)),
        ("public_id", asset.public_id.into()),
        ("version", Value::Int(asset.version)),
        ("created_at", asset.created_at.into()),
        ("tags", Value::list(asset.tags.into_iter().map(Value::from))),
    ])
}
