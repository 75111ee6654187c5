//! What the files in `tests/spec/fix` become when the first fix of each diagnostic is applied: the `.out` beside each,
//! in which no error is left. `FLOW_UPDATE=1` rewrites those.

use std::path::Path;

use flowc::compile::{Analysis, analyze};
use flowc::diagnostic::apply::apply;
use flowc::source::{FileId, NoLoader, SourceFile};

fn analysis(text: &str) -> Analysis {
    analyze(SourceFile::new("fix.flow", text), &flowc::tools::standard::catalog(), &NoLoader)
}

#[test]
fn fixes_mend_what_they_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec/fix");
    let mut wrong = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "flow") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut found = analysis(&text).diagnostics;
        assert!(!found.is_empty(), "{}: nothing is wrong", path.display());
        for diagnostic in &mut found {
            match diagnostic.fixes.first_mut() {
                Some(fix) => fix.safe = true,
                None => wrong += &format!("{}: no fix for {}\n", path.display(), diagnostic.message),
            }
        }
        let mended = apply(&text, FileId(0), &found).text;
        let out = path.with_extension("out");
        if std::env::var_os("FLOW_UPDATE").is_some() {
            std::fs::write(&out, &mended).unwrap();
        }
        if std::fs::read_to_string(&out).unwrap_or_default() != mended {
            wrong += &format!("{}: becomes\n{mended}\n", path.display());
        }
        let left = analysis(&mended);
        if left.has_errors() {
            wrong += &format!("{}: still has {:#?}\n", path.display(), left.diagnostics);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
