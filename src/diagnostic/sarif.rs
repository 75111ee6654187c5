//! Diagnostics as SARIF 2.1.0 (OASIS, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>), which code hosts and editors
//! read.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::diagnostic::{CODES, Diagnostic, Edit, Fix, Severity};
use crate::source::{SourceFile, Sources, Span};

/// The diagnostics as a SARIF log of one run.
pub fn sarif(diagnostics: &[Diagnostic], sources: &Sources) -> Value {
    let rules: Vec<Value> = CODES
        .iter()
        .map(|code| {
            json!({
                "id": code.id,
                "shortDescription": { "text": code.title },
                "defaultConfiguration": { "level": level(code.severity) },
            })
        })
        .collect();
    let results: Vec<Value> = diagnostics.iter().map(|diagnostic| result(diagnostic, sources)).collect();
    let artifacts: Vec<Value> = sources.iter().map(|(_, file)| json!({ "location": { "uri": uri(file) } })).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "flowc", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "artifacts": artifacts,
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let text = match &diagnostic.help {
        Some(help) => format!("{}\n{help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let related = diagnostic.labels.iter().map(|label| {
        let place = physical(label.span, sources);
        json!({ "physicalLocation": place, "message": { "text": label.message } })
    });
    let rule = CODES.iter().position(|code| *code == diagnostic.code);
    json!({
        "ruleId": diagnostic.code.id,
        // -1 is SARIF's own way to say that there is none.
        "ruleIndex": rule.map_or(-1, |index| index as i64),
        "level": level(diagnostic.severity()),
        "message": { "text": text },
        "locations": [{ "physicalLocation": physical(diagnostic.span, sources) }],
        "relatedLocations": related.collect::<Value>(),
        "fixes": diagnostic.fixes.iter().map(|one| fix(one, sources)).collect::<Value>(),
    })
}

fn physical(span: Span, sources: &Sources) -> Value {
    json!({ "artifactLocation": artifact(span, sources), "region": region(span, sources) })
}

fn artifact(span: Span, sources: &Sources) -> Value {
    json!({ "uri": sources.get(span.file).map(uri).unwrap_or_default(), "index": span.file.0 })
}

fn region(span: Span, sources: &Sources) -> Value {
    let Some(file) = sources.get(span.file) else { return json!({}) };
    let (start, end) = (file.position(span.start), file.position(span.end));
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
        "byteOffset": start.offset,
        "byteLength": end.offset - start.offset,
    })
}

fn fix(fix: &Fix, sources: &Sources) -> Value {
    let mut files: Vec<u32> = fix.edits.iter().map(|edit| edit.span.file.0).collect();
    files.sort_unstable();
    files.dedup();
    let change = |file: u32| {
        let edits: Vec<&Edit> = fix.edits.iter().filter(|edit| edit.span.file.0 == file).collect();
        let location = edits.first().map(|edit| artifact(edit.span, sources));
        let replacements = edits.iter().map(
            |edit| json!({ "deletedRegion": region(edit.span, sources), "insertedContent": { "text": edit.text } }),
        );
        json!({ "artifactLocation": location, "replacements": replacements.collect::<Value>() })
    };
    let changes: Vec<Value> = files.into_iter().map(change).collect();
    json!({ "description": { "text": fix.title }, "artifactChanges": changes })
}

/// A file's name as a relative URI reference (RFC 3986): `/` between parts, everything unusual percent-encoded.
fn uri(file: &SourceFile) -> String {
    let mut out = String::with_capacity(file.name().len());
    for byte in file.name().replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
