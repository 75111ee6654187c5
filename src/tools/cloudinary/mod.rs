//! Cloudinary: signed uploads (<https://cloudinary.com/documentation/image_upload_api_reference#upload>).

mod multipart;
mod signature;
mod upload;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use url::Url;

use crate::run::{Clock, Secrets, ToolError};
use crate::tools::Setting;
use crate::tools::http::{HttpClient, Redirects, Request, Response, status_error};
use crate::tools::setting::{host, secret};
use crate::value::ErrorKind;

pub use signature::{Algorithm, sign};
pub use upload::CloudinaryUpload;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudinarySettings {
    /// The name of the cloud.
    pub cloud: String,
    /// The API key.
    pub key: Setting,
    /// The name of the secret that is the API secret.
    pub secret: String,
    /// The folder that uploads go to, where a call names none.
    pub folder: Option<String>,
    /// How uploads are signed: what the account is set to.
    pub algorithm: Algorithm,
    /// The API's address.
    pub base_url: Url,
}

impl CloudinarySettings {
    /// The secrets it sends.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        // The API secret signs and is not sent itself; it is bound to the host all the same.
        self.key.secret().into_iter().chain([self.secret.as_str()])
    }
}

/// The upload API of an account.
#[derive(Clone)]
pub struct Cloudinary {
    settings: CloudinarySettings,
    client: Arc<HttpClient>,
    clock: Arc<dyn Clock>,
}

/// What is uploaded.
#[derive(Clone, Debug)]
pub enum Source {
    /// Bytes, with what they are and how a person calls them.
    Bytes {
        /// The bytes.
        bytes: Bytes,
        /// What they are.
        mime_type: String,
        /// A file's name.
        name: String,
    },
    /// An address that Cloudinary fetches by itself.
    Remote(Url),
}

/// An upload.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What is uploaded.
    pub source: Source,
    /// The folder; the account's own where it is none.
    pub folder: Option<String>,
    /// The name it gets.
    pub public_id: String,
    /// Whether something of that name is replaced; else that stays and is the answer.
    pub overwrite: bool,
    /// Its tags.
    pub tags: Vec<String>,
}

/// An asset, as the API tells it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Asset {
    /// Its name, with its folder.
    pub public_id: String,
    /// When it was uploaded last, as a number that grows.
    pub version: i64,
    /// `image`, `video` or `raw`.
    pub resource_type: String,
    /// Its file's extension; nothing for raw files.
    #[serde(default)]
    pub format: Option<String>,
    /// How many bytes.
    pub bytes: u64,
    /// Width in pixels, of pictures and films.
    #[serde(default)]
    pub width: Option<u32>,
    /// Height in pixels, of pictures and films.
    #[serde(default)]
    pub height: Option<u32>,
    /// When it was uploaded, RFC 3339.
    pub created_at: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Where it is.
    pub secure_url: Url,
}

impl Cloudinary {
    /// The account's API through this client.
    pub fn new(settings: CloudinarySettings, client: Arc<HttpClient>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, client, clock }
    }

    /// The settings it has.
    pub fn settings(&self) -> &CloudinarySettings {
        &self.settings
    }

    /// The clock it tells the time of an upload by.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Uploads once.
    ///
    /// # Errors
    /// `denied` where a secret is missing, `rate_limit`, `network`, `timeout`, or `tool` with what the API said;
    /// `invalid` for an answer that is none of its API's.
    pub async fn upload(
        &self,
        upload: &Upload,
        secrets: &dyn Secrets,
        timeout: Option<std::time::Duration>,
    ) -> Result<Asset, ToolError> {
        let base = &self.settings.base_url;
        let mut url = base.clone();
        // Pictures could be sent to `auto` too; what is one is known here.
        let picture = matches!(&upload.source, Source::Bytes { mime_type, .. } if mime_type.starts_with("image/"));
        let resource_type = if picture { "image" } else { "auto" };
        url.path_segments_mut()
            .map_err(|()| {
                ToolError::new(ErrorKind::Invalid, format!("`{base}` is no address of an API")).undelivered()
            })?
            .pop_if_empty()
            .extend(["v1_1", &self.settings.cloud, resource_type, "upload"]);
        let key = self.settings.key.resolve(secrets, host(base))?;
        let api_secret = secret(&self.settings.secret, secrets, host(base))?;
        let params = self.params(upload);
        let signature = sign(&params, &api_secret, self.settings.algorithm);
        let (content_type, body) = multipart::form(&params, &signature, key.trim(), &upload.source);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(content_type) = HeaderValue::from_str(&content_type) {
            headers.insert(CONTENT_TYPE, content_type);
        }
        let request = Request { method: Method::POST, url, headers, body: Some(body), timeout };
        let response = self.client.open(request, Redirects::Keep).await?.read().await?;
        if let Some(error) = status_error(&response) {
            return Err(said(error, &response));
        }
        let asset: Asset = serde_json::from_slice(&response.body).map_err(|why| {
            ToolError::new(ErrorKind::Invalid, format!("`{base}` answered an upload with what is no asset: {why}"))
        })?;
        if !matches!(asset.secure_url.scheme(), "http" | "https") {
            let why = format!("`{base}` answered an upload with `{}`, which is no web address", asset.secure_url);
            return Err(ToolError::new(ErrorKind::Invalid, why));
        }
        Ok(asset)
    }

    /// The parameters that are signed and sent, by name; those that are empty are left out.
    fn params(&self, upload: &Upload) -> Vec<(&'static str, String)> {
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let folder = upload.folder.clone().or_else(|| self.settings.folder.clone()).unwrap_or_default();
        let mut params = vec![
            ("folder", folder),
            ("overwrite", flag(upload.overwrite)),
            ("public_id", upload.public_id.clone()),
            ("tags", upload.tags.join(",")),
            ("timestamp", self.clock.now().as_second().to_string()),
        ];
        params.retain(|(_, value)| !value.is_empty());
        params
    }
}

/// The API's own words for a failure: `{ "error": { "message" } }`.
fn said(mut error: ToolError, response: &Response) -> ToolError {
    #[derive(Deserialize)]
    struct Failure {
        error: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    // What the API answered before it learned of 429.
    if response.status.as_u16() == 420 {
        (error.kind, error.retryable) = (ErrorKind::RateLimit, true);
    }
    if let Ok(Failure { error: Message { message } }) = serde_json::from_slice(&response.body) {
        error.message = format!("cloudinary answered {}: {message}", response.status.as_u16());
    }
    error
}
