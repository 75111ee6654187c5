//! `flowc check`, and how its findings look.

use serde_json::Value;

use super::{Bench, DOUBLE};

const WRONG: &str = "flow f(a: int) -> int {\n    return a && 1\n}\n";

#[test]
fn exit_statuses() {
    let bench = Bench::with("good.flow", DOUBLE).file("bad.flow", "flow f() -> int {\n    return \"x\"\n}\n");
    bench.flowc(&["check", "good.flow"]).exits(0).says(&["no errors in 1 file"]);
    bench.flowc(&["check", "bad.flow"]).exits(1).says(&["E0301", "bad.flow:2:12", "1 error in 1 file"]);
    bench.flowc(&["check", "."]).exits(1).says(&["1 error in 2 files"]);
    bench.flowc(&["check", "none.flow"]).exits(2).says(&["`none.flow` cannot be read: there is no such file"]);
    bench.flowc(&["check"]).exits(2);
    bench.flowc(&["check", "good.flow", "--format", "xml"]).exits(2);
}

#[test]
fn folders_are_walked_and_hidden_ones_passed_over() {
    let bench = Bench::with("a/one.flow", DOUBLE).file("a/b/two.flow", DOUBLE).file(".git/three.flow", "nonsense");
    let bench = bench.file("a/notes.txt", "no flow");
    bench.flowc(&["check", "."]).exits(0).says(&["no errors in 2 files"]);
    Bench::with("notes.txt", "").flowc(&["check", "."]).exits(2).says(&["there is no `.flow` file in `.`"]);
}

#[test]
fn standard_input_is_checked_and_mended() {
    let bench = Bench::new();
    bench.fed(&["check", "-"], DOUBLE).exits(0);
    bench.fed(&["check", "-"], "flow f( {").exits(1).says(&["<stdin>:1:"]);
    let mended =
        bench.fed(&["check", "--fix", "-"], "flow f(a: bool, b: bool) -> bool {\n    return a && b\n}\n").exits(0);
    assert_eq!(mended.out, "flow f(a: bool, b: bool) -> bool {\n    return a and b\n}\n");
}

#[test]
fn a_file_that_two_others_import_is_reported_once() {
    let bench = Bench::with("shared.flow", "fn one() -> int = \"x\"\n")
        .file("a.flow", "use { one } from \"./shared.flow\"\nflow a() -> int { return one() }\n")
        .file("b.flow", "use { one } from \"./shared.flow\"\nflow b() -> int { return one() }\n");
    let found = bench.flowc(&["check", ".", "--format", "json"]).exits(1).json();
    assert_eq!(found["diagnostics"].as_array().unwrap().len(), 1, "{found:#}");
}

#[test]
fn json_has_the_promised_shape() {
    let bench = Bench::with("f.flow", WRONG);
    let found = bench.flowc(&["check", "f.flow", "--format=json"]).exits(1).json();
    let diagnostics = found["diagnostics"].as_array().unwrap();
    assert!(!diagnostics.is_empty());
    for diagnostic in diagnostics {
        let keys: Vec<&String> = diagnostic.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "severity", "message", "help", "file", "span", "labels", "fixes"]);
        assert!(["error", "warning"].contains(&diagnostic["severity"].as_str().unwrap()));
        assert_eq!(diagnostic["file"], "f.flow");
        span(&diagnostic["span"]);
        for label in diagnostic["labels"].as_array().unwrap() {
            span(&label["span"]);
            assert!(label["message"].is_string());
        }
        for fix in diagnostic["fixes"].as_array().unwrap() {
            assert!(fix["title"].is_string());
            for edit in fix["edits"].as_array().unwrap() {
                span(&edit["span"]);
                assert!(edit["text"].is_string());
            }
        }
    }
    let clean = Bench::with("f.flow", DOUBLE).flowc(&["check", "f.flow", "--format=json"]).exits(0).json();
    assert_eq!(clean, serde_json::json!({ "diagnostics": [] }));
}

fn span(span: &Value) {
    for end in ["start", "end"] {
        assert!(span[end]["line"].as_u64().unwrap() >= 1, "{span}");
        assert!(span[end]["column"].as_u64().unwrap() >= 1, "{span}");
        assert!(span[end]["offset"].is_u64(), "{span}");
    }
}

#[test]
fn sarif_and_github() {
    let bench = Bench::with("f.flow", WRONG);
    let sarif = bench.flowc(&["check", "f.flow", "--format", "sarif"]).exits(1).json();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
    let github = bench.flowc(&["check", "f.flow", "--format", "github"]).exits(1);
    assert!(github.out.starts_with("::error file=f.flow,line=2,"), "{}", github.out);
}

