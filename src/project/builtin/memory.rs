//! `[provide.memory]`: notes in a SQLite file.

use std::path::PathBuf;
use std::sync::Arc;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World};
use crate::run::Tool;
use crate::tools::memory;

pub(super) const KIND: Kind = Kind {
    name: "memory",
    keys: Keys::new(
        &[Key::new("path", Shape::Text, "The file, relative to the project's folder; `.flow/memory.db`.")],
        &[],
    ),
    read: |reader, entries| {
        let path = entries.iter().find(|entry| entry.name == "path");
        let path = path.map_or(Some(".flow/memory.db"), |entry| reader.text(entry))?;
        Some(Arc::new(Settings(path.into())))
    },
};

#[derive(Debug)]
struct Settings(PathBuf);

impl Provide for Settings {
    fn tools(&self, _namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        memory::tools(memory::Config { path: world.path(&self.0) })
    }
}
