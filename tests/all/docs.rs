//! Every fenced `flow` block of the docs is a whole program: it checks without a diagnostic, stands in canonical form, and its
//! tests pass. (`flow,wrong` blocks belong to the pages of errors, see `errors.rs`; schematic ones are `text`.)

use std::path::{Path, PathBuf};

use flowc::compile::analyze;
use flowc::source::{NoLoader, SourceFile};
use flowc::tools::standard;

/// The blocks of a page fenced as exactly `flow`, with the line each begins at.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, line) in page.lines().enumerate() {
        match &mut open {
            None if line.trim_end() == "```flow" => open = Some((at + 2, String::new())),
            Some(_) if line.trim_end() == "```" => found.extend(open.take()),
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    found
}

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("docs are there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            // The pages of errors are held by their own test; what mdBook builds is no source.
            if !path.ends_with("errors") && !path.ends_with("book") {
                pages(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}

fn programs() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    pages(&root.join("docs"), &mut found);
    found.sort();
    let mut programs = Vec::new();
    for page in found {
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        for (line, block) in blocks(&text) {
            let name = format!("{}:{line}", page.strip_prefix(root).unwrap_or(&page).display());
            programs.push(SourceFile::new(name, block));
        }
    }
    assert!(programs.len() > 10, "the docs have lost their programs");
    programs
}

#[test]
fn blocks_check_without_a_diagnostic() {
    let catalog = standard::catalog();
    let mut wrong = String::new();
    for program in programs() {
        let analysis = analyze(program.clone(), &catalog, &NoLoader);
        for diagnostic in &analysis.diagnostics {
            let at = program.position(diagnostic.span.start);
            wrong += &format!("{} line {}: {:?} {}\n", program.name(), at.line, diagnostic.code, diagnostic.message);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn blocks_are_formatted() {
    for program in programs() {
        let formatted = flowc::format::format(&program).unwrap_or_else(|_| panic!("{} does not parse", program.name()));
        assert_eq!(formatted, program.text(), "{} is not formatted", program.name());
    }
}
