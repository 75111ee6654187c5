//! Any text can be analyzed against the standard catalog.
#![no_main]

use std::sync::LazyLock;

use flowc::compile::analyze;
use flowc::source::{NoLoader, SourceFile};
use flowc::types::Catalog;
use libfuzzer_sys::fuzz_target;

static CATALOG: LazyLock<Catalog> = LazyLock::new(flowc::tools::standard::catalog);

fuzz_target!(|text: &str| {
    let analysis = analyze(SourceFile::new("fuzz", text), &CATALOG, &NoLoader);
    for diagnostic in &analysis.diagnostics {
        assert!(text.get(diagnostic.span.range()).is_some(), "{diagnostic:?}");
    }
});
