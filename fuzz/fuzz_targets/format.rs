//! What can be formatted can be formatted again, to the same text, and keeps its comments.
#![no_main]

use flowc::format::format;
use flowc::source::SourceFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(once) = format(&SourceFile::new("fuzz", text)) else { return };
    let twice = format(&SourceFile::new("once", once.clone()));
    assert_eq!(twice.as_deref(), Ok(once.as_str()), "from {text:?}");
});
