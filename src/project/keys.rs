//! The keys of `flow.toml`, each declared once: the reader knows these and no others, and the published JSON Schema is
//! made of them.

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// What it sets, in a sentence.
    pub(super) doc: &'static str,
}

/// What a key's value looks like.
#[derive(Debug)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number above zero.
    Count,
    /// A whole number, zero or more.
    Natural,
    /// A number, zero or more.
    Amount,
    /// `"500ms"`
    Duration,
    /// An absolute http(s) address.
    Url,
    /// The name of a secret.
    Secret,
    /// A string or `{ secret = "NAME" }`.
    Setting,
    /// A string of this form (a regular expression).
    Pattern(&'static str),
    /// A list of strings.
    Texts,
    /// A list of strings with at least one in it.
    SomeTexts,
    /// A table.
    Table(Keys),
    /// A table of one of these kinds.
    OneOf(&'static [Keys]),
    /// A table of any names, each with a value of this shape.
    Each(&'static Shape),
    /// One or the other.
    Either(&'static Shape, &'static Shape),
    /// Whatever JSON can say.
    Any,
    /// Every namespace's provider, each of one of the kinds there are.
    Providers,
}

/// The keys of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    pub(super) all: &'static [Key],
    /// Those that must be there.
    pub(super) required: &'static [&'static str],
}

impl Key {
    pub(super) const fn new(name: &'static str, shape: Shape, doc: &'static str) -> Self {
        Self { name, shape, doc }
    }
}

impl Keys {
    /// Keys of which these must be there.
    pub(super) const fn new(all: &'static [Key], required: &'static [&'static str]) -> Self {
        Self { all, required }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all.iter().any(|key| key.name == name)
    }
}
