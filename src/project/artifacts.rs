//! `[artifacts]`: where pictures and files that tools make are kept.

use std::path::PathBuf;
use std::sync::Arc;

use url::Url;

use crate::project::builtin::cloudinary;
use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::World;
use crate::project::reader::{Entry, Reader};
use crate::project::secrets::ProjectSecrets;
use crate::run::Artifacts;
use crate::tools::artifacts::{LocalArtifacts, MAX_BYTES, UploadedArtifacts};
use crate::tools::cloudinary::CloudinarySettings;

pub(super) const KEYS: Keys = Keys::new(
    &[
        Key::new("dir", Shape::Text, "The folder they are kept in, relative to the project's; `.flow/artifacts`."),
        Key::new("max_bytes", Shape::Count, "The largest that is kept, in bytes; 32 MiB."),
        Key::new("cloudinary", Shape::Table(cloudinary::KEYS), "The Cloudinary account they are uploaded to besides."),
    ],
    &[],
);

/// Where what tools make is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactSettings {
    /// The folder, relative to the project's.
    pub dir: PathBuf,
    /// The largest that is kept, in bytes.
    pub max_bytes: usize,
    /// The account that it is uploaded to besides.
    pub cloudinary: Option<CloudinarySettings>,
}

impl Default for ArtifactSettings {
    fn default() -> Self {
        Self { dir: ".flow/artifacts".into(), max_bytes: MAX_BYTES, cloudinary: None }
    }
}

impl ArtifactSettings {
    pub(super) fn read(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        for entry in reader.whole(entry, &KEYS).unwrap_or_default() {
            match entry.name {
                "dir" => self.dir = reader.text(&entry).map_or_else(|| std::mem::take(&mut self.dir), PathBuf::from),
                "max_bytes" => self.max_bytes = reader.count(&entry).unwrap_or(MAX_BYTES),
                _ => {
                    let keys = reader.whole(&entry, &cloudinary::KEYS).unwrap_or_default();
                    self.cloudinary = cloudinary::read(reader, &keys);
                }
            }
        }
    }

    /// The store of this project: its folder, or that and the account.
    pub(super) fn store(&self, world: &World, secrets: &ProjectSecrets) -> Box<dyn Artifacts> {
        let local = LocalArtifacts::new(world.path(&self.dir)).max_bytes(self.max_bytes);
        match &self.cloudinary {
            None => Box::new(local),
            Some(account) => {
                Box::new(UploadedArtifacts::new(local, cloudinary::api(account, world), Arc::new(secrets.clone())))
            }
        }
    }

    /// The secrets it sends, each with the address it sends it to.
    pub(super) fn secrets(&self) -> Vec<(&str, &Url)> {
        self.cloudinary.iter().flat_map(|it| it.secrets().map(|name| (name, &it.base_url))).collect()
    }
}
