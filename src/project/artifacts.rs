//! `[artifacts]`: where pictures and files that tools make are kept.

use std::path::{Path, PathBuf};

use url::Url;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::reader::{Entry, Reader};
use crate::tools::Setting;
use crate::tools::artifacts::{LocalArtifacts, MAX_BYTES};

pub(super) const KEYS: Keys = Keys::new(
    &[
        Key::new("dir", Shape::Text, "The folder they are kept in, relative to the project's; `.flow/artifacts`."),
        Key::new("max_bytes", Shape::Count, "The largest that is kept, in bytes; 32 MiB."),
        Key::new("cloudinary", Shape::Table(CLOUDINARY), "The Cloudinary account they are uploaded to besides."),
    ],
    &[],
);

const CLOUDINARY: Keys = Keys::new(
    &[
        Key::new("cloud", Shape::Text, "The name of the cloud."),
        Key::new("key", Shape::Setting, "The API key."),
        Key::new("secret", Shape::Secret, "The secret that is the API secret: uploads are signed with it."),
        Key::new("folder", Shape::Text, "The folder that uploads go to."),
        Key::new("base_url", Shape::Url, "The API's address; `https://api.cloudinary.com`."),
    ],
    &["cloud", "key", "secret"],
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

/// An account at Cloudinary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudinarySettings {
    /// The name of the cloud.
    pub cloud: String,
    /// The API key.
    pub key: Setting,
    /// The secret that is the API secret.
    pub secret: String,
    /// The folder that uploads go to.
    pub folder: Option<String>,
    /// The API's address.
    pub base_url: Url,
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
                _ => self.cloudinary = read_cloudinary(reader, &entry),
            }
        }
    }

    /// The store, in this project's folder.
    pub(super) fn store(&self, root: &Path) -> LocalArtifacts {
        LocalArtifacts::new(root.join(&self.dir)).max_bytes(self.max_bytes)
    }

    /// The secrets it sends, each with the address it sends it to.
    pub(super) fn secrets(&self) -> Vec<(&str, &Url)> {
        let Some(cloudinary) = &self.cloudinary else { return Vec::new() };
        let names = cloudinary.key.secret().into_iter().chain([cloudinary.secret.as_str()]);
        names.map(|name| (name, &cloudinary.base_url)).collect()
    }
}

fn read_cloudinary(reader: &mut Reader, entry: &Entry<'_>) -> Option<CloudinarySettings> {
    let (mut cloud, mut key, mut secret, mut folder) = (None, None, None, None);
    let mut base_url = Url::parse("https://api.cloudinary.com").ok();
    for entry in reader.whole(entry, &CLOUDINARY)? {
        match entry.name {
            "cloud" => cloud = reader.text(&entry).map(str::to_owned),
            "key" => key = reader.setting(&entry),
            "secret" => secret = reader.secret(&entry),
            "folder" => folder = reader.text(&entry).map(str::to_owned),
            _ => base_url = reader.url(&entry),
        }
    }
    Some(CloudinarySettings { cloud: cloud?, key: key?, secret: secret?, folder, base_url: base_url? })
}
