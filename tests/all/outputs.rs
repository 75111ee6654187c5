//! How diagnostics are written: text, JSON, SARIF, annotations; and how fixes are applied.

use flowc::diagnostic::apply::apply;
use flowc::diagnostic::{Code, Diagnostic, Diagnostics, github, json, sarif};
use flowc::source::{FileId, SourceFile, Sources, Span};

const TEXT: &str = "flow main(a: int) {\n\treturn a && true  // 100%\n}\n";
const OTHER: &str = "fn f() = 1\n";

fn example() -> Diagnostics {
    let mut sources = Sources::of(SourceFile::new("my flows/main.flow", TEXT));
    let other = sources.add(SourceFile::new("other.flow", OTHER));
    let at = |from: &str| {
        let start = TEXT.find(from).unwrap_or_default();
        Span::new(FileId(0), start, start + from.len())
    };
    let list = vec![
        Diagnostic::new(Code::FOREIGN_OPERATOR, at("&&"), "`&&` is not an operator, write `and`")
            .here("of another language")
            .help("conditions are joined by `and`, `or`, `not`")
            .fix("replace `&&` with `and`", at("&&"), "and"),
        Diagnostic::new(Code::MISMATCH, at("true"), "expected `int`, found `bool`")
            .label(at("int"), "`a` is an `int`")
            .label(Span::new(other, 3, 4), "declared here"),
        Diagnostic::new(Code::UNUSED, Span::new(other, 3, 4), "`f` is never used, 100%: at all"),
    ];
    Diagnostics { sources, list }
}

#[test]
fn plain_text_marks_the_characters() {
    insta::assert_snapshot!(example().to_string());
}

#[test]
fn json_has_the_documented_shape() {
    let found = example();
    insta::assert_snapshot!(pretty(&json(&found.list, &found.sources)));
}

#[test]
fn sarif_is_a_log_of_one_run() {
    let found = example();
    let mut log = sarif(&found.list, &found.sources);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].take();
    let rules = rules.as_array().expect("rules");
    for result in log["runs"][0]["results"].as_array_mut().expect("results") {
        // Where a rule stands in the list changes whenever a code is added.
        let index = result["ruleIndex"].take().as_u64().expect("an index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    assert!(rules.iter().all(|rule| rule["shortDescription"]["text"].is_string()));
    log["runs"][0]["tool"]["driver"]["version"] = "VERSION".into();
    insta::assert_snapshot!(pretty(&log));
}

/// The schema of SARIF 2.1.0, from OASIS: see the notice beside it.
#[test]
fn sarif_is_what_its_schema_says() {
    let schema = include_str!("../fixtures/sarif/sarif-schema-2.1.0.json");
    let mut schema: serde_json::Value = serde_json::from_str(schema).expect("JSON");
    // The pattern of languages has a bracket too many; no language is written.
    for holder in ["run", "toolComponent"] {
        let language = schema["definitions"][holder]["properties"]["language"].as_object_mut();
        assert!(language.and_then(|language| language.remove("pattern")).is_some());
    }
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let Diagnostics { sources, list } = example();
    for log in [sarif(&list, &sources), sarif(&[], &sources), sarif(&[], &Sources::default())] {
        let wrong: Vec<String> =
            schema.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
    assert!(!schema.is_valid(&serde_json::json!({ "version": "2.1.0", "runs": [{}] })), "a run has a tool");
}

#[test]
fn annotations_escape_what_github_reads() {
    let found = example();
    insta::assert_snapshot!(github(&found.list, &found.sources));
}

#[cfg(feature = "cli")]
#[test]
fn the_terminal_shows_every_place() {
    use flowc::diagnostic::render::{Look, graphical};
    let found = example();
    let look = Look { width: 80, color: false, unicode: true };
    let drawn: String = found.list.iter().map(|one| graphical(one, &found.sources, look)).collect();
    insta::assert_snapshot!(drawn);
}

#[test]
fn a_miette_report_counts_and_lists() {
    let report = miette::Report::from(example());
    assert_eq!(report.to_string(), "2 errors and 1 warning");
    let related = report.related().expect("the list").count();
    assert_eq!(related, 3);
}

#[test]
fn safe_fixes_are_applied_and_overlapping_ones_wait() {
    let found = example();
    let applied = apply(TEXT, FileId(0), &found.list);
    assert_eq!((applied.fixes, applied.text.as_str()), (1, TEXT.replace("&&", "and").as_str()));

    let at = |start, end| Span::new(FileId(0), start, end);
    let fix = |span, text: &str| Diagnostic::new(Code::SYNTAX, span, "x").fix("x", span, text);
    let list = [fix(at(0, 4), "A"), fix(at(2, 6), "B"), fix(at(4, 4), "C"), fix(at(4, 4), "D"), fix(at(6, 7), "E")];
    let applied = apply("01234567", FileId(0), &list);
    assert_eq!((applied.fixes, applied.text.as_str()), (3, "AC45E7"));
    let unsafe_one = Diagnostic::new(Code::SYNTAX, at(0, 1), "x").suggest("x", at(0, 1), "A");
    assert_eq!(apply("01", FileId(0), &[unsafe_one]).fixes, 0);
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("plain data")
}
