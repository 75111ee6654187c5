//! Secrets: where they are is in `flow.toml`, what they are is in the environment or in files.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::project::config::SecretSource;
use crate::run::Secrets;

/// The secrets of a project.
#[derive(Clone, Debug)]
pub struct ProjectSecrets {
    root: PathBuf,
    sources: IndexMap<String, SecretSource>,
}

impl ProjectSecrets {
    /// The secrets that `sources` names; files are relative to `root`.
    pub fn new(root: &Path, sources: IndexMap<String, SecretSource>) -> Self {
        Self { root: root.to_path_buf(), sources }
    }
}

impl Secrets for ProjectSecrets {
    fn resolve(&self, name: &str) -> Result<String, String> {
        let value = match self.sources.get(name) {
            None => {
                return Err(format!(
                    "the secret `{name}` is not configured: add `{name} = {{ env = \"{name}\" }}` under `[secrets]` in \
                     `flow.toml`"
                ));
            }
            #[allow(clippy::disallowed_methods, reason = "this is the room that configuration comes from")]
            Some(SecretSource::Env(variable)) => std::env::var(variable).map_err(|_| {
                format!("the secret `{name}` is empty: the environment variable `{variable}` is not set")
            })?,
            Some(SecretSource::File(path)) => std::fs::read_to_string(self.root.join(path))
                .map_err(|error| format!("the secret `{name}` cannot be read from `{}`: {error}", path.display()))?,
        };
        let value = value.trim_end_matches(['\r', '\n']);
        if value.is_empty() { Err(format!("the secret `{name}` is empty")) } else { Ok(value.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_files_and_say_what_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("key"), "s3cret\n").expect("a file");
        let sources = [
            ("A", SecretSource::File("key".into())),
            ("B", SecretSource::File("nowhere".into())),
            ("C", SecretSource::Env("FLOW_NO_SUCH_VARIABLE".into())),
        ];
        let sources = sources.into_iter().map(|(name, source)| (name.to_owned(), source)).collect();
        let secrets = ProjectSecrets::new(folder.path(), sources);
        assert_eq!(secrets.resolve("A").as_deref(), Ok("s3cret"));
        assert!(secrets.resolve("B").is_err_and(|why| why.contains("`nowhere`")));
        assert!(secrets.resolve("C").is_err_and(|why| why.contains("FLOW_NO_SUCH_VARIABLE")));
        assert!(secrets.resolve("D").is_err_and(|why| why.contains("[secrets]")));
    }
}
