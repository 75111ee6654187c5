//! A folder of artifacts, each named by the SHA-256 of its bytes: `9f86d0….png`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::BoxFuture;
use url::Url;

use crate::run::{Artifact, Artifacts, ToolError};
use crate::tools::artifacts::inspect::{Kind, inspect};
use crate::value::{ErrorKind, is_artifact_name};

/// The largest artifact that is kept, in bytes, unless the operator says otherwise: 32 MiB.
pub const MAX_BYTES: usize = 32 << 20;

/// Keeps artifacts in a folder of this machine. The same bytes are one file, which is there whole or not at all.
#[derive(Clone, Debug)]
pub struct LocalArtifacts {
    folder: PathBuf,
    max_bytes: usize,
}

impl LocalArtifacts {
    /// A store in this folder, which is made when the first artifact comes.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), max_bytes: MAX_BYTES }
    }

    /// Takes artifacts up to this many bytes; [`MAX_BYTES`] by default.
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// As [`Artifacts::store`], for bytes that are needed elsewhere too.
    pub(super) async fn store_bytes(&self, bytes: Bytes, mime_type: &str) -> Result<Artifact, ToolError> {
        let (store, mime_type) = (self.clone(), mime_type.to_owned());
        on_a_thread(move || store.keep(&bytes, &mime_type)).await
    }

    fn keep(&self, bytes: &[u8], claimed: &str) -> Result<Artifact, ToolError> {
        if bytes.len() > self.max_bytes {
            let (size, most) = (bytes.len(), self.max_bytes);
            let why = format!("an artifact of {size} bytes is not kept: the largest may have {most}");
            return Err(ToolError::new(ErrorKind::Invalid, why));
        }
        let Kind { mime_type, extension, dimensions } =
            inspect(bytes, claimed).map_err(|why| ToolError::new(ErrorKind::Invalid, why))?;
        let url = self.write(bytes, extension).map_err(|error| self.failed("kept in", &error))?;
        let size = bytes.len() as u64;
        Ok(Artifact { url, mime_type, size, dimensions, warning: None })
    }

    /// Writes the file, unless it is there, and gives its address.
    fn write(&self, bytes: &[u8], extension: &str) -> std::io::Result<String> {
        let folder = std::path::absolute(&self.folder)?;
        let path = folder.join(format!("{}.{extension}", sha256(bytes)));
        if !std::fs::metadata(&path).is_ok_and(|there| there.len() == bytes.len() as u64) {
            std::fs::create_dir_all(&folder)?;
            replace(&path, bytes)?;
        }
        let url = Url::from_file_path(&path).map_err(|()| std::io::Error::other("its path is no address"))?;
        Ok(url.into())
    }

    fn read(&self, url: &str) -> Result<Option<Vec<u8>>, ToolError> {
        let Some(path) =
            Url::parse(url).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok())
        else {
            return Ok(None);
        };
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_artifact_name(name));
        let own = std::path::absolute(&self.folder).is_ok_and(|folder| path.parent() == Some(folder.as_path()));
        let Some(name) = name.filter(|_| own) else {
            return Err(ToolError::new(ErrorKind::Denied, format!("`{url}` is no artifact of this store")));
        };
        let bytes = std::fs::read(&path).map_err(|error| self.failed("read from", &error))?;
        if name.starts_with(&sha256(&bytes)) {
            return Ok(Some(bytes));
        }
        Err(ToolError::new(ErrorKind::Internal, format!("`{url}` was changed since it was kept")))
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> ToolError {
        let why = format!("an artifact cannot be {what} `{}`: {error}", self.folder.display());
        ToolError::new(ErrorKind::Internal, why)
    }
}

impl Artifacts for LocalArtifacts {
    fn store<'a>(
        &'a self,
        bytes: Vec<u8>,
        mime_type: &'a str,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<Artifact, ToolError>> {
        Box::pin(self.store_bytes(bytes.into(), mime_type))
    }

    fn load<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, ToolError>> {
        let (store, url) = (self.clone(), url.to_owned());
        Box::pin(on_a_thread(move || store.read(&url)))
    }
}

