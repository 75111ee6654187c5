//! Spec files of the parser and the formatter. `tests/spec/syntax/NAME.flow` has its diagnostics beside it in
//! `NAME.txt`, `tests/spec/format/NAME.flow` its canonical text in `NAME.out`. `FLOW_UPDATE=1` writes them anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowc::diagnostic::{Code, Diagnostic};
use flowc::format::format;
use flowc::source::{FileId, SourceFile};
use flowc::syntax::{NodeIds, Parsed, parse};

use crate::trees::shape;

fn parsed(source: &SourceFile) -> Parsed {
    parse(source, FileId::default(), &mut NodeIds::default())
}

fn files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root).expect("a folder of spec files").flatten().map(|e| e.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "flow"));
    files.sort();
    files
}

/// Compares with the file beside a spec, or writes it.
fn expect(beside: &Path, actual: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("FLOW_UPDATE").is_some() {
        std::fs::write(beside, actual).expect("the expectation is written");
        return;
    }
    let expected = std::fs::read_to_string(beside).unwrap_or_default();
    if expected != actual {
        wrong.push(format!("{}: expected\n{expected}\nfound\n{actual}", beside.display()));
    }
}

/// `line:column-length CODE message`, then what belongs to it.
fn show(source: &SourceFile, diagnostic: &Diagnostic) -> String {
    let at = |offset| {
        let place = source.position(offset);
        format!("{}:{}", place.line, place.column)
    };
    let length = source.slice(diagnostic.span).chars().count();
    let mut text = format!("{}+{length} {} {}\n", at(diagnostic.span.start), diagnostic.code.id, diagnostic.message);
    for label in &diagnostic.labels {
        let _ = writeln!(text, "    at {} {}", at(label.span.start), label.message);
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(text, "    help: {help}");
    }
    for fix in &diagnostic.fixes {
        let edits: Vec<String> = fix
            .edits
            .iter()
            .map(|edit| format!("{} {:?} -> {:?}", at(edit.span.start), source.slice(edit.span), edit.text))
            .collect();
        let _ = writeln!(text, "    {}: {} ({})", if fix.safe { "fix" } else { "maybe" }, fix.title, edits.join(", "));
    }
    text
}

#[test]
fn syntax_errors_are_as_the_spec_files_say() {
    let mut wrong = Vec::new();
    for path in files("tests/spec/syntax") {
        let source = SourceFile::read(&path).expect("a spec file");
        let found: String = parsed(&source).diagnostics.iter().map(|diagnostic| show(&source, diagnostic)).collect();
        expect(&path.with_extension("txt"), &found, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn formatting_is_as_the_spec_files_say() {
    let mut wrong = Vec::new();
    for path in files("tests/spec/format") {
        let source = SourceFile::read(&path).expect("a spec file");
        let text = format(&source).unwrap_or_else(|found| panic!("{}: {found:#?}", path.display()));
        expect(&path.with_extension("out"), &text, &mut wrong);
        let formatted = SourceFile::new("again", text.as_str());
        assert_eq!(shape(&parsed(&formatted).file), shape(&parsed(&source).file), "{} reads otherwise", path.display());
        let again = format(&formatted);
        assert_eq!(again.as_deref(), Ok(text.as_str()), "{} is formatted anew the second time", path.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_examples_are_canonical() {
    for path in files("examples") {
        let source = SourceFile::read(&path).expect("an example");
        assert_eq!(format(&source).as_deref(), Ok(source.text()), "{}", path.display());
    }
}

/// The one diagnostic of a text, within a time that no honest machine needs.
fn only_code(text: String) -> Code {
    let source = SourceFile::new("limits", text);
    let begun = Instant::now();
    let found = parsed(&source).diagnostics;
    assert!(begun.elapsed() < Duration::from_millis(100), "it took {:?}", begun.elapsed());
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].code
}

#[test]
fn what_is_too_deep_or_too_large_is_refused_at_once() {
    assert_eq!(only_code("[".repeat(1_000_000)), Code::TOO_DEEP);
    assert_eq!(only_code(format!("type A = {}", "list<".repeat(100_000))), Code::TOO_DEEP);
    assert_eq!(only_code(format!("flow a() {{ let x = {}", "if a then ".repeat(100_000))), Code::TOO_DEEP);
    assert_eq!(only_code(format!("flow a() {{ let x = {}", "if ".repeat(100_000))), Code::TOO_DEEP);
    assert_eq!(only_code(format!("flow a() {{ let x = {}", "a + if b ".repeat(50_000))), Code::TOO_DEEP);
    assert_eq!(only_code(format!("flow a() {{ step x = {}", "try ".repeat(100_000))), Code::TOO_DEEP);
    assert_eq!(only_code(format!("flow a() {{ let x = {}", "\"{{".repeat(100))), Code::TOO_DEEP);
    assert_eq!(only_code(" ".repeat((1 << 20) + 1)), Code::TOO_LARGE);
}

#[test]
fn long_chains_do_not_grow_the_stack() {
    let chains = [
        format!("1{}", " + 1".repeat(20_000)),
        format!("a{}", ".b(c)".repeat(64)),
        format!("{}true", "not ".repeat(20_000)),
        format!("{}1", "- not ".repeat(10_000)),
        format!("a{}", " as int".repeat(64)),
        format!("if a then b{} else c", " else if a then b".repeat(5_000)),
    ];
    for chain in chains {
        let source = SourceFile::new("chain", format!("fn f() = {chain}"));
        assert!(parsed(&source).diagnostics.is_empty(), "{}", source.text().get(..60).unwrap_or_default());
        assert!(format(&source).is_ok());
    }
    // What nests once it is lowered is bounded like nesting.
    for chain in [format!("a{}", ".b(c)".repeat(10_000)), format!("a{}", " as int".repeat(10_000))] {
        let codes: Vec<&str> = parsed(&SourceFile::new("chain", format!("fn f() = {chain}")))
            .diagnostics
            .iter()
            .map(|one| one.code.id)
            .collect();
        assert_eq!(codes, ["E0104"]);
    }
}

#[test]
fn the_deepest_nesting_that_is_allowed_is_read_formatted_and_dropped() {
    for (open, close) in [("(", ")"), ("[", "]"), ("f(", ")"), ("{ a: ", " }"), ("match x { _ => ", " }"), ("x[", "]")]
    {
        let text = format!("fn f() = {}1{}", open.repeat(64), close.repeat(64));
        let source = SourceFile::new("deep", text);
        assert!(parsed(&source).diagnostics.is_empty(), "{open}");
        assert!(format(&source).is_ok(), "{open}");
    }
    let blocks = format!("flow f() {{ {}emit 1{} }}", "if x { ".repeat(63), " }".repeat(63));
    assert!(format(&SourceFile::new("deep", blocks)).is_ok());
}
