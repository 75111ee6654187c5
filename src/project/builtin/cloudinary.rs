//! `cloudinary`: an account that `cloudinary.upload` uploads to. `[artifacts]` may name one, too.

use std::sync::Arc;

use url::Url;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World};
use crate::project::reader::{Entry, Reader};
use crate::run::Tool;
use crate::tools::cloudinary::{Algorithm, Cloudinary, CloudinarySettings, CloudinaryUpload};

pub(super) const KIND: Kind =
    Kind { name: "cloudinary", keys: KEYS, read: |reader, entries| Some(Arc::new(read(reader, entries)?)) };

pub(in crate::project) const KEYS: Keys = Keys::new(
    &[
        Key::new("cloud", Shape::Text, "The name of the cloud."),
        Key::new("key", Shape::Setting, "The API key."),
        Key::new("secret", Shape::Secret, "The secret that is the API secret: uploads are signed with it."),
        Key::new("folder", Shape::Text, "The folder that uploads go to."),
        Key::new("signature", Shape::Pattern("^sha(1|256)$"), "How the account signs: \"sha1\" or \"sha256\"; `sha1`."),
        Key::new("base_url", Shape::Url, "The API's address; `https://api.cloudinary.com`."),
    ],
    &["cloud", "key", "secret"],
);

/// Reads an account; the entries are of its keys.
pub(in crate::project) fn read(reader: &mut Reader, entries: &[Entry<'_>]) -> Option<CloudinarySettings> {
    let (mut cloud, mut key, mut secret, mut folder) = (None, None, None, None);
    let mut algorithm = Some(Algorithm::default());
    let mut base_url = Url::parse("https://api.cloudinary.com").ok();
    for entry in entries {
        match entry.name {
            "cloud" => cloud = reader.text(entry).map(str::to_owned),
            "key" => key = reader.setting(entry),
            "secret" => secret = reader.secret(entry),
            "folder" => folder = reader.text(entry).map(str::to_owned),
            "signature" => algorithm = reader.read(entry, "`\"sha1\"` or `\"sha256\"`", of_name),
            "base_url" => base_url = reader.url(entry),
            _ => {}
        }
    }
    let (cloud, key, secret) = (cloud?, key?, secret?);
    Some(CloudinarySettings { cloud, key, secret, folder, algorithm: algorithm?, base_url: base_url? })
}

fn of_name(name: &str) -> Option<Algorithm> {
    match name {
        "sha1" => Some(Algorithm::Sha1),
        "sha256" => Some(Algorithm::Sha256),
        _ => None,
    }
}

/// The account's API.
pub(in crate::project) fn api(account: &CloudinarySettings, world: &World) -> Cloudinary {
    Cloudinary::new(account.clone(), world.client(&account.base_url), Arc::clone(&world.clock))
}

impl Provide for CloudinarySettings {
    fn secrets(&self) -> Vec<(&str, &Url)> {
        self.secrets().map(|name| (name, &self.base_url)).collect()
    }

    fn tools(&self, namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        let upload = CloudinaryUpload::new(api(self, world)).filter(|tool| tool.signature().namespace() == namespace);
        upload.map(|tool| Arc::new(tool) as Arc<dyn Tool>).into_iter().collect()
    }
}
