//! From text to a program: parsing alone, the whole analysis, and lowering with it, over generated scripts.
//!
//! `cargo bench --bench check`; the column of throughput is bytes of source a second.

mod script;

use std::fmt::Write;

use divan::Bencher;
use divan::counter::BytesCount;
use flowc::compile::{analyze, compile};
use flowc::source::{FileId, NoLoader, SourceFile};
use flowc::syntax::{NodeIds, parse};
use flowc::tools::standard;

use script::{SIZES, script};

fn main() {
    divan::main();
}

/// A flow that is one chain of `else if` with so many links, and as long an expression.
fn chain(links: usize) -> SourceFile {
    let mut text = String::from(
        "flow chain(x: int, y: int?) -> string {\n    var found = 0\n    if x == 0 {\n        set found = 1\n    }",
    );
    for link in 1..links {
        let _ = write!(text, " else if x == {link} and y != null {{\n        set found = {link}\n    }}");
    }
    text.push_str("\n    return if found == 0 then \"none\"");
    for link in 1..links {
        let _ = write!(text, " else if found == {link} then \"{link}\"");
    }
    text.push_str(" else \"more\"\n}\n");
    SourceFile::new("chain.flow", text)
}

#[divan::bench(args = SIZES)]
fn parsed(bencher: Bencher<'_, '_>, size: usize) {
    let source = script(size);
    bencher.counter(BytesCount::of_str(source.text())).bench(|| parse(&source, FileId(0), &mut NodeIds::default()));
}

#[divan::bench(args = SIZES)]
fn analyzed(bencher: Bencher<'_, '_>, size: usize) {
    let source = script(size);
    let catalog = standard::catalog();
    assert!(analyze(source.clone(), &catalog, &NoLoader).diagnostics.is_empty(), "the script is not clean");
    bencher.counter(BytesCount::of_str(source.text())).bench(|| analyze(source.clone(), &catalog, &NoLoader));
}

#[divan::bench(args = SIZES)]
fn compiled(bencher: Bencher<'_, '_>, size: usize) {
    let source = script(size);
    let catalog = standard::catalog();
    bencher.counter(BytesCount::of_str(source.text())).bench(|| compile(source.clone(), &catalog, &NoLoader));
}

#[divan::bench(args = [100, 1_000, 10_000])]
fn chained(bencher: Bencher<'_, '_>, links: usize) {
    let source = chain(links);
    let catalog = standard::catalog();
    assert!(!analyze(source.clone(), &catalog, &NoLoader).has_errors(), "the chain is wrong");
    bencher.counter(BytesCount::of_str(source.text())).bench(|| analyze(source.clone(), &catalog, &NoLoader));
}
