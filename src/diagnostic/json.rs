//! Diagnostics for programs, as JSON:
//! `{"diagnostics":[{"code","severity","message","help","file","span","labels","fixes"}]}`.
//! Lines and columns count from 1, columns in characters; offsets in bytes from 0.

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{Position, Sources, Span};

/// The diagnostics as one JSON object.
pub fn json(diagnostics: &[Diagnostic], sources: &Sources) -> serde_json::Value {
    let list: Vec<Entry> = diagnostics.iter().map(|diagnostic| entry(diagnostic, sources)).collect();
    // Plain data with text keys: this cannot fail.
    serde_json::json!({ "diagnostics": serde_json::to_value(list).unwrap_or_default() })
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'static str,
    severity: Severity,
    message: &'a str,
    help: Option<&'a str>,
    file: &'a str,
    span: Range,
    labels: Vec<Label<'a>>,
    fixes: Vec<Fix<'a>>,
}

#[derive(Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Serialize)]
struct Label<'a> {
    /// Only where it is another one than the diagnostic's.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    span: Range,
    message: &'a str,
}

#[derive(Serialize)]
struct Fix<'a> {
    title: &'a str,
    edits: Vec<Edit<'a>>,
}

#[derive(Serialize)]
struct Edit<'a> {
    span: Range,
    text: &'a str,
}

fn entry<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Entry<'a> {
    let name = |span: Span| sources.get(span.file).map_or("", |file| file.name());
    let label = |span: Span, message: &'a str| Label {
        file: (span.file != diagnostic.span.file).then(|| name(span)),
        span: range(span, sources),
        message,
    };
    let own = (!diagnostic.label.is_empty()).then(|| label(diagnostic.span, &diagnostic.label));
    let further = diagnostic.labels.iter().map(|second| label(second.span, &second.message));
    let fixes = diagnostic.fixes.iter().map(|fix| Fix {
        title: &fix.title,
        edits: fix.edits.iter().map(|edit| Edit { span: range(edit.span, sources), text: &edit.text }).collect(),
    });
    Entry {
        code: diagnostic.code.id,
        severity: diagnostic.severity(),
        message: &diagnostic.message,
        help: diagnostic.help.as_deref(),
        file: name(diagnostic.span),
        span: range(diagnostic.span, sources),
        labels: own.into_iter().chain(further).collect(),
        fixes: fixes.collect(),
    }
}

fn range(span: Span, sources: &Sources) -> Range {
    let at = |offset| {
        let nowhere = Position { line: 1, column: 1, offset };
        sources.get(span.file).map_or(nowhere, |file| file.position(offset))
    };
    Range { start: at(span.start), end: at(span.end) }
}
