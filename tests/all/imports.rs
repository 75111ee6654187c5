//! Reading a program's files, and what is said of them.

use std::collections::BTreeMap;

use flowc::compile::{Analysis, analyze};
use flowc::source::{Loader, SourceFile};
use flowc::types::Catalog;

/// Files held in memory, named as a `use` names them.
pub(crate) struct Memory(BTreeMap<&'static str, &'static str>);

impl Memory {
    pub(crate) fn of<const N: usize>(files: [(&'static str, &'static str); N]) -> Self {
        Self(files.into_iter().collect())
    }
}

impl Loader for Memory {
    fn load(&self, _from: &str, path: &str) -> Result<SourceFile, String> {
        let name = path.trim_start_matches("./");
        let text = self.0.get(name).ok_or_else(|| format!("there is no file `{name}`"))?;
        Ok(SourceFile::new(name, *text))
    }
}

fn analysis<const N: usize>(root: &'static str, files: [(&'static str, &'static str); N]) -> Analysis {
    analyze(SourceFile::new("main.flow", root), &Catalog::empty(), &Memory::of(files))
}

/// `file:line:column code message`, one a line.
fn told(analysis: &Analysis) -> String {
    let line = |diagnostic: &flowc::diagnostic::Diagnostic| {
        let at = analysis.sources.locate(diagnostic.span);
        format!("{at} {} {}", diagnostic.code.id, diagnostic.message)
    };
    analysis.diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_file_is_read_once() {
    let found = analysis(
        "use { a } from \"./a.flow\"\nuse { b } from \"./b.flow\"\nflow main() { return a(1) + b(1) }",
        [
            ("a.flow", "use { c } from \"./c.flow\"\nfn a(x: int) -> int = c(x)"),
            ("b.flow", "use { c } from \"./c.flow\"\nfn b(x: int) -> int = c(x)"),
            ("c.flow", "fn c(x: int) -> int = x"),
        ],
    );
    assert_eq!(told(&found), "");
    let names: Vec<&str> = found.sources.iter().map(|(_, file)| file.name()).collect();
    assert_eq!(names, ["main.flow", "a.flow", "c.flow", "b.flow"]);
}

#[test]
fn a_cycle_is_shown() {
    let found = analysis(
        "use { a } from \"./a.flow\"\nflow main() { return a(1) }",
        [
            ("a.flow", "use { b } from \"./b.flow\"\nfn a(x: int) -> int = b(x)"),
            ("b.flow", "use { a } from \"./a.flow\"\nfn b(x: int) -> int = x"),
        ],
    );
    insta::assert_snapshot!(told(&found), @"b.flow:1:16 E0213 these files import each other: `a.flow` → `b.flow` → `a.flow`");
}

#[test]
fn a_file_that_imports_itself_is_told_so() {
    let found = analysis("use { x } from \"./main.flow\"\nflow main() { return 1 }", [("main.flow", "")]);
    insta::assert_snapshot!(told(&found), @"main.flow:1:16 E0213 this file imports itself");
}

#[test]
fn a_missing_file_is_one_error() {
    let found = analysis("use { a, B } from \"./gone.flow\"\nflow main(b: B) { return a(1) }", []);
    insta::assert_snapshot!(told(&found), @"main.flow:1:19 E0212 there is no file `gone.flow`");
}

#[test]
fn a_long_chain_of_imports_needs_no_stack() {
    struct Chain;
    impl Loader for Chain {
        fn load(&self, _from: &str, path: &str) -> Result<SourceFile, String> {
            let number: u32 = path.parse().map_err(|_| "no number".to_owned())?;
            let next = if number == 20_000 { String::new() } else { format!("use {{ f }} from \"{}\"", number + 1) };
            Ok(SourceFile::new(path, format!("{next}\nfn f{number}(x: int) -> int = x")))
        }
    }
    let found = analyze(SourceFile::new("root", "use { f0 } from \"0\""), &Catalog::empty(), &Chain);
    assert_eq!(found.units.len(), 20_002);
}

#[test]
fn what_follows_from_a_syntax_error_is_not_told() {
    let source = "\
fn twice(x: int y: int) -> int = x + y

flow main(url: url) {
    let wide = twice(1, 2)
    let broken = = 3
    let sum = broken + wide + true
    return sum
}

flow other() {
    let wrong: int = \"text\"
    return wrong
}
";
    let found = analysis(source, []);
    let codes: Vec<&str> = found.diagnostics.iter().map(|diagnostic| diagnostic.code.id).collect();
    assert!(codes.iter().filter(|code| code.starts_with("E01")).count() >= 2, "{}", told(&found));
    assert!(!codes.contains(&"E0201") && !codes.contains(&"E0305"), "{}", told(&found));
    assert!(codes.contains(&"E0301"), "{}", told(&found));
}
