//! The reference of methods is written from the registry, and each of its examples is run.
//!
//! `FLOW_UPDATE=1 cargo test --test all methods` rewrites the page.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use flowc::builtins::{self, Method};
use flowc::compile::compile;
use flowc::run::Limits;
use flowc::run::testing::run_test;
use flowc::source::{NoLoader, SourceFile};
use flowc::types::Catalog;

const HEAD: &str = "\
# Methods

Methods are pure. A signature says what stands before the dot, what goes into the parentheses (`?` marks what may be
left out) and what comes out. Single capitals stand for any type, the same one throughout a signature; of them `N` is a
number, `O` a type with an order (numbers, strings, datetimes, durations) and `S` one that has a text of its own (these
and `bool`). `(T) -> U` is a function: `x => …`. Those without parentheses are written without them: `list.length`.

A `url` has the methods of `string` too, a literal type those of its base, and a union those that all its members share.
Where the record is known when the program is checked, so is what a record's methods give: `{ a: 1 }.merge({ b: 2 })` has
both fields.

This page is written from the code that implements the methods; every example on it is run by a test.
";

/// The methods by what they are found on, in the order of the page.
const SECTIONS: [(&str, &str); 11] = [
    ("string", "string"),
    ("list", "list"),
    ("map", "map"),
    ("record", "Records"),
    ("int", "int"),
    ("float", "float"),
    ("bool", "bool"),
    ("url", "url"),
    ("datetime", "datetime"),
    ("duration", "duration"),
    ("any", "Every value"),
];

fn receiver(method: &Method) -> &str {
    method.id.split(['.', '<']).next().unwrap_or_default()
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (kind, title) in SECTIONS {
        let title = if title == kind { format!("`{kind}`") } else { title.to_owned() };
        let _ = writeln!(page, "\n## {title}");
        for method in builtins::all().filter(|method| receiver(method) == kind) {
            let _ = writeln!(page, "\n### `{}`\n\n{}\n\n```text", method.signature, method.doc);
            for example in method.examples {
                let _ = writeln!(page, "{example}");
            }
            let _ = writeln!(page, "```");
        }
    }
    page
}

#[test]
fn every_method_is_on_the_page() {
    for method in builtins::all() {
        assert!(SECTIONS.iter().any(|(kind, _)| *kind == receiver(method)), "{} has no section", method.id);
    }
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/methods.md");
    let wanted = page();
    if std::env::var_os("FLOW_UPDATE").is_some() {
        std::fs::write(&path, &wanted).expect("the page can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/reference/methods.md is out of date: run this test with FLOW_UPDATE=1");
}

#[test]
fn every_example_holds() {
    let mut wrong = String::new();
    for method in builtins::all() {
        for example in method.examples {
            let text = format!("test \"{}\" {{\n    assert {example}\n}}\n", method.id);
            if let Err(why) = holds(&text) {
                let _ = writeln!(wrong, "{}: {example}\n{why}", method.id);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(holds("test \"wrong\" {\n    assert [1].length == 2\n}\n").is_err());
}

fn holds(text: &str) -> Result<(), String> {
    let source = SourceFile::new("example.flow", text);
    let program = compile(source, &Catalog::empty(), &NoLoader).map_err(|diagnostics| diagnostics.to_string())?;
    match run_test(&Arc::new(program), 0, &Limits::default()) {
        Some(report) if report.passed() => Ok(()),
        Some(report) => Err(format!("{report:?}")),
        None => Err("there is no test".to_owned()),
    }
}
