//! `flow.lock`: the tools that servers and documents had when `flowc tools sync` asked them. Programs are checked against
//! these, offline.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::run::ports::hex_sha256;
use crate::source::{FileId, SourceFile, Sources, Span};
use crate::tools::listed::{Listed, flow_names};
use crate::types::{Annotations, Text};

/// The file beside `flow.toml`.
pub const LOCK_NAME: &str = "flow.lock";

/// The form of the file.
const VERSION: u32 = 1;

/// What the lock file holds.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    namespaces: BTreeMap<String, Tools>,
    file: Option<SourceFile>,
}

/// A namespace's tools by their Flow names, without the namespace.
pub(super) type Tools = BTreeMap<String, Listed>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    namespaces: BTreeMap<String, BTreeMap<String, Entry>>,
}

/// A tool as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Its name at the other side, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Of its name, description and schemas.
    sha256: Text,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(default, skip_serializing_if = "Said::is_empty")]
    annotations: Said,
    input: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Json>,
}

/// What a tool says of its effects.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idempotent: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destructive: Option<bool>,
}

impl Said {
    fn is_empty(&self) -> bool {
        self.read_only.is_none() && self.idempotent.is_none() && self.destructive.is_none()
    }
}

impl Lock {
    /// Reads a project's lock file; one that is not there holds nothing.
    ///
    /// # Errors
    /// It is not what `flowc tools sync` writes.
    pub(super) fn read(root: &Path, shown: &str) -> Result<Self, Diagnostics> {
        let text = match std::fs::read_to_string(root.join(LOCK_NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(broken(SourceFile::new(shown, ""), 0, &error.to_string())),
        };
        let file = SourceFile::new(shown, text);
        let written: Written = serde_json::from_str(file.text()).map_err(|error| {
            let line = file.text().split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            broken(file.clone(), line, &error.to_string())
        })?;
        if written.version != VERSION {
            return Err(broken(file, 0, &format!("it is of version {}, which is not known here", written.version)));
        }
        let listed = |(name, entry): (String, Entry)| {
            let listed = Listed {
                name: entry.name.unwrap_or_else(|| name.clone()),
                description: entry.description,
                input: entry.input,
                output: entry.output,
                annotations: Annotations {
                    read_only: entry.annotations.read_only,
                    idempotent: entry.annotations.idempotent,
                    destructive: entry.annotations.destructive,
                    ..Annotations::default()
                },
            };
            (name, listed)
        };
        let namespaces = written.namespaces.into_iter();
        let namespaces = namespaces.map(|(name, tools)| (name, tools.into_iter().map(listed).collect())).collect();
        Ok(Self { namespaces, file: Some(file) })
    }

    /// The tools of a namespace; none where it has never been asked.
    pub(super) fn tools(&self, namespace: &str) -> Option<&Tools> {
        self.namespaces.get(namespace)
    }

    /// Takes the tools of a namespace in, in place of those there are; gives these.
    pub(super) fn set(&mut self, namespace: &str, tools: Tools) -> Option<Tools> {
        self.namespaces.insert(namespace.to_owned(), tools)
    }

    /// Keeps these namespaces only.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.namespaces.retain(|namespace, _| keep(namespace));
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let entry = |(name, tool): (&String, &Listed)| {
            let Annotations { read_only, idempotent, destructive, .. } = tool.annotations;
            let entry = Entry {
                name: (tool.name != *name).then(|| tool.name.clone()),
                sha256: hash(tool),
                description: tool.description.clone(),
                annotations: Said { read_only, idempotent, destructive },
                input: tool.input.clone(),
                output: tool.output.clone(),
            };
            (name.clone(), entry)
        };
        let namespaces = self.namespaces.iter();
        let namespaces = namespaces.map(|(name, tools)| (name.clone(), tools.iter().map(entry).collect())).collect();
        let written = Written { version: VERSION, namespaces };
        serde_json::to_string_pretty(&written).unwrap_or_default() + "\n"
    }

