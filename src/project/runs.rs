//! `[runs]`: where runs are kept, how long, and what they may spend.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::project::Project;
use crate::project::keys::{Key, Keys, Shape};
use crate::project::reader::{Entry, Reader};
use crate::run::journal::Filter;
use crate::run::{Clock, RunStore, SecretUse, Secrets, TokioClock};
use crate::store::SqliteStore;
use crate::tools::Setting;

/// What a database's URL looks like.
const URL: &str = "^(memory:$|sqlite:.|postgres(ql)?://)";

const SECRET: Keys = Keys::new(&[Key::new("secret", Shape::Secret, "The secret that is the URL.")], &["secret"]);

pub(super) const KEYS: Keys = Keys::new(
    &[
        Key::new(
            "database",
            Shape::Either(&Shape::Pattern(URL), &Shape::Table(SECRET)),
            "Where runs are kept: `sqlite:PATH`, relative to the project's folder, or `postgres://…`; \
             `memory:` keeps nothing; `sqlite:.flow/runs.db`.",
        ),
        Key::new("retention", Shape::Duration, "How long runs are kept that have ended; without it, for ever."),
        Key::new("usd_per_run", Shape::Amount, "What a run may spend, in US dollars."),
        Key::new("usd_per_day", Shape::Amount, "What all runs may spend within 24 hours, in US dollars."),
    ],
    &[],
);

/// Where runs are kept that `flow.toml` does not say it of.
const DATABASE: &str = "sqlite:.flow/runs.db";

/// How runs are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSettings {
    /// The database's URL: `sqlite:PATH` or `postgres://…`; without one, runs live in memory only.
    pub database: Option<Setting>,
    /// How long runs are kept that have ended.
    pub retention: Option<Duration>,
    /// What a run may spend, in US dollars.
    pub usd_per_run: Option<f64>,
    /// What all runs may spend within 24 hours, in US dollars.
    pub usd_per_day: Option<f64>,
}

impl RunSettings {
    /// Those of a `flow.toml` that says nothing of runs.
    pub(super) fn of_file() -> Self {
        Self { database: Some(Setting::Plain(DATABASE.to_owned())), ..Self::default() }
    }

    pub(super) fn read(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        for entry in reader.whole(entry, &KEYS).unwrap_or_default() {
            match entry.name {
                "database" => {
                    let Some(database) = reader.setting(&entry) else { continue };
                    if let Setting::Plain(url) = &database
                        && let Err(why) = Place::of(url)
                    {
                        reader.wrong_value(&entry, &why, "write `\"sqlite:.flow/runs.db\"` or `\"postgres://…\"`");
                    }
                    self.database = Some(database);
                }
                "retention" => self.retention = reader.duration(&entry).or(self.retention),
                "usd_per_run" => set_amount(&mut self.usd_per_run, reader.amount(&entry)),
                _ => set_amount(&mut self.usd_per_day, reader.amount(&entry)),
            }
        }
    }
}

fn set_amount(setting: &mut Option<f64>, amount: Option<f64>) {
    if amount.is_some() {
        *setting = amount;
    }
}

/// What a database's URL names.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    Memory,
    Sqlite(&'a Path),
    Postgres(&'a str),
}

impl<'a> Place<'a> {
    /// # Errors
    /// A sentence that says what is wrong with the URL; a URL of `PostgreSQL`'s, which may hold a password, is not in it.
    fn of(url: &'a str) -> Result<Self, String> {
        match url.split_once(':') {
            Some(("memory", "")) => Ok(Place::Memory),
            Some(("sqlite", path)) if !path.is_empty() => {
                Ok(Place::Sqlite(Path::new(path.strip_prefix("//").unwrap_or(path))))
            }
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(Place::Postgres(url)),
            _ => {
                let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
                Err(format!("expected `sqlite:PATH` or `postgres://…`, found `{scheme}`"))
            }
        }
    }
}

impl Project {
    /// The store of its runs, opened: the one of this URL, or else the one that `flow.toml` names. None where neither
    /// does, or it is `memory:`. Runs that ended longer ago than they are to be kept are forgotten.
    ///
    /// # Errors
    /// A sentence that says why it cannot be opened.
    pub async fn store(&self, url: Option<&str>) -> Result<Option<Arc<dyn RunStore>>, String> {
        let url = match (url, &self.config.runs.database) {
            (Some(url), _) => url.to_owned(),
            (None, Some(Setting::Plain(url))) => url.clone(),
            (None, Some(Setting::Secret(name))) => self.secrets().resolve(name, SecretUse::Process("flowc"))?,
            (None, None) => return Ok(None),
        };
        let store: Arc<dyn RunStore> = match Place::of(&url)? {
            Place::Memory => return Ok(None),
            Place::Sqlite(path) => {
                let path = self.root.join(path);
                let store = SqliteStore::open(&path).map_err(|why| why.to_string())?;
                ignore(&path)
                    .map_err(|why| format!("`.gitignore` cannot be written beside `{}`: {why}", path.display()))?;
                Arc::new(store)
            }
            #[cfg(feature = "postgres")]
            Place::Postgres(url) => {
                Arc::new(crate::store::PostgresStore::connect(url).await.map_err(|why| why.to_string())?)
            }
            #[cfg(not(feature = "postgres"))]
            Place::Postgres(_) => return Err("this flowc was built without the feature `postgres`".to_owned()),
        };
        if let Some(retention) = self.config.runs.retention {
            let before = TokioClock::default().now().checked_sub(retention).ok();
            let old = Filter { before, ..Filter::default() };
            // What is kept can be used all the same, and another command will forget it.
            if let Err(why) = store.prune(&old).await {
                tracing::warn!(%why, "old runs were not forgotten");
            }
        }
        Ok(Some(store))
    }
}

/// What is in the project's own folder is nothing to be committed.
fn ignore(path: &Path) -> std::io::Result<()> {
    let Some(folder) = path.parent().filter(|folder| folder.ends_with(".flow")) else { return Ok(()) };
    let ignored = folder.join(".gitignore");
    if !ignored.exists() {
        std::fs::write(&ignored, "*\n").inspect_err(|_| {
            // What a full disk left of it would be taken for the user's.
            let _ = std::fs::remove_file(&ignored);
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_or_a_server() {
        assert_eq!(Place::of("sqlite:.flow/runs.db"), Ok(Place::Sqlite(Path::new(".flow/runs.db"))));
        assert_eq!(Place::of("memory:"), Ok(Place::Memory));
        assert_eq!(Place::of("sqlite:///var/runs.db"), Ok(Place::Sqlite(Path::new("/var/runs.db"))));
        assert_eq!(Place::of("postgres://db.example/runs"), Ok(Place::Postgres("postgres://db.example/runs")));
        for (wrong, found) in [("mysql://root:secret@db", "mysql"), ("sqlite:", "sqlite:"), ("runs.db", "runs.db")] {
            let why = Place::of(wrong).expect_err("it is none");
            assert!(why.ends_with(&format!("found `{found}`")), "{why}");
        }
    }
}