/// Disks may be slow: their work is done where nothing waits behind it.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(why) => Err(ToolError::new(ErrorKind::Internal, format!("the store of artifacts broke down: {why}"))),
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Puts a file in place at once: whoever looks sees all of it or nothing, whatever happens meanwhile.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unique = format!("{}-{}.part", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let part = path.with_extension(unique);
    let written = (|| {
        let mut file = std::fs::File::create_new(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Type;
    use crate::value::Value;

    const PNG: &[u8] = include_bytes!("../../../examples/site/images/courier.png");

    fn store() -> (tempfile::TempDir, LocalArtifacts) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = LocalArtifacts::new(folder.path().join("deep/artifacts"));
        (folder, store)
    }

    #[tokio::test]
    async fn the_same_bytes_are_kept_once_under_their_hash() {
        let (_folder, store) = store();
        let many = (0..8).map(|_| store.store(PNG.to_vec(), "text/plain", "../../x"));
        let kept = futures::future::try_join_all(many).await.expect("kept");
        assert!(kept.iter().all(|artifact| *artifact == kept[0]));
        let files: Vec<_> = std::fs::read_dir(&store.folder).expect("a folder").flatten().collect();
        assert_eq!(files.len(), 1);
        let name = files[0].file_name().into_string().expect("a name");
        assert_eq!(name, format!("{}.png", sha256(PNG)));
        assert_eq!(store.load(&kept[0].url).await.expect("read").expect("bytes"), PNG);
        let handle = Value::from(kept[0].clone());
        assert!(handle.matches(&Type::Image), "{handle:?}");
        assert_eq!(handle.get("size").and_then(Value::as_int), Some(PNG.len() as i64));
    }

    #[tokio::test]
    async fn a_file_that_broke_off_is_written_again() {
        let (_folder, store) = store();
        let artifact = store.store(b"whole".to_vec(), "", "").await.expect("kept");
        let path = Url::parse(&artifact.url).expect("a URL").to_file_path().expect("a path");
        std::fs::write(&path, "who").expect("cut");
        assert!(store.load(&artifact.url).await.is_err_and(|error| error.message.contains("was changed")));
        store.store(b"whole".to_vec(), "", "").await.expect("kept");
        assert_eq!(store.load(&artifact.url).await.expect("read"), Some(b"whole".to_vec()));
    }

    #[tokio::test]
    async fn only_its_own_files_are_read() {
        let (folder, store) = store();
        let name = format!("{}.txt", sha256(b"secret"));
        std::fs::write(folder.path().join(&name), "secret").expect("a file");
        let outside = Url::from_file_path(folder.path().join(&name)).expect("a URL");
        for url in [outside.as_str(), "file:///etc/passwd", &format!("file:///{name}")] {
            let error = store.load(url).await.expect_err(url);
            assert_eq!(error.kind, ErrorKind::Denied, "{url}");
        }
        assert_eq!(store.load("https://example.com/a.png").await, Ok(None));
    }

    #[tokio::test]
    async fn what_is_too_large_or_no_picture_leaves_nothing_behind() {
        let (_folder, store) = store();
        let store = store.max_bytes(10);
        let error = store.store(vec![0; 11], "", "").await.expect_err("too large");
        assert_eq!((error.kind, error.retryable), (ErrorKind::Invalid, false));
        assert!(error.message.contains("11 bytes"), "{error}");
        let error = store.store(b"<html>".to_vec(), "image/png", "").await.expect_err("no picture");
        assert_eq!(error.message, "what is called `image/png` is not kept: its bytes are something else");
        assert!(!store.folder.exists());
        let blocked = LocalArtifacts::new("/dev/null/artifacts");
        let error = blocked.store(b"x".to_vec(), "", "").await.expect_err("no folder");
        assert!(error.message.contains("`/dev/null/artifacts`"), "{error}");
    }
}
