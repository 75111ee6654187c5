//! Reading TOML so that every mistake is told at its place: the helper that the settings are read with.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use crate::source::{FileId, SourceFile, Sources, Span};
use crate::tools::http::{AllowPrivate, Allowed};
use crate::value::parse_duration;

/// A table of the file.
pub(super) type Table<'a> = DeTable<'a>;

/// A key and its value.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    /// The key.
    pub(super) name: &'a str,
    key: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

/// Collects what is wrong.
pub(super) struct Reader {
    source: SourceFile,
    found: Vec<Diagnostic>,
}

/// A `flow.toml` that cannot be read at all.
pub(super) fn unreadable(source: SourceFile, error: &std::io::Error) -> Diagnostics {
    let mut reader = Reader::new(source);
    let reason = match error.kind() {
        std::io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
        _ => error.to_string().to_lowercase(),
    };
    reader.add(0..0, format!("`{}` cannot be read: {reason}", reader.source.name()), None);
    Diagnostics { sources: Sources::of(reader.source), list: reader.found }
}

impl Reader {
    pub(super) fn new(source: SourceFile) -> Self {
        Self { source, found: Vec::new() }
    }

    /// The whole file; none where it is no TOML.
    pub(super) fn parse<'a>(&mut self, text: &'a str) -> Option<Table<'a>> {
        match DeTable::parse(text) {
            Ok(table) => Some(table.into_inner()),
            Err(error) => {
                let message = error.message().lines().next().unwrap_or("this is not TOML").to_lowercase();
                self.add(error.span().unwrap_or(0..0), message, None);
                None
            }
        }
    }

    /// What was read, if nothing was wrong.
    pub(super) fn finish<T>(mut self, read: T) -> Result<T, Diagnostics> {
        if self.found.is_empty() {
            return Ok(read);
        }
        self.found.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
        Err(Diagnostics { sources: Sources::of(self.source), list: self.found })
    }

    /// All entries of a table, in the order of the file.
    #[allow(clippy::unused_self, reason = "reads beside its siblings, which report")]
    pub(super) fn all<'a>(&mut self, table: &'a Table<'_>) -> Vec<Entry<'a>> {
        let mut entries: Vec<_> =
            table.iter().map(|(key, value)| Entry { name: key.get_ref().as_ref(), key: key.span(), value }).collect();
        entries.sort_by_key(|entry| entry.key.start);
        entries
    }

    /// The entries of a table whose keys are known; the others are reported, with the nearest that is.
    pub(super) fn entries<'a>(&mut self, table: &'a Table<'_>, known: &[&str]) -> Vec<Entry<'a>> {
        let (good, unknown): (Vec<_>, Vec<_>) =
            self.all(table).into_iter().partition(|entry| known.contains(&entry.name));
        for entry in unknown {
            let meant = nearest(entry.name, known.iter().copied());
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there is {}", list(known)),
            };
            let span = self.span(entry.key.clone());
            let mut diagnostic =
                Diagnostic::new(Code::CONFIG, span, format!("unknown key `{}`", entry.name)).help(help);
            if let Some(meant) = meant {
                diagnostic = diagnostic.suggest(format!("replace `{}` with `{meant}`", entry.name), span, meant);
            }
            self.found.push(diagnostic);
        }
        good
    }

    /// An entry by its path.
    pub(super) fn find<'a>(&mut self, table: &'a Table<'_>, path: &[&str]) -> Option<Entry<'a>> {
        let (name, rest) = path.split_first()?;
        let entry = self.all(table).into_iter().find(|entry| entry.name == *name)?;
        if rest.is_empty() { Some(entry) } else { self.find(entry.value.get_ref().as_table()?, rest) }
    }

    /// A table.
    pub(super) fn table<'a>(&mut self, entry: &Entry<'a>) -> Option<&'a Table<'a>> {
        let found = entry.value.get_ref().as_table();
        self.expected(entry, found, "a table")
    }

    /// A text.
    pub(super) fn text<'a>(&mut self, entry: &Entry<'a>) -> Option<&'a str> {
        let found = entry.value.get_ref().as_str();
        self.expected(entry, found, "a string")
    }

    /// A positive number.
    pub(super) fn count(&mut self, entry: &Entry<'_>) -> Option<usize> {
        let number = entry.value.get_ref().as_integer();
        let found = number.and_then(|number| usize::from_str_radix(number.as_str(), number.radix()).ok());
        self.expected(entry, found.filter(|count| *count > 0), "a number above zero")
    }

    /// A span of time as the language writes it.
    pub(super) fn duration(&mut self, entry: &Entry<'_>) -> Option<Duration> {
        let millis = entry.value.get_ref().as_str().and_then(parse_duration);
        let found = millis.and_then(|millis| u64::try_from(millis).ok()).filter(|millis| *millis > 0);
        self.expected(entry, found.map(Duration::from_millis), "a duration like `\"30s\"`")
    }

    /// An absolute http(s) address.
    pub(super) fn url(&mut self, entry: &Entry<'_>) -> Option<Url> {
        let found = entry.value.get_ref().as_str().and_then(|text| Url::parse(text).ok());
        let found = found.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        self.expected(entry, found, "an address like `\"https://tools.example/flow\"`")
    }

    /// `true`, `false`, or a list of hosts, addresses and networks.
    pub(super) fn allow_private(&mut self, entry: &Entry<'_>) -> Option<AllowPrivate> {
        match entry.value.get_ref() {
            DeValue::Boolean(true) => Some(AllowPrivate::All),
            DeValue::Boolean(false) => Some(AllowPrivate::None),
            DeValue::Array(items) => {
                let mut allowed = Vec::new();
                for item in items {
                    let text = item.get_ref().as_str();
                    match text.map_or_else(|| Err("expected a string".to_owned()), str::parse::<Allowed>) {
                        Ok(one) => allowed.push(one),
                        Err(reason) => self.add(item.span(), reason, None),
                    }
                }
                Some(AllowPrivate::Only(allowed))
            }
            _ => self.expected(entry, None, "`true`, or a list of hosts like `[\"127.0.0.1\"]`"),
        }
    }

    /// Reports an entry as a whole.
    pub(super) fn wrong(&mut self, entry: &Entry<'_>, message: &str, help: &str) {
        self.add(entry.key.clone(), message.to_owned(), Some(help.to_owned()));
    }

    fn expected<T>(&mut self, entry: &Entry<'_>, found: Option<T>, what: &str) -> Option<T> {
        if found.is_none() {
            self.add(entry.value.span(), format!("`{}` must be {what}", entry.name), None);
        }
        found
    }

    fn add(&mut self, range: Range<usize>, message: String, help: Option<String>) {
        let mut diagnostic = Diagnostic::new(Code::CONFIG, self.span(range), message);
        diagnostic.help = help;
        self.found.push(diagnostic);
    }

    #[allow(clippy::unused_self, reason = "a span belongs to the file that is read")]
    fn span(&self, range: Range<usize>) -> Span {
        Span::new(FileId(0), range.start, range.end)
    }
}

/// `` `a`, `b` and `c` ``
fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
