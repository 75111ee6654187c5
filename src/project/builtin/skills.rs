//! `skills = "folder"`: scripts in folders with a `SKILL.md`.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World};
use crate::run::Tool;
use crate::tools::{Setting, skill};

pub(super) const KIND: Kind = Kind {
    name: "skills",
    keys: Keys::new(
        &[
            Key::new(
                "skills",
                Shape::Text,
                "The folder that holds a folder for each skill, relative to the project's.",
            ),
            Key::new(
                "env",
                Shape::Each(&Shape::Setting),
                "The scripts' environment, beside `PATH`, `HOME` and `LANG`.",
            ),
        ],
        &["skills"],
    ),
    read: |reader, entries| {
        let (mut folder, mut env) = (None, IndexMap::new());
        for entry in entries {
            match entry.name {
                "skills" => folder = reader.text(entry).map(PathBuf::from),
                "env" => env = reader.settings(entry).unwrap_or_default(),
                _ => {}
            }
        }
        Some(Arc::new(Settings { folder: folder?, env }))
    },
};

#[derive(Debug)]
struct Settings {
    folder: PathBuf,
    env: IndexMap<String, Setting>,
}

impl Provide for Settings {
    fn tools(&self, namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        skill::tools(namespace, skill::Config { folder: world.path(&self.folder), env: self.env.clone() })
    }
}
