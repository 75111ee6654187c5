//! Skills: folders with a `SKILL.md` and a script that takes JSON and gives JSON.
//!
//! ```text
//! skills/word-count/SKILL.md     ---
//!                                name: word-count
//!                                description: Counts the words of a text.
//!                                run: ["python3", "main.py"]
//!                                input: { type: object, properties: { text: { type: string } }, required: [text] }
//!                                output: { type: object, properties: { words: { type: integer } }, required: [words] }
//!                                ---
//! skills/word-count/main.py
//! ```
//!
//! The script is started in its folder for each call, in a process group of its own and with a clean environment. It
//! reads the arguments from its standard input and writes the result to its standard output; what it writes to its
//! standard error goes to the log.

mod manifest;
mod script;

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use indexmap::IndexMap;

use crate::run::{Tool, ToolContext, ToolError};
use crate::tools::args::{Args, invalid};
use crate::tools::{Setting, standard};
use crate::types::Signature;
use crate::value::Value;

use manifest::Skill;

/// Where skills are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder that holds a folder for each.
    pub folder: PathBuf,
    /// Their environment, beside `PATH`, `HOME` and `LANG`.
    pub env: IndexMap<String, Setting>,
}

/// A tool `NAMESPACE.NAME` for each skill that says what it takes, and `NAMESPACE.run` for all of them. What is wrong
/// with a skill is logged, and told where it is run.
pub fn tools(namespace: &str, config: Config) -> Vec<Arc<dyn Tool>> {
    let (usable, broken) = manifest::load(&config.folder);
    for (name, why) in &broken {
        tracing::warn!(target: "flow", skill = name, "the skill cannot be used: {why}");
    }
    let skills = Arc::new(Skills { folder: config.folder, env: config.env, usable, broken });
    let typed = |(at, skill): (usize, &Skill)| {
        let name = format!("{namespace}.{}", skill.tool_name());
        let signature =
            Signature::from_json_schemas(name, &skill.description, skill.input.as_ref()?, skill.output.as_ref());
        Some((at, signature))
    };
    let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
    for (at, signature) in skills.usable.iter().enumerate().filter_map(typed) {
        tools.push(Arc::new(SkillTool { at: Some(at), skills: Arc::clone(&skills), signature: Arc::new(signature) }));
    }
    let any = format!("{namespace}.run");
    if let Some(signature) = standard::find("skill.run")
        && !tools.iter().any(|tool| tool.signature().name == any)
    {
        let signature = Arc::new(Signature { name: any.into(), ..(*signature).clone() });
        tools.push(Arc::new(SkillTool { at: None, skills: Arc::clone(&skills), signature }));
    }
    tools
}

struct Skills {
    folder: PathBuf,
    env: IndexMap<String, Setting>,
    usable: Vec<Skill>,
    /// Folders whose skill cannot be used, and why.
    broken: Vec<(String, String)>,
}

/// One skill, or whichever is named.
struct SkillTool {
    at: Option<usize>,
    skills: Arc<Skills>,
    signature: Arc<Signature>,
}

impl Tool for SkillTool {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let (skill, input) = match self.at.and_then(|at| self.skills.usable.get(at)) {
                Some(skill) => (skill, args),
                None => {
                    let args = Args(&args);
                    (self.skills.find(args.text("name")?)?, args.get("input").cloned().unwrap_or(Value::Null))
                }
            };
            script::run(skill, &self.skills.env, &input, context).await
        })
    }
}

impl Skills {
    fn find(&self, name: &str) -> Result<&Skill, ToolError> {
        if let Some(skill) = self.usable.iter().find(|skill| skill.name == name) {
            return Ok(skill);
        }
        if let Some((_, why)) = self.broken.iter().find(|(broken, _)| broken == name) {
            return Err(invalid(format!("the skill `{name}` cannot be used: {why}")));
        }
        let known: Vec<_> = self.usable.iter().map(|skill| format!("`{}`", skill.name)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(invalid(format!("there is no skill `{name}` in `{}`; there is {known}", self.folder.display())))
    }
}
