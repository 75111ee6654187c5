//! Tools as a server or document lists them: JSON Schemas under names that need not be Flow's.

use serde_json::{Map, Value as Json};

use crate::run::Tool;
use crate::types::{Annotations, Signature, Text, is_name};

/// A tool that someone else describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its name there.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments: an object.
    pub input: Json,
    /// The JSON Schema of its result, where it says.
    pub output: Option<Json>,
    /// What it says of its effects.
    pub annotations: Annotations,
}

impl Listed {
    /// Its signature under a Flow name (`namespace.tool`), and what its parameters are called there where that is no
    /// name of Flow's: pairs of Flow's and theirs.
    pub fn signature(&self, name: &str) -> (Signature, Vec<(Text, Text)>) {
        let mut signature = Signature::from_json_schemas(name, &self.description, &self.input, self.output.as_ref());
        signature.annotations = self.annotations.clone();
        let mut renamed = Vec::new();
        let theirs: Vec<Text> = signature.params.iter().map(|param| param.name.clone()).collect();
        for (name, param) in flow_names(&theirs).into_iter().zip(&mut signature.params) {
            if name != param.name {
                renamed.push((name.clone(), std::mem::replace(&mut param.name, name)));
            }
        }
        (signature, renamed)
    }
}

/// Names as Flow can write them, in order and each once: what no name may hold becomes `_`, and a second of one name is
/// numbered.
pub fn flow_names(theirs: &[Text]) -> Vec<Text> {
    let mut names: Vec<Text> = Vec::with_capacity(theirs.len());
    for their in theirs {
        let mut name: String =
            their.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        if !is_name(&name) {
            name.insert(0, '_');
        }
        // A name that needs no change keeps it, wherever it stands in the list.
        let taken =
            |name: &str| names.iter().any(|known| known == name) || (name != their && theirs.iter().any(|t| t == name));
        let plain = name.clone();
        let mut count = 1;
        while taken(&name) {
            count += 1;
            name = format!("{plain}_{count}");
        }
        names.push(name.into());
    }
    names
}

/// The arguments of a call as their server knows them.
pub(crate) fn arguments(args: &crate::value::Value, renamed: &[(Text, Text)]) -> Map<String, Json> {
    let Json::Object(given) = Json::from(args) else { return Map::new() };
    let theirs = |name: String| match renamed.iter().find(|(ours, _)| *ours == name) {
        Some((_, theirs)) => theirs.to_string(),
        None => name,
    };
    given.into_iter().map(|(name, value)| (theirs(name), value)).collect()
}

/// Shows a person the address at which to log in.
pub type Opener = std::sync::Arc<dyn Fn(&url::Url) + Send + Sync>;

/// Tools that have to be asked for: what `flowc tools sync` writes into the lock file, and what a run is compared with.
pub trait Remote: Send + Sync {
    /// The tools there are now.
    ///
    /// # Errors
    /// The other side cannot be reached, or says what cannot be understood.
    fn list<'a>(
        &'a self,
        secrets: &'a dyn crate::run::Secrets,
    ) -> futures::future::BoxFuture<'a, Result<Vec<Listed>, crate::run::ToolError>>;

    /// Lets a person log in to it, whom `opener` shows where. Gives how many tools there are for them.
    ///
    /// # Errors
    /// Nobody logs in to it, or the login failed.
    fn login<'a>(
        &'a self,
        secrets: &'a dyn crate::run::Secrets,
        opener: Opener,
    ) -> futures::future::BoxFuture<'a, Result<usize, crate::run::ToolError>> {
        let _ = (secrets, opener);
        let why = "nobody logs in to it";
        let error = crate::run::ToolError::new(crate::value::ErrorKind::Denied, why).undelivered();
        Box::pin(std::future::ready(Err(error)))
    }

    /// One of its tools, as it was listed, under a Flow name.
    fn tool(&self, name: &str, listed: &Listed) -> std::sync::Arc<dyn Tool>;

    /// Ends what was begun: processes, sessions.
    fn close(&self) -> futures::future::BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_names_of_flow() {
        let theirs = ["get-env", "get_env", "a.b", "a-b", "2nd", "", "ünï", "plain"].map(Text::from);
        let names = flow_names(&theirs);
        assert_eq!(names, ["get_env_2", "get_env", "a_b", "a_b_2", "_2nd", "_", "_n_", "plain"]);
    }

    #[test]
    fn parameters_are_renamed_and_sent_under_their_own_names() {
        let input =
            serde_json::json!({ "properties": { "max-results": { "type": "integer" }, "q": { "type": "string" } } });
        let listed = Listed {
            name: "find".into(),
            description: String::new(),
            input,
            output: None,
            annotations: Annotations::default(),
        };
        let (signature, renamed) = listed.signature("x.find");
        assert!(signature.find("max_results").is_some() && signature.find("q").is_some());
        let args = crate::value::Value::from(serde_json::json!({ "max_results": 3, "q": "a" }));
        assert_eq!(Json::Object(arguments(&args, &renamed)), serde_json::json!({ "max-results": 3, "q": "a" }));
    }
}
