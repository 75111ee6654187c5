//! Every code has a page in `docs/errors`, whose wrong example gives that code and whose mended one gives nothing.

use std::path::Path;

use flowc::compile::{Analysis, analyze};
use flowc::diagnostic::{CODES, Code};
use flowc::source::SourceFile;
use flowc::tools::standard;

use crate::imports::Memory;

#[test]
fn every_code_is_explained() {
    let mut wrong = Vec::new();
    for code in CODES {
        if let Err(why) = explained(*code) {
            wrong.push(format!("{}: {why}", code.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_are_unique_and_say_how_bad_they_are() {
    let ids: std::collections::BTreeSet<&str> = CODES.iter().map(|code| code.id).collect();
    assert_eq!(ids.len(), CODES.len(), "a code is registered twice");
    for code in CODES {
        let warning = code.severity == flowc::diagnostic::Severity::Warning;
        assert_eq!(code.id.starts_with('W'), warning, "{}", code.id);
    }
}

fn explained(code: Code) -> Result<(), String> {
    if code == Code::CONFIG && cfg!(not(feature = "project")) {
        return Ok(());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors").join(format!("{}.md", code.id));
    let page = std::fs::read_to_string(&path).map_err(|_| "there is no page".to_owned())?;
    let title = format!("# {}: {}", code.id, code.title);
    if page.lines().next() != Some(title.as_str()) {
        return Err(format!("the page does not begin with `{title}`"));
    }
    #[cfg(feature = "project")]
    if code == Code::CONFIG {
        return settings_explained(&page);
    }
    let blocks = blocks(&page);
    let example = |wrong: bool| blocks.iter().find(|(info, _)| info.contains(&"wrong") == wrong);
    let (info, text) = example(true).ok_or("there is no wrong example")?;
    let found = analysis(text, info.contains(&"padded"));
    let told: Vec<&str> = found.diagnostics.iter().map(|one| one.code.id).collect();
    // What is found by asking the tools, not in the text, is only told about.
    let elsewhere = info.contains(&"elsewhere") && told.is_empty();
    if !elsewhere && (told.is_empty() || told.iter().any(|id| *id != code.id)) {
        return Err(format!("the wrong example gives {told:?}\n{}", rendered(found)));
    }
    let (_, text) = example(false).ok_or("there is no mended example")?;
    let found = analysis(text, false);
    if !found.diagnostics.is_empty() {
        return Err(format!("the mended example gives\n{}", rendered(found)));
    }
    Ok(())
}

/// The page of mistakes in `flow.toml`, whose examples are of that.
#[cfg(feature = "project")]
fn settings_explained(page: &str) -> Result<(), String> {
    let example = |fence: &str| {
        let rest = page.split_once(fence).ok_or_else(|| format!("there is no block {fence:?}"))?.1;
        let text = rest.split("```").next().unwrap_or_default();
        Ok::<_, String>(flowc::project::Config::parse(SourceFile::new("flow.toml", text)))
    };
    if example("```toml,wrong\n")?.is_ok() {
        return Err("the wrong example is read without a complaint".to_owned());
    }
    example("```toml\n")?.map(drop).map_err(|wrong| format!("the mended example gives\n{wrong}"))
}

/// The fenced blocks of a page that hold Flow: the words of the fence, and the text.
fn blocks(page: &str) -> Vec<(Vec<&str>, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```flow") else { continue };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push((info.split(',').collect(), text.join("\n") + "\n"));
    }
    blocks
}

/// The example as a file beside those that the pages speak of. A padded one gets a comment that makes it too large.
fn analysis(text: &str, padded: bool) -> Analysis {
    let text = if padded { format!("{text}//{}\n", " ".repeat(1 << 20)) } else { text.to_owned() };
    let files = Memory::of([
        ("shared.flow", "fn tidy(text: string) -> string = text.trim()\n"),
        ("cycle.flow", "use { main } from \"./example.flow\"\nfn greet(name: string) -> string = \"hello {{name}}\"\n"),
        ("example.flow", ""),
    ]);
    analyze(SourceFile::new("example.flow", text), &standard::catalog(), &files)
}

fn rendered(found: Analysis) -> String {
    flowc::compile::Diagnostics { sources: found.sources, list: found.diagnostics }.to_string()
}

/// `docs/errors/index.md` lists the codes of the registry, and so does the book, which holds no page that it does not
/// list. `FLOW_UPDATE=1` writes both anew.
#[test]
fn the_index_and_the_book_list_every_code() {
    use std::fmt::Write;
    let mut page = String::from(
        "# Errors\n\n<!-- Generated from the registry of codes by tests/all/errors.rs: FLOW_UPDATE=1 writes it anew. -->\n\n\
         Every mistake that the checker finds has a code, which never changes its meaning. `flowc explain CODE` prints its page.\n",
    );
    let mut range = "";
    for code in CODES {
        let this = code.id.get(..3).unwrap_or_default();
        if this != range {
            range = this;
            let title = RANGES.iter().find(|(id, _)| *id == range).map(|(_, title)| *title);
            let _ = write!(page, "\n## {}\n\n", title.unwrap_or_else(|| panic!("name the range of {}", code.id)));
        }
        let _ = writeln!(page, "- [{id}]({id}.md): {}", code.title, id = code.id);
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    agrees(&docs.join("errors/index.md"), &page);

    let summary = docs.join("SUMMARY.md");
    let book = std::fs::read_to_string(&summary).unwrap_or_default();
    let above = "- [Errors](errors/index.md)\n";
    let (before, after) = book.split_once(above).expect("the book has the errors");
    let after = after.split_once("\n#").expect("the book goes on after the errors").1;
    let mut book = format!("{before}{above}");
    for code in CODES {
        let _ = writeln!(book, "  - [{id}](errors/{id}.md)", id = code.id);
    }
    agrees(&summary, &format!("{book}\n#{after}"));
}

/// Holds a generated page to what it should be, or writes it.
fn agrees(page: &Path, text: &str) {
    if std::env::var_os("FLOW_UPDATE").is_some() {
        std::fs::write(page, text).expect("the page can be written");
    }
    assert_eq!(std::fs::read_to_string(page).unwrap_or_default(), text, "FLOW_UPDATE=1 writes it anew");
}

const RANGES: [(&str, &str); 8] = [
    ("E01", "Text and syntax"),
    ("E02", "Names"),
    ("E03", "Types"),
    ("E04", "Control flow"),
    ("E05", "Effects and concurrency"),
    ("E06", "Safety"),
    ("W07", "Warnings"),
    ("E08", "Settings"),
];
