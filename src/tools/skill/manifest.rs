//! `SKILL.md`: what a skill is called and how it is run, in the YAML before its text.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;

use crate::types::is_name;

/// A skill that can be run.
#[derive(Clone, Debug)]
pub(super) struct Skill {
    pub(super) name: String,
    pub(super) description: String,
    /// The program and its arguments.
    pub(super) run: Vec<String>,
    /// The JSON Schemas of what it takes and gives.
    pub(super) input: Option<Json>,
    pub(super) output: Option<Json>,
    pub(super) folder: PathBuf,
}

/// The keys that are read; others are for others.
#[derive(Deserialize)]
struct Manifest {
    name: String,
    description: String,
    run: Option<Vec<String>>,
    input: Option<Json>,
    output: Option<Json>,
}

impl Skill {
    /// Its name as that of a tool: `word_count` for `word-count`.
    pub(super) fn tool_name(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// The skills in the folders of a folder, by name, and those that cannot be used, with the reason.
pub(super) fn load(folder: &Path) -> (Vec<Skill>, Vec<(String, String)>) {
    let (mut skills, mut broken): (Vec<Skill>, _) = (Vec::new(), Vec::new());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) => return (skills, vec![(folder.display().to_string(), format!("the folder cannot be read: {why}"))]),
    };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    for folder in folders {
        let file = folder.join("SKILL.md");
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let called = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match read(&text, folder) {
            Ok(skill) if skills.iter().any(|known| known.tool_name() == skill.tool_name()) => {
                broken.push((called, format!("another one is called `{}`", skill.name)));
            }
            Ok(skill) => skills.push(skill),
            Err(why) => broken.push((called, why)),
        }
    }
    (skills, broken)
}

fn read(text: &str, folder: PathBuf) -> Result<Skill, String> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let front = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---")).map(|(front, _)| front);
    let front = front.ok_or("`SKILL.md` does not begin with its facts between two lines of `---`")?;
    let manifest: Manifest = serde_saphyr::from_str(front).map_err(|why| {
        let first = why.to_string().lines().next().unwrap_or_default().to_owned();
        format!("the facts of `SKILL.md` cannot be read: {first}")
    })?;
    let Manifest { name, description, run, input, output } = manifest;
    if !is_name(&name.replace('-', "_")) {
        return Err(format!("`{name}` is no name for a skill: letters, digits, `-` and `_`"));
    }
    let run = run.filter(|run| !run.is_empty()).ok_or("its `run` is missing: `run: [\"python3\", \"main.py\"]`")?;
    Ok(Skill { name, description: description.trim().to_owned(), run, input, output, folder })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_before_the_text() {
        let text = "---\nname: word-count\ndescription: >\n  Counts\n  words.\nlicense: MIT\nrun: [sh, main.sh]\n\
                    input:\n  type: object\n  properties: { text: { type: string } }\n---\n\n# How\n---\n";
        let skill = read(text, PathBuf::new()).expect("a skill");
        assert_eq!((skill.name.as_str(), skill.tool_name().as_str()), ("word-count", "word_count"));
        assert_eq!(skill.description, "Counts words.");
        assert_eq!(skill.run, ["sh", "main.sh"]);
        let input = serde_json::json!({ "type": "object", "properties": { "text": { "type": "string" } } });
        assert_eq!(skill.input, Some(input));
        let wrong = |text: &str| read(text, PathBuf::new()).expect_err("wrong");
        assert!(wrong("# How").contains("between two lines of `---`"));
        assert!(wrong("---\nname: a\ndescription: b\n---\n").contains("`run` is missing"));
        assert!(wrong("---\nname: a b\ndescription: b\nrun: [x]\n---\n").contains("`a b` is no name"));
        assert!(wrong("---\nname: [\n---\n").contains("cannot be read"));
    }
}
