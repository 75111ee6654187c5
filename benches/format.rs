//! From text to canonical text, over the generated scripts of the other benches: parsing alone is the floor.
//!
//! `cargo bench --bench format`; the column of throughput is bytes of source a second.

mod script;

use divan::Bencher;
use divan::counter::BytesCount;
use flowc::format::format;
use flowc::source::{FileId, SourceFile};
use flowc::syntax::{NodeIds, parse};

use script::{SIZES, script};

fn main() {
    divan::main();
}

#[divan::bench(args = SIZES)]
fn parsed(bencher: Bencher<'_, '_>, size: usize) {
    let source = script(size);
    bencher.counter(BytesCount::of_str(source.text())).bench(|| parse(&source, FileId(0), &mut NodeIds::default()));
}

/// The source as people write it: some lines change.
#[divan::bench(args = SIZES)]
fn formatted(bencher: Bencher<'_, '_>, size: usize) {
    let source = script(size);
    bencher.counter(BytesCount::of_str(source.text())).bench(|| format(&source));
}

/// What is canonical already, as an editor and `fmt --check` mostly meet it.
#[divan::bench(args = SIZES)]
fn kept(bencher: Bencher<'_, '_>, size: usize) {
    let text = format(&script(size)).unwrap_or_default();
    let source = SourceFile::new("canonical.flow", text);
    assert_eq!(format(&source).as_deref(), Ok(source.text()), "it is not canonical");
    bencher.counter(BytesCount::of_str(source.text())).bench(|| format(&source));
}