#[test]
fn fixes_are_applied_until_there_are_none() {
    let text = "flow f(a: bool, b: bool, c: bool) -> bool {\n    return a && b || !c;\n}\n";
    let bench = Bench::with("f.flow", text);
    bench.flowc(&["check", "f.flow"]).exits(1);
    assert_eq!(bench.read("f.flow"), text, "without --fix nothing is written");
    bench.flowc(&["check", "--fix", "f.flow"]).exits(0).says(&["fixes applied"]);
    assert_eq!(bench.read("f.flow"), "flow f(a: bool, b: bool, c: bool) -> bool {\n    return a and b or not c\n}\n");
}

/// What people get wrong, each as small as it can be.
const MISTAKES: &[(&str, &str)] = &[
    ("foreign operator", "flow f(a: bool) -> bool {\n    return a && true\n}"),
    ("missing brace", "flow f(a: int) -> int {\n    if a > 1 {\n        return a\n    return 2\n}"),
    ("unknown name", "flow f(amount: int) -> int {\n    return amuont + 1\n}"),
    ("unknown tool", "flow f(u: url) {\n    step page = web.scrap(u)\n}"),
    ("unknown field", "flow f(u: url) -> int {\n    step page = web.scrape(u)\n    return page.word_cont\n}"),
    ("unknown method", "flow f(s: string) -> string {\n    return s.uppr()\n}"),
    ("unknown argument", "flow f(u: url) {\n    step page = web.scrape(url: u, limitt: 3)\n}"),
    ("unknown type", "flow f(a: strng) -> int {\n    return 1\n}"),
    ("wrong type", "flow f(a: int) -> string {\n    return a\n}"),
    ("wrong operand", "flow f(a: int, b: string) -> int {\n    return a + b\n}"),
    ("condition", "flow f(a: int) -> int {\n    if a {\n        return 1\n    }\n    return 2\n}"),
    ("missing argument", "flow f() {\n    step page = web.scrape()\n}"),
    ("may be null", "flow f(a: string?) -> int {\n    return a.length\n}"),
    ("json unchecked", "flow f(a: json) -> int {\n    return a.count + 1\n}"),
    ("extra field", "type P = { x: int }\nflow f() -> P {\n    return { x: 1, y: 2 }\n}"),
    ("missing field", "type P = { x: int, y: int }\nflow f() -> P {\n    return { x: 1 }\n}"),
    ("bad address", "flow f() {\n    step page = web.scrape(\"example.com\")\n}"),
    (
        "not exhaustive",
        "type S = \"a\" | \"b\" | \"c\"\nfn f(s: S) -> int = match s {\n    \"a\" => 1,\n    \"b\" => 2,\n}",
    ),
    ("effect", "flow f(u: url) -> string {\n    let page = web.scrape(u)\n    return \"\"\n}"),
    (
        "parallel",
        "flow f(u: url) -> int {\n    parallel {\n        step a = web.scrape(u)\n        step b = web.scrape(a.url)\n    }\n    return b.word_count\n}",
    ),
    ("shadowed", "flow f(a: int) -> int {\n    let a = 2\n    return a\n}"),
    ("not a var", "flow f(a: int) -> int {\n    let b = a\n    set b = 2\n    return b\n}"),
    (
        "recursion",
        "flow f(a: int) -> int {\n    step b = g(a)\n    return b\n}\nflow g(a: int) -> int {\n    step b = f(a)\n    return b\n}",
    ),
    ("unreachable", "flow f(a: int) -> int {\n    return a\n    let b = 2\n}"),
    ("no return", "flow f(a: int) -> int {\n    if a > 1 {\n        return 1\n    }\n}"),
    ("unused", "flow f(a: int) -> int {\n    let unused = 2\n    return a\n}"),
    (
        "deep difference",
        "type P = { list: list<{ name: string, tags: list<string> }> }\nflow f() -> P {\n    return { list: [{ name: \"a\", tags: [1] }] }\n}",
    ),
];

#[test]
fn mistakes_at_80_columns() {
    let mut shown = String::new();
    for (title, text) in MISTAKES {
        let bench = Bench::with("mistake.flow", text);
        // As on a terminal of 80 columns; the colours are taken out again so that the snapshot can be read.
        let found = bench.command(&["check", "mistake.flow"]).env("CLICOLOR_FORCE", "1").output().unwrap();
        let text = String::from_utf8(found.stderr).unwrap();
        let text = console::strip_ansi_codes(&text);
        for line in text.lines() {
            assert!(console::measure_text_width(line) <= 80, "{title}: more than 80 columns: {line}");
        }
        shown.push_str(&format!("=== {title}\n{}\n\n", text.trim_end()));
    }
    insta::assert_snapshot!(shown);
}
