//! What goes wrong, told so that a person or a model can mend it: a stable code, the exact characters, what was
//! expected and found, and the edit that would fix it.
//!
//! Message grammar: lower case, no full stop, the user's text in backticks, no names of Rust types or grammar rules.

pub mod apply;
mod codes;
mod github;
mod json;
mod list;
pub mod render;
mod sarif;

pub use codes::{CODES, Code};
pub use github::github;
pub use json::json;
pub use list::{Diagnostics, Reports, summary};
pub use sarif::sarif;

use crate::source::Span;

/// How bad it is. Errors stop a program from running; warnings do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The program runs, but probably not as meant.
    Warning,
    /// The program cannot run.
    Error,
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there, in a few words.
    pub message: String,
}

/// A replacement of the text under a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty spans insert.
    pub span: Span,
    /// What stands there instead.
    pub text: String,
}

/// A way to mend the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// An imperative phrase: ``replace `&&` with `and` ``.
    pub title: String,
    /// The edits, which do not overlap.
    pub edits: Vec<Edit>,
    /// Whether `--fix` may apply it unasked: the meaning is surely what the author wanted.
    pub safe: bool,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of mistake; gives the severity and the page that explains it.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// The exact characters.
    pub span: Span,
    /// What stands at `span`, in a few words, shown under the characters ("this is a `string`").
    pub label: String,
    /// Further places.
    pub labels: Vec<Label>,
    /// How to mend it, in a sentence or two.
    pub help: Option<String>,
    /// Mends as edits, the likeliest first.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// A diagnostic of this code at this place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span,
            label: String::new(),
            labels: Vec::new(),
            help: None,
            fixes: Vec::new(),
        }
    }

    /// Error or warning, as the code says.
    pub fn severity(&self) -> Severity {
        self.code.severity
    }

    /// Says what stands at the span itself.
    #[must_use]
    pub fn here(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn label(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers an edit that is surely what was meant; `--fix` applies it.
    #[must_use]
    pub fn fix(self, title: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        self.with_fix(Fix { title: title.into(), edits: vec![Edit { span, text: text.into() }], safe: true })
    }

    /// Offers an edit that a person should look at first.
    #[must_use]
    pub fn suggest(self, title: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        self.with_fix(Fix { title: title.into(), edits: vec![Edit { span, text: text.into() }], safe: false })
    }

    /// Offers a mend of several edits.
    #[must_use]
    pub fn with_fix(mut self, fix: Fix) -> Self {
        self.fixes.push(fix);
        self
    }
}

/// The name nearest to `wrong` among those there are, if one is near enough to be meant.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (wrong.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase()), name))
        // A name of which no letter is left was not meant.
        .filter(|(distance, name)| *distance <= allowed && *distance < name.chars().count() && *name != wrong)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
