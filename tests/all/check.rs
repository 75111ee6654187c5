//! What the checker says of the files in `tests/spec/check`. A comment `//~ E0404 part of the message` expects a
//! diagnostic that begins on its line, `//~^` on the line before, `//~^^` on the one before that; several may follow
//! each other in one comment. What is not expected fails the test, warnings too; so does a span that cuts a character.

use std::path::{Path, PathBuf};

use flowc::compile::{Analysis, analyze};
use flowc::source::{DiskLoader, NoLoader, SourceFile, Span};

/// A diagnostic as the file expects it.
#[derive(Debug)]
struct Expected {
    line: u32,
    code: String,
    part: String,
}

fn expectations(source: &SourceFile) -> Vec<Expected> {
    let mut expected = Vec::new();
    for (at, line) in source.text().lines().enumerate() {
        let mut marks = line.split("//~");
        marks.next();
        for mark in marks {
            let rest = mark.trim_start_matches('^');
            let up = (mark.len() - rest.len()) as u32;
            let (code, part) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
            expected.push(Expected { line: at as u32 + 1 - up, code: code.into(), part: part.trim().into() });
        }
    }
    expected
}

/// The spans of all that is said that do not lie on characters.
fn cut(analysis: &Analysis) -> Vec<String> {
    let whole = |span: Span| {
        let file = analysis.sources.get(span.file);
        file.is_some_and(|file| file.text().get(span.range()).is_some())
    };
    let mut cut = Vec::new();
    for found in &analysis.diagnostics {
        let labels = found.labels.iter().map(|label| label.span);
        let edits = found.fixes.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
        let spans = std::iter::once(found.span).chain(labels).chain(edits).filter(|span| !whole(*span));
        cut.extend(spans.map(|span| format!("{span:?} of {} {} cuts a character", found.code.id, found.message)));
    }
    cut
}

/// What differs between what a file expects and what is said of it.
fn differences(path: &Path) -> Vec<String> {
    let source = SourceFile::read(path).unwrap();
    let mut expected = expectations(&source);
    let analysis = analyze(source, &flowc::tools::standard::catalog(), &DiskLoader);
    let mut wrong = cut(&analysis);
    for found in &analysis.diagnostics {
        let Some(file) = analysis.sources.get(found.span.file) else { continue };
        if found.span.file.0 != 0 {
            wrong.push(format!("{}: {} {}", file.name(), found.code.id, found.message));
            continue;
        }
        let line = file.position(found.span.start).line;
        let same =
            |want: &Expected| want.line == line && want.code == found.code.id && found.message.contains(&want.part);
        match expected.iter().position(same) {
            Some(at) => drop(expected.swap_remove(at)),
            None => wrong.push(format!("line {line}: unexpected {} {}", found.code.id, found.message)),
        }
    }
    wrong.extend(expected.iter().map(|want| format!("line {}: missing {} {}", want.line, want.code, want.part)));
    wrong
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "flow"))
        .collect();
    files.sort();
    files
}

fn report(files: &[PathBuf]) {
    let mut failed = String::new();
    for path in files {
        for difference in differences(path) {
            failed += &format!("{}: {difference}\n", path.display());
        }
    }
    assert!(failed.is_empty(), "\n{failed}");
}

#[test]
fn what_the_checker_says_is_what_the_files_expect() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec/check"));
    assert!(!files.is_empty());
    report(&files);
}

#[test]
fn spans_lie_on_characters_where_a_text_ends_too_early() {
    let call = "tool t(x: int) -> int\nflow a(x: int) -> int { step t//é";
    for text in ["fn a//é", "fn a() -> int //é", "flow a() -> int { emit \"é", "flow a() -> int { emit 1 //é", call]
    {
        let catalog = flowc::tools::standard::catalog();
        let analysis = analyze(SourceFile::new("unended", text), &catalog, &NoLoader);
        assert!(analysis.has_errors(), "{text}");
        assert_eq!(cut(&analysis), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_examples_are_clean() {
    report(&files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")));
}
