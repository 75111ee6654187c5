//! Telling mistakes from what merely follows from a syntax error: where a text could not be read, the checker misses
//! what stood there, and what it then says of names and types is no mistake of the author. Nor is a name unused while
//! an error stands where it could be used.

use rustc_hash::FxHashSet;

use crate::check::Unit;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::source::{FileId, Sources, Span};
use crate::syntax::ast::{Item, ItemKind};

/// Codes that say something is not there, or is never used: no news where something could not be read.
const ABSENT: &[Code] = &[
    Code::UNKNOWN_NAME,
    Code::UNKNOWN_TYPE,
    Code::UNKNOWN_TOOL,
    Code::UNKNOWN_FUNCTION,
    Code::IMPORT,
    Code::UNUSED,
    Code::RECURSIVE_TYPE,
];

/// Codes that a lost statement nearby cannot cause: they stand beside syntax errors in the same item.
const LOCAL: &[Code] = &[
    Code::UNKNOWN_ARGUMENT,
    Code::MISSING_ARGUMENT,
    Code::TOO_MANY_ARGUMENTS,
    Code::UNKNOWN_TYPE,
    Code::UNKNOWN_TOOL,
    Code::UNKNOWN_ANNOTATION,
    Code::UNKNOWN_ERROR_KIND,
    Code::MISMATCH,
    Code::OPERATOR,
    Code::CONDITION,
    Code::BAD_URL,
    Code::INTERPOLATION,
    Code::EFFECT,
];

/// Codes of syntax errors that leave nothing out of the tree: it is as if they had been mended.
const HARMLESS: &[Code] = &[Code::FOREIGN_OPERATOR, Code::BAD_ESCAPE, Code::CHAINED_COMPARISON];

/// Takes out of `found` (what the checker says) what follows from the syntax errors.
pub(super) fn silence(found: &mut Vec<Diagnostic>, syntax: &[Diagnostic], units: &[Unit], sources: &Sources) {
    if syntax.is_empty() {
        return;
    }
    let broken = Broken::of(syntax, units);
    found.retain(|diagnostic| !broken.explains(diagnostic, sources));
}

/// Takes out of `found`, which is in order, each warning of an unused name whose use an error may hide: for a name of an
/// item an error anywhere in the item, for an imported one anywhere in the file.
pub(super) fn silence_unused(found: &mut Vec<Diagnostic>, units: &[Unit]) {
    let errors: Vec<(FileId, u32)> = found
        .iter()
        .filter(|diagnostic| diagnostic.severity() == Severity::Error)
        .map(|diagnostic| (diagnostic.span.file, diagnostic.span.start))
        .collect();
    if errors.is_empty() {
        return;
    }
    found.retain(|diagnostic| {
        if diagnostic.code != Code::UNUSED {
            return true;
        }
        let at = diagnostic.span;
        let items = units.iter().find(|unit| unit.id == at.file).map_or(&[][..], |unit| &unit.tree.items);
        let item = items.get(items.partition_point(|item| item.span.end < at.end));
        let (from, to) = match item {
            Some(item) if !matches!(item.kind, ItemKind::Use(_)) => (item.span.start, item.span.end),
            _ => (0, u32::MAX),
        };
        let first = errors.partition_point(|error| *error < (at.file, from));
        !errors.get(first).is_some_and(|(file, start)| *file == at.file && *start <= to)
    });
}

/// What the syntax errors leave unknown.
struct Broken<'a> {
    /// The characters in question.
    errors: Vec<Span>,
    /// Those of mistakes that leave nothing unknown but their own line.
    harmless: Vec<Span>,
    /// Items with syntax errors inside.
    items: Vec<Span>,
    /// What those items declare.
    names: FxHashSet<&'a str>,
    /// Whether a whole item could not be read, so that any name may be declared there.
    lost_item: bool,
}

impl<'a> Broken<'a> {
    fn of(syntax: &[Diagnostic], units: &'a [Unit]) -> Self {
        let (harmless, harmful): (Vec<_>, Vec<_>) =
            syntax.iter().partition(|diagnostic| HARMLESS.contains(&diagnostic.code));
        let spans = |of: Vec<&Diagnostic>| {
            let mut spans: Vec<Span> = of.into_iter().map(|diagnostic| diagnostic.span).collect();
            spans.sort_unstable();
            spans
        };
        let (harmless, errors) = (spans(harmless), spans(harmful));
        let mut items: Vec<&Item> = units.iter().flat_map(|unit| &unit.tree.items).collect();
        items.sort_unstable_by_key(|item| item.span);
        let spans: Vec<Span> = items.iter().map(|item| item.span).collect();
        // An error outside of every item is of one that the tree does not even mention.
        let stray = errors.iter().any(|at| !any_touches(&spans, *at));
        items.retain(|item| matches!(item.kind, ItemKind::Error) || any_touches(&errors, item.span));
        Self {
            lost_item: stray || items.iter().any(|item| matches!(item.kind, ItemKind::Error)),
            names: items.iter().filter_map(|item| declared(item)).collect(),
            items: items.iter().map(|item| item.span).collect(),
            errors,
            harmless,
        }
    }

    fn explains(&self, diagnostic: &Diagnostic, sources: &Sources) -> bool {
        if self.lost_item && ABSENT.contains(&diagnostic.code) {
            return true;
        }
        // The use of a broken declaration may be told wrongly, wherever it stands.
        let lines = lines_of(diagnostic.span, sources);
        let mut words = sources.slice(lines).split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| self.names.contains(word)) {
            return true;
        }
        if any_touches(&self.harmless, lines) {
            return true;
        }
        any_touches(&self.items, diagnostic.span)
            && (!LOCAL.contains(&diagnostic.code) || any_touches(&self.errors, lines))
    }
}

fn declared(item: &Item) -> Option<&str> {
    match &item.kind {
        ItemKind::Type(declared) => Some(declared.name.text.as_str()),
        ItemKind::Tool(declared) => declared.name.text.rsplit('.').next(),
        ItemKind::Fn(declared) => Some(declared.name.text.as_str()),
        ItemKind::Flow(declared) => Some(declared.name.text.as_str()),
        ItemKind::Use(_) | ItemKind::Test(_) | ItemKind::Error => None,
    }
}

/// Whether a span meets one of these, which are in order and do not overlap, or stands right beside one.
fn any_touches(spans: &[Span], span: Span) -> bool {
    let from = spans.partition_point(|other| (other.file, other.end) < (span.file, span.start));
    spans.get(from).is_some_and(|other| other.file == span.file && other.start <= span.end)
}

/// The whole lines of a span.
fn lines_of(span: Span, sources: &Sources) -> Span {
    let Some(file) = sources.get(span.file) else { return span };
    let (first, last) = (file.position(span.start).line, file.position(span.end).line);
    Span { file: span.file, start: file.line_start(first), end: file.line_start(last + 1) }
}
