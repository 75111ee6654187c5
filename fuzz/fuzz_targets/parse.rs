//! Any text gives a tree and diagnostics whose spans lie on characters of the text.
#![no_main]

use flowc::source::{FileId, SourceFile};
use flowc::syntax::{NodeIds, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = SourceFile::new("fuzz", text);
    let parsed = parse(&source, FileId::default(), &mut NodeIds::default());
    for diagnostic in &parsed.diagnostics {
        assert!(text.get(diagnostic.span.range()).is_some(), "{diagnostic:?}");
        for edit in diagnostic.fixes.iter().flat_map(|fix| &fix.edits) {
            assert!(text.get(edit.span.range()).is_some(), "{diagnostic:?}");
        }
        for label in &diagnostic.labels {
            assert!(text.get(label.span.range()).is_some(), "{diagnostic:?}");
        }
    }
    for comment in &parsed.file.comments {
        assert!(text.get(comment.span.range()).is_some_and(|comment| comment.starts_with("//")));
    }
    for item in &parsed.file.items {
        assert!(text.get(item.span.range()).is_some());
    }
});
