//! `test`, `fmt`, `graph`, `plan`, `demo`.

use super::{Bench, root};

const TESTED: &str = "flow f(u: url) -> { title: string, words: int } {
    step page = web.scrape(u)
    return { title: page.title, words: page.word_count }
}

test \"passes\" {
    mock web.scrape(_) => { title: \"A\", word_count: 3, ... }
    step out = f(u: \"https://a.example\")
    assert out.words == 3
}

test \"compares\" {
    mock web.scrape(_) => { title: \"A\", word_count: 3, ... }
    step out = f(u: \"https://a.example\")
    assert out.words == 4
}

test \"compares records\" {
    mock web.scrape(_) => { title: \"A long title of a long page, of which one word differs\", word_count: 3, ... }
    step out = f(u: \"https://a.example\")
    assert out == { title: \"A long title of a long page, of which two words differ\", words: 3 }
}

test \"calls without a mock\" {
    step out = f(u: \"https://a.example\")
    assert out.words == 3
}
";

#[test]
fn failing_tests_show_both_sides_and_exit_with_1() {
    let bench = Bench::with("f.flow", TESTED);
    let tests = bench.flowc(&["test"]).exits(1);
    assert!(tests.out.contains("1 passed, 3 failed"), "{}", tests.out);
    let times = [(r"\d+ms", "[time]"), (r"\d+\.\d+s", "[time]")];
    insta::with_settings!({ filters => times.to_vec() }, { insta::assert_snapshot!(tests.out) });
    let tests = bench.flowc(&["test", "f.flow", "-f", "passes"]).exits(0);
    assert!(tests.out.contains("1 passed, 0 failed, 3 filtered out"), "{}", tests.out);
    bench.flowc(&["test", "none.flow"]).exits(2);
}

#[test]
fn tests_of_a_file_with_errors_do_not_run() {
    let bench = Bench::with("f.flow", "flow f() -> int {\n    return \"x\"\n}\ntest \"t\" {\n    assert true\n}\n");
    let tests = bench.flowc(&["test"]).exits(1).says(&["E0301"]);
    assert!(tests.out.contains("0 passed, 0 failed, 1 file that cannot run"), "{}", tests.out);
}

#[test]
fn files_are_laid_out_or_only_compared() {
    let bench = Bench::with("f.flow", "flow f( a:int )->int{return a+1}\n").file("g.flow", "flow g( {\n");
    let check = bench.flowc(&["fmt", "--check", "f.flow"]).exits(1);
    assert!(
        check.out.contains("-flow f( a:int )->int{return a+1}") && check.out.contains("+    return a + 1"),
        "{}",
        check.out
    );
    bench.flowc(&["fmt", "f.flow"]).exits(0).says(&["1 file laid out"]);
    assert_eq!(bench.read("f.flow"), "flow f(a: int) -> int {\n    return a + 1\n}\n");
    bench.flowc(&["fmt", "--check", "f.flow"]).exits(0);
    bench.flowc(&["fmt", "g.flow"]).exits(1);
    assert_eq!(bench.read("g.flow"), "flow g( {\n", "what cannot be read is left alone");
    assert_eq!(
        bench.fed(&["fmt", "-"], "flow f( )->int{return 1}").exits(0).out,
        "flow f() -> int {\n    return 1\n}\n"
    );
}

#[test]
fn the_examples_are_checked_formatted_and_tested() {
    let bench = Bench::new();
    let examples = root().join("examples").to_string_lossy().into_owned();
    bench.flowc(&["check", &examples]).exits(0).says(&["no errors in 4 files"]);
    bench.flowc(&["fmt", "--check", &examples]).exits(0);
    bench.flowc(&["test", &examples]).exits(0);
}

#[test]
fn graphs_in_every_format() {
    let bench = Bench::new();
    let file = root().join("examples/multi_scrape.flow").to_string_lossy().into_owned();
    for (format, begin) in [("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")] {
        let graph = bench.flowc(&["graph", &file, "--format", format]).exits(0);
        assert!(graph.out.contains(begin) && graph.out.contains("pages"), "{format}: {}", graph.out);
    }
    bench.flowc(&["graph", &file, "nothing"]).exits(2);
}

#[test]
fn a_plan_says_what_a_flow_may_do() {
    let bench = Bench::new();
    let file = root().join("examples/web_research.flow").to_string_lossy().into_owned();
    let plan = bench.flowc(&["plan", &file]).exits(0);
    for text in ["web_research", "brave.search", "llm.extract", "memory.store"] {
        assert!(plan.out.contains(text), "`{text}` is not in {}", plan.out);
    }
}

#[test]
fn the_demo_runs_the_example_flows_for_real() {
    let demo = Bench::new().flowc(&["demo", "--json", "multi_scrape", "web_research", "deployment_check"]).exits(0);
    let results: serde_json::Value = serde_json::from_str(&demo.out).unwrap();
    let compared = &results["multi_scrape"];
    assert_eq!(compared["rows"].as_array().unwrap().len(), 6);
    assert_eq!(compared["rows"][0]["title"], "The mills that ran on the moon");
    assert_eq!(compared["unreadable"].as_array().unwrap().len(), 2);
    let research = &results["web_research"];
    assert_eq!((&research["status"], &research["memory_saved"]), (&"completed".into(), &true.into()));
    assert!(research["summary"].as_str().unwrap().contains("tide mills"), "{research}");
    assert!(research["key_points"][0]["source"].as_str().unwrap().ends_with("/articles/tide-mills.html"), "{research}");
    let deployment = &results["deployment_check"];
    assert_eq!((&deployment["state"], &deployment["healthy"]), (&"ERROR".into(), &false.into()));
    assert!(deployment["report"].as_str().unwrap().contains("Can't resolve '@estuary/tide-table'"), "{deployment}");
    // Plain calls show the same as a table and text.
    let shown = Bench::new().flowc(&["demo", "multi_scrape"]).exits(0);
    assert!(shown.out.contains("Title") && shown.out.contains("The longest:"), "{}", shown.out);
}

const ASKED: &str = "/// Greets.\n@trigger(\"greet {name}\")\nflow greet(name: string, times: int) -> string {\n    return \
                     \"Hello {{name}} {{times}}\"\n}\n";

#[test]
fn a_request_finds_its_flow() {
    let bench = Bench::with("greet.flow", ASKED);
    let routed = bench.flowc(&["route", "Please greet Ada!"]).exits(0);
    assert_eq!(
        routed.out,
        "`greet`: the request fits its trigger \"greet {name}\", but does not say `times`\n{\n  \"name\": \"Ada\"\n}\n"
    );
    let json = bench.flowc(&["route", "greet Ada", "greet.flow", "--json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["flow"], &json["missing"]), (&"greet".into(), &serde_json::json!(["times"])));
    let lost = bench.flowc(&["route", "boil an egg"]).exits(1);
    assert_eq!(lost.out, "no workflow has a trigger like that\n");
}

#[test]
fn a_model_is_told_what_there_is() {
    let bench = Bench::with("greet.flow", ASKED);
    let prompt = bench.flowc(&["prompt"]).exits(0);
    assert!(prompt.out.contains("- `greet(name: string, times: int) -> string`: Greets."), "{}", prompt.out);
    assert!(prompt.out.contains("- `web.scrape("), "what is provided is told: {}", prompt.out);
    assert!(!prompt.out.contains("`llm.complete("), "what nothing provides is not: {}", prompt.out);
    let tools = bench.flowc(&["prompt", "--tools", "anthropic", "--only", "web"]).exits(0);
    let tools: Vec<serde_json::Value> = serde_json::from_str(&tools.out).unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["greet", "web__scrape"]);
    bench.flowc(&["prompt", "--only", "wbe"]).exits(2).says(&["there is no namespace `wbe`"]);
    bench.file("other.flow", ASKED).flowc(&["prompt"]).exits(2).says(&["`greet` is in `greet.flow` already"]);
}
