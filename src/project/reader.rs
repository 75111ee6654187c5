//! Reading TOML so that every mistake is told at its place: the helper that the settings are read with.

use std::ops::Range;
use std::time::Duration;

use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use crate::project::keys::{Key, Keys};
use crate::source::{FileId, SourceFile, Sources, Span};
use crate::tools::Setting;
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

impl Entry<'_> {
    /// Whether its value is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }
}

/// Collects what is wrong.
pub(super) struct Reader {
    source: SourceFile,
    found: Vec<Diagnostic>,
    /// The secrets that were named, and where.
    secrets: Vec<(String, Range<usize>)>,
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
        Self { source, found: Vec::new(), secrets: Vec::new() }
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
    pub(super) fn entries<'a>(&mut self, table: &'a Table<'_>, known: &[&[Key]]) -> Vec<Entry<'a>> {
        let known: Vec<&str> = known.iter().flat_map(|keys| keys.iter().map(|key| key.name)).collect();
        let (good, unknown): (Vec<_>, Vec<_>) =
            self.all(table).into_iter().partition(|entry| known.contains(&entry.name));
        for entry in unknown {
            let meant = nearest(entry.name, known.iter().copied());
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there is {}", list(&known)),
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

    /// The entries of a table with these keys; none where one that must be there is not.
    pub(super) fn whole<'a>(&mut self, of: &Entry<'a>, keys: &Keys) -> Option<Vec<Entry<'a>>> {
        let table = self.table(of)?;
        let entries = self.entries(table, &[keys.all]);
        self.has(of, &entries, keys)?;
        Some(entries)
    }