    /// Where a tool stands in the file, or else its namespace, or else its beginning.
    pub(super) fn place(&self, namespace: &str, tool: &str) -> Span {
        let text = self.file.as_ref().map_or("", SourceFile::text);
        // As `text` lays it out; a file that was laid out by someone else has its beginning marked.
        let find = |from: usize, key: &str, indent: &str| {
            let line = format!("\n{indent}{}: {{", Json::from(key));
            let at = text.get(from..)?.find(&line)? + from + 1 + indent.len();
            Some((at, at + line.len() - indent.len() - 4))
        };
        let found = find(0, namespace, "    ");
        let found = found.and_then(|(at, _)| find(at, tool, "      ")).or(found);
        found.map(|(start, end)| Span::new(FileId(0), start, end)).unwrap_or_default()
    }

    /// The file itself, for diagnostics.
    pub(super) fn sources(&self) -> Sources {
        Sources::of(self.file.clone().unwrap_or_else(|| SourceFile::new(LOCK_NAME, "")))
    }
}

/// A server's tools by their Flow names.
pub(super) fn named(listed: Vec<Listed>) -> Tools {
    let theirs: Vec<Text> = listed.iter().map(|tool| tool.name.as_str().into()).collect();
    flow_names(&theirs).into_iter().map(|name| name.to_string()).zip(listed).collect()
}

/// The SHA-256, in hex, of a tool's name, description and schemas, whatever the order of the schemas' keys.
pub(super) fn hash(tool: &Listed) -> Text {
    let output = tool.output.as_ref().map(sorted);
    let all = serde_json::json!([tool.name, tool.description, sorted(&tool.input), output]);
    hex_sha256(&[all.to_string().as_bytes()])
}

fn sorted(json: &Json) -> Json {
    match json {
        Json::Object(fields) => {
            let mut entries: Vec<_> = fields.iter().collect();
            entries.sort_by_key(|(name, _)| name.as_str());
            Json::Object(entries.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect::<Map<_, _>>())
        }
        Json::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn broken(file: SourceFile, at: usize, why: &str) -> Diagnostics {
    let span = Span::new(FileId(0), at, at);
    let diagnostic = Diagnostic::new(Code::CONFIG, span, format!("`{LOCK_NAME}` cannot be read: {why}"))
        .help("write it anew with `flowc tools sync`");
    Diagnostics { sources: Sources::of(file), list: vec![diagnostic] }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, input: Json) -> Listed {
        let annotations = Annotations { read_only: Some(true), ..Annotations::default() };
        Listed { name: name.into(), description: "Does it.".into(), input, output: None, annotations }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut lock = Lock::default();
        let tools = named(vec![tool("z-last", json!({ "type": "object" })), tool("first", json!({}))]);
        assert_eq!(tools.keys().collect::<Vec<_>>(), ["first", "z_last"]);
        lock.set("space", tools);
        std::fs::write(folder.path().join(LOCK_NAME), lock.text()).expect("a file");
        let read = Lock::read(folder.path(), LOCK_NAME).expect("a lock");
        assert_eq!(read.namespaces, lock.namespaces);
        assert_eq!(read.text(), lock.text());
        let text = lock.text();
        assert_eq!(text.get(read.place("space", "z_last").range()), Some("\"z_last\""));
        assert_eq!(text.get(read.place("space", "none").range()), Some("\"space\""));
        assert_eq!(read.place("none", "none"), Span::default());
    }

    #[test]
    fn a_hash_is_of_what_a_tool_is_and_not_of_how_it_is_laid_out() {
        let one = tool("t", json!({ "a": 1, "b": { "c": 2, "d": 3 } }));
        let other = tool("t", json!({ "b": { "d": 3, "c": 2 }, "a": 1 }));
        assert_eq!(hash(&one), hash(&other));
        assert_ne!(hash(&one), hash(&tool("t", json!({ "a": 2, "b": { "c": 2, "d": 3 } }))));
        assert_ne!(hash(&one), hash(&Listed { description: "Else.".into(), ..one.clone() }));
    }

    #[test]
    fn what_is_no_lock_file_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, why) in [("{", "EOF"), ("{}", "missing field"), (r#"{"version":9,"namespaces":{}}"#, "version 9")] {
            std::fs::write(folder.path().join(LOCK_NAME), text).expect("a file");
            let wrong = Lock::read(folder.path(), LOCK_NAME).expect_err(text);
            assert!(wrong.list[0].message.contains(why), "{wrong}");
        }
    }
}
