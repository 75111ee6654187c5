//! `browser`: Chromium. It is there without a table, too, where it is installed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::provide::{Kind, Provide, World};
use crate::run::Tool;
use crate::tools::browser::{self, BrowserConfig};

pub(super) const KIND: Kind = Kind {
    name: "browser",
    keys: Keys::new(
        &[
            Key::new(
                "executable",
                Shape::Text,
                "Chromium, by its path or its name; without it, what the environment variable `CHROMIUM` names, or the \
                 first of `chromium`, `chromium-browser`, `google-chrome-stable` and `google-chrome` on the `PATH`.",
            ),
            Key::new("pages", Shape::Count, "How many pages are open at once; 4."),
        ],
        &[],
    ),
    read: |reader, entries| {
        let mut settings = Settings::default();
        for entry in entries {
            match entry.name {
                "executable" => settings.executable = reader.text(entry).map(PathBuf::from),
                "pages" => settings.pages = reader.count(entry),
                _ => {}
            }
        }
        Some(Arc::new(settings))
    },
};

/// Where Chromium is; nothing said of it is found by itself.
#[derive(Debug, Default)]
pub(in crate::project) struct Settings {
    executable: Option<PathBuf>,
    pages: Option<usize>,
}

impl Provide for Settings {
    fn tools(&self, namespace: &str, world: &World) -> Vec<Arc<dyn Tool>> {
        let executable = match &self.executable {
            // A name is looked for, a path is relative to the project.
            Some(path) if path.components().count() > 1 => Some(world.path(path)),
            Some(name) => on_path(name.as_os_str()).or_else(|| Some(world.path(name))),
            None => find_chromium(),
        };
        let mut config = BrowserConfig::new(executable, world.http.clone());
        config.pages = self.pages.unwrap_or(config.pages);
        browser::tools(config).into_iter().filter(|tool| tool.signature().namespace() == namespace).collect()
    }
}

/// Chromium, or a browser made of it, where this machine has one: what the environment variable `CHROMIUM` names, or
/// one of the usual names on the `PATH`.
pub fn find_chromium() -> Option<PathBuf> {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
    const ELSEWHERE: [&str; 2] = [
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ];
    if let Some(named) = std::env::var_os("CHROMIUM").filter(|named| !named.is_empty()) {
        return on_path(&named).or_else(|| Some(named.into()));
    }
    let named = NAMES.iter().find_map(|name| on_path(OsStr::new(name)));
    named.or_else(|| ELSEWHERE.iter().map(PathBuf::from).find(|path| path.is_file()))
}

/// A program of this name.
fn on_path(name: &OsStr) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(Path::new(name))).find(|program| program.is_file())
}