    /// Reports the first key that must be there and is not, at the table `of`.
    pub(super) fn has(&mut self, of: &Entry<'_>, entries: &[Entry<'_>], keys: &Keys) -> Option<()> {
        let absent =
            |key: &&Key| keys.required.contains(&key.name) && !entries.iter().any(|entry| entry.name == key.name);
        let Some(missing) = keys.all.iter().find(absent) else { return Some(()) };
        let mut doc = missing.doc.trim_end_matches('.').to_owned();
        doc.get_mut(..1).into_iter().for_each(str::make_ascii_lowercase);
        self.wrong(of, &format!("the key `{}` is missing", missing.name), &doc);
        None
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

    /// `true` or `false`.
    pub(super) fn flag(&mut self, entry: &Entry<'_>) -> Option<bool> {
        let found = entry.value.get_ref().as_bool();
        self.expected(entry, found, "`true` or `false`")
    }

    /// A list of texts, each read by `read`, which says what is wrong with it.
    pub(super) fn each<T>(
        &mut self,
        entry: &Entry<'_>,
        what: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let items = entry.value.get_ref().as_array();
        let mut list = Vec::new();
        for item in self.expected(entry, items, what)? {
            let text = item.get_ref().as_str();
            match text.map_or_else(|| Err("expected a string".to_owned()), &read) {
                Ok(one) => list.push(one),
                Err(reason) => self.add(item.span(), reason, None),
            }
        }
        Some(list)
    }

    /// A list of texts with at least one in it.
    pub(super) fn texts(&mut self, entry: &Entry<'_>) -> Option<Vec<String>> {
        let what = "a list of strings";
        let list = self.each(entry, what, |text| Ok(text.to_owned()))?;
        self.expected(entry, Some(list).filter(|list| !list.is_empty()), what)
    }

    /// The name of a secret.
    pub(super) fn secret(&mut self, entry: &Entry<'_>) -> Option<String> {
        let name = self.text(entry)?.to_owned();
        self.secrets.push((name.clone(), entry.value.span()));
        Some(name)
    }

    /// A text, or `{ secret = "NAME" }`.
    pub(super) fn setting(&mut self, entry: &Entry<'_>) -> Option<Setting> {
        let found = match entry.value.get_ref() {
            DeValue::String(text) => Some(Setting::Plain(text.as_ref().to_owned())),
            DeValue::Table(table) if table.len() == 1 => table.get("secret").and_then(|name| {
                let text = name.get_ref().as_str()?.to_owned();
                self.secrets.push((text.clone(), name.span()));
                Some(Setting::Secret(text))
            }),
            _ => None,
        };
        self.expected(entry, found, "a string or `{ secret = \"NAME\" }`")
    }

    /// The secrets that were named so far, each with its first place.
    pub(super) fn take_secrets(&mut self) -> Vec<(String, Range<usize>)> {
        let mut named: Vec<(String, Range<usize>)> = Vec::new();
        for (name, place) in std::mem::take(&mut self.secrets) {
            if !named.iter().any(|(known, _)| *known == name) {
                named.push((name, place));
            }
        }
        named
    }

    /// A table of headers.
    pub(super) fn headers(&mut self, entry: &Entry<'_>) -> Option<IndexMap<String, Setting>> {
        let table = self.table(entry)?;
        for header in self.all(table) {
            if http::HeaderName::from_bytes(header.name.as_bytes()).is_err() {
                self.wrong(&header, &format!("`{}` is no name for a header", header.name), "such as `X-Api-Version`");
            }
        }
        self.settings(entry)
    }

    /// A table of settings by name.
    pub(super) fn settings(&mut self, entry: &Entry<'_>) -> Option<IndexMap<String, Setting>> {
        let table = self.table(entry)?;
        let entries = self.all(table);
        Some(entries.iter().filter_map(|entry| Some((entry.name.to_owned(), self.setting(entry)?))).collect())
    }

    /// A table of whatever JSON can say.
    pub(super) fn json(&mut self, entry: &Entry<'_>) -> Option<serde_json::Map<String, serde_json::Value>> {
        let found = json(entry.value.get_ref()).and_then(|value| match value {
            serde_json::Value::Object(table) => Some(table),
            _ => None,
        });
        self.expected(entry, found, "a table without dates")
    }

    /// A number that is not negative.
    pub(super) fn amount(&mut self, entry: &Entry<'_>) -> Option<f64> {
        let found = match entry.value.get_ref() {
            DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(_) => self.whole_number(entry).map(|count| count as f64),
            _ => None,
        };
        self.expected(entry, found.filter(|amount| amount.is_finite() && *amount >= 0.0), "a number, zero or more")
    }

    /// A whole number, zero or more.
    pub(super) fn natural(&mut self, entry: &Entry<'_>) -> Option<usize> {
        let found = self.whole_number(entry);
        self.expected(entry, found, "a whole number, zero or more")
    }

    /// A text that `read` makes something of.
    pub(super) fn read<T>(&mut self, entry: &Entry<'_>, what: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let found = entry.value.get_ref().as_str().and_then(read);
        self.expected(entry, found, what)
    }

    fn whole_number(&self, entry: &Entry<'_>) -> Option<usize> {
        let number = entry.value.get_ref().as_integer()?;
        usize::from_str_radix(number.as_str(), number.radix()).ok()
    }

    /// A positive number.
    pub(super) fn count(&mut self, entry: &Entry<'_>) -> Option<usize> {
        let found = self.whole_number(entry);
        self.expected(entry, found.filter(|count| *count > 0), "a number above zero")
    }

    /// A span of time as the language writes it.
    pub(super) fn duration(&mut self, entry: &Entry<'_>) -> Option<Duration> {
        self.read(entry, "a duration like `\"30s\"`", duration)
    }

    /// An absolute http(s) address.
    pub(super) fn url(&mut self, entry: &Entry<'_>) -> Option<Url> {
        self.read(entry, "an address like `\"https://tools.example/flow\"`", web_address)
    }

    /// `true`, `false`, or a list of hosts, addresses and networks.
    pub(super) fn allow_private(&mut self, entry: &Entry<'_>) -> Option<AllowPrivate> {
        match entry.value.get_ref() {
            DeValue::Boolean(true) => Some(AllowPrivate::All),
            DeValue::Boolean(false) => Some(AllowPrivate::None),
            DeValue::Array(_) => self.each(entry, "a list", str::parse::<Allowed>).map(AllowPrivate::Only),
            _ => self.expected(entry, None, "`true`, or a list of hosts like `[\"127.0.0.1\"]`"),
        }
    }

    /// Reports an entry as a whole.
    pub(super) fn wrong(&mut self, entry: &Entry<'_>, message: &str, help: &str) {
        self.add(entry.key.clone(), message.to_owned(), Some(help.to_owned()));
    }

    /// Reports the value of an entry.
    pub(super) fn wrong_value(&mut self, entry: &Entry<'_>, message: &str, help: &str) {
        self.add(entry.value.span(), message.to_owned(), Some(help.to_owned()));
    }

    /// Reports a place.
    pub(super) fn wrong_at(&mut self, place: Range<usize>, message: String, help: String) {
        self.add(place, message, Some(help));
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

/// A span of time above zero.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let millis = parse_duration(text).and_then(|millis| u64::try_from(millis).ok());
    millis.filter(|millis| *millis > 0).map(Duration::from_millis)
}

/// An absolute http(s) address.
pub(super) fn web_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A value as JSON; none where it holds a date or a number that JSON has not.
fn json(value: &DeValue<'_>) -> Option<serde_json::Value> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()?.into(),
        DeValue::Float(number) => serde_json::Number::from_f64(number.as_str().replace('_', "").parse().ok()?)?.into(),
        DeValue::Datetime(_) => return None,
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect::<Option<_>>()?,
        DeValue::Table(table) => {
            let field = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let name: &std::borrow::Cow<'_, str> = name.get_ref();
                Some((name.clone().into_owned(), json(value.get_ref())?))
            };
            serde_json::Value::Object(table.iter().map(field).collect::<Option<_>>()?)
        }
    })
}

/// `` `a`, `b` and `c` ``
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
