//! Artifacts that are uploaded to Cloudinary besides.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use indexmap::IndexMap;

use crate::run::{Artifact, Artifacts, Secrets, ToolError};
use crate::tools::artifacts::LocalArtifacts;
use crate::tools::cloudinary::{Cloudinary, Source, Upload};

/// How long an upload may take with all its attempts: then the artifact stays here.
const PATIENCE: Duration = Duration::from_secs(20);

const ATTEMPTS: u32 = 3;

const FIRST_WAIT: Duration = Duration::from_millis(500);

/// How many uploads are remembered, so that the same picture is not sent again.
const REMEMBERED: usize = 1000;

/// Keeps artifacts in a folder and uploads them: their handles have the public address. Where an upload fails, the
/// artifact is kept in the folder only, its handle has that address, and its warning says so.
pub struct UploadedArtifacts {
    local: LocalArtifacts,
    api: Cloudinary,
    secrets: Arc<dyn Secrets>,
    /// The public addresses of what was uploaded, by the local ones.
    known: Mutex<IndexMap<String, String>>,
}

impl UploadedArtifacts {
    /// A store that keeps in `local` and uploads to `api`.
    pub fn new(local: LocalArtifacts, api: Cloudinary, secrets: Arc<dyn Secrets>) -> Self {
        Self { local, api, secrets, known: Mutex::default() }
    }

    async fn upload(&self, bytes: Bytes, artifact: &Artifact, name: &str) -> Result<String, ToolError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&artifact.url) {
            return Ok(known.clone());
        }
        // Named by their hash, so that the same bytes are the same asset.
        let file = artifact.url.rsplit('/').next().unwrap_or_default();
        let hash = file.split('.').next().unwrap_or_default();
        // Pictures are addressed without an extension, raw files with it.
        let public_id = if artifact.dimensions.is_some() { hash } else { file };
        let name = if name.is_empty() { file } else { name };
        let source = Source::Bytes { bytes, mime_type: artifact.mime_type.clone(), name: name.to_owned() };
        let upload =
            Upload { source, folder: None, public_id: public_id.to_owned(), overwrite: false, tags: Vec::new() };
        let asset = self.patiently(&upload).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(artifact.url.clone(), asset.clone());
        Ok(asset)
    }

    /// Tries again what may succeed another time, after the wait that the service asks for.
    async fn patiently(&self, upload: &Upload) -> Result<String, ToolError> {
        let clock = self.api.clock();
        let mut wait = FIRST_WAIT;
        for _ in 1..ATTEMPTS {
            match self.api.upload(upload, &*self.secrets, Some(PATIENCE)).await {
                Err(error) if error.retryable && error.retry_after.unwrap_or(wait) <= PATIENCE / 2 => {
                    clock.sleep(error.retry_after.unwrap_or(wait)).await;
                    wait *= 2;
                }
                result => return result.map(|asset| asset.secure_url.into()),
            }
        }
        self.api.upload(upload, &*self.secrets, Some(PATIENCE)).await.map(|asset| asset.secure_url.into())
    }
}

impl Artifacts for UploadedArtifacts {
    fn store<'a>(
        &'a self,
        bytes: Vec<u8>,
        mime_type: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>> {
        Box::pin(async move {
            let bytes = Bytes::from(bytes);
            let artifact = self.local.store_bytes(bytes.clone(), mime_type).await?;
            let uploading = self.upload(bytes, &artifact, name);
            let why = match tokio::time::timeout(PATIENCE, uploading).await {
                Ok(Ok(url)) => return Ok(Artifact { url, ..artifact }),
                Ok(Err(error)) => error.message,
                Err(_) => format!("it took longer than {} s", PATIENCE.as_secs()),
            };
            tracing::warn!(artifact = artifact.url, "the upload failed: {why}");
            let warning = Some(format!("the upload failed, so the artifact is kept on this machine only: {why}"));
            Ok(Artifact { warning, ..artifact })
        })
    }

    fn load<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ToolError>> {
        Box::pin(async move {
            let local = {
                let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.iter().find(|(_, public)| *public == url).map(|(local, _)| local.clone())
            };
            self.local.load(local.as_deref().unwrap_or(url)).await
        })
    }
}
