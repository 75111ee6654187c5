//! What a program may do, and its drawing.

use std::path::Path;

use flowc::compile::compile;
use flowc::plan::{Plan, graph, plan};
use flowc::program::Program;
use flowc::source::{DiskLoader, SourceFile};
use flowc::tools::standard;

fn program(text: &str) -> Program {
    compile(SourceFile::new("plan.flow", text), &standard::catalog(), &DiskLoader)
        .unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn example(name: &str) -> Program {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(format!("{name}.flow"));
    program(SourceFile::read(path).unwrap().text())
}

fn planned(text: &str) -> Plan {
    let program = program(text);
    plan(&program, program.flow("main").unwrap())
}

/// How often the only tool is called at most, and with retries.
fn bounds(body: &str) -> (String, String) {
    let plan =
        planned(&format!("@read_only tool a.b(n: int = 0) -> int\nflow main(xs: list<int>, n: int) {{ {body} }}\n"));
    (plan.calls.to_string(), plan.attempts.to_string())
}

#[test]
fn plans_of_the_examples() {
    for name in ["deployment_check", "multi_scrape", "screenshot_and_post", "web_research"] {
        let program = example(name);
        insta::assert_snapshot!(format!("plan_{name}"), plan(&program, program.flow(name).unwrap()));
    }
}

#[test]
fn drawings_of_the_examples() {
    for name in ["deployment_check", "multi_scrape"] {
        let program = example(name);
        let graph = graph(&program, program.flow(name).unwrap());
        insta::assert_snapshot!(format!("mermaid_{name}"), graph.to_mermaid());
        insta::assert_snapshot!(format!("dot_{name}"), graph.to_dot());
    }
}

#[test]
fn calls_are_counted() {
    let counted = |body: &str| bounds(body).0;
    assert_eq!(counted("step x = a.b() emit x"), "1");
    assert_eq!(counted("for x in xs { step y = a.b(x) emit y }"), "xs");
    assert_eq!(counted("for x in [1, 2, 3] { step y = a.b(x) emit y }"), "3");
    assert_eq!(counted("for x in xs.take(4) { step y = a.b(x) emit y }"), "4");
    assert_eq!(counted("let few = xs.take(4).map(x => x + 1) for x in few { step y = a.b(x) emit y }"), "4");
    assert_eq!(counted("for x in xs { for y in xs { step z = a.b(x + y) emit z } }"), "xs × xs");
    assert_eq!(counted("repeat max 5 { step x = a.b() if x > 1 { break } }"), "5");
    assert_eq!(counted("repeat max n { step x = a.b() if x > 1 { break } }"), "n");
    assert_eq!(counted("parallel { step x = a.b() step y = a.b() } emit { x, y }"), "2");
    assert_eq!(counted("if n > 1 { step x = a.b() emit x } else { step y = a.b() step z = a.b() emit y + z }"), "2");
}

#[test]
fn a_list_that_a_function_gives_goes_by_its_call() {
    let plan = planned(
        "
        tool a.b() -> int
        fn some(n: int, from: int = 1) -> list<int> = [1, 2, 3].take(n + from)
        flow main(n: int) {
            step x = for i in some(n) {
                step y = a.b()
                yield y + i
            }
            return x
        }
        ",
    );
    assert_eq!(plan.calls.to_string(), "some(n)");
}

#[test]
fn attempts_are_counted() {
    let counted = |body: &str| bounds(body).1;
    assert_eq!(counted("step x = a.b() emit x"), "3");
    assert_eq!(counted("step x = a.b() retry 0 emit x"), "1");
    assert_eq!(counted("step x = a.b() retry 4 emit x"), "5");
    assert_eq!(counted("step x = do { step y = a.b() retry 1 yield y } retry 2 emit x"), "6");
}

#[test]
fn what_a_flow_names_is_listed() {
    let plan = planned(
        r#"
        tool shop.orders(key: secret, at: url) -> list<string>
        flow helper(list: list<url>) {
            parallel for at in list limit 3 {
                step got = shop.orders(key: secrets.SHOP, at: at)
                emit got
            }
        }
        flow main(places: list<url>) {
            step a = shop.orders(key: secrets.OTHER, at: "https://shop.example/orders")
            step helper(places)
            step helper(list: ["https://a.example", "https://b.example"])
            return a
        }
        "#,
    );
    assert_eq!(plan.secrets, ["SHOP", "OTHER"]);
    assert_eq!(plan.hosts, ["shop.example"]);
    assert_eq!(plan.flows, ["helper"]);
    assert_eq!(plan.steps, 5);
    assert_eq!(plan.calls.to_string(), "places + 3");
    assert_eq!(plan.at_once.to_string(), "3");
    assert_eq!(plan.calls_at_least, 1);
}

#[test]
fn a_long_chain_of_flows_is_planned() {
    let mut text = String::from("flow f0(n: int) { step x = time.sleep(1s) return x }\n");
    for at in 1..2_000 {
        let before = at - 1;
        text += &format!("flow f{at}(n: int) {{ step x = f{before}(n) return x }}\n");
    }
    text += "flow main(n: int) { step x = f1999(n) return x }\n";
    let plan = planned(&text);
    assert_eq!(plan.calls.number(), Some(1));
    assert_eq!(plan.calls_at_least, 1);
}

#[test]
fn a_drawing_is_well_formed_xml_with_its_text() {
    let program = program(
        r#"flow main(n: int) { if n > 1 { step web.scrape("https://a.example/?a=1&b=2") } else { fail "<no>" } }"#,
    );
    let svg = graph(&program, program.flow("main").unwrap()).to_svg();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("n &gt; 1") && svg.contains("&lt;no&gt;") && svg.contains("web.scrape"));
    assert!(!svg.contains("NaN"));
    for tag in ["svg", "style", "defs", "marker", "text"] {
        assert_eq!(svg.matches(&format!("<{tag}")).count(), svg.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}
