//! Lowering: what programs look like, and that a stored program is the same program.

use flowc::compile::compile;
use flowc::program::{Block, Program, Stmt};
use flowc::source::{NoLoader, SourceFile};
use flowc::tools::standard;

fn program(text: &str) -> Program {
    let compiled = compile(SourceFile::new("main.flow", text), &standard::catalog(), &NoLoader);
    compiled.unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// The statements of a flow's body, one a line, without spans.
fn body(text: &str, flow: &str) -> String {
    let program = program(text);
    let flow = program.flow(flow).expect("the flow");
    format!("{} slots\n{}", flow.slots, statements(&flow.body))
}

fn statements(block: &Block) -> String {
    let line = |stmt: &Stmt| {
        let text = format!("{stmt:?}");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find("Span {") {
            let end = rest[at..].find('}').map_or(rest.len(), |end| at + end + 1);
            out.push_str(&rest[..at]);
            out.push('_');
            rest = &rest[end..];
        }
        out + rest
    };
    block.stmts.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn slots_of_ended_scopes_are_used_again() {
    let text = "
flow main(a: int) {
    if a > 0 {
        let b = a + 1
        emit b
    } else {
        let c = a + 2
        let d = c + 1
        emit d
    }
    let { x, y: z } = { x: a, y: a + 3 }
    return x + z
}
";
    insta::assert_snapshot!(body(text, "main"));
}

#[test]
fn branches_capture_what_they_read() {
    let text = "
tool web.page(url: url) -> { title: string }

flow main(urls: list<url>, limit: int = 4) {
    let unused = limit * 2
    let prefix = \"page \"
    step pages = parallel for url, at in urls limit limit {
        step page \"{{prefix}}{{at}}\" = web.page(url)
        yield page.title
    }
    parallel {
        step a = web.page(\"https://a.example\") when unused > limit
        step b = time.sleep(1s)
    }
    emit a
    emit b
    return pages
}
";
    insta::assert_snapshot!(body(text, "main"));
}

#[test]
fn chains_stay_flat_and_optional_ones_are_guarded() {
    let text = "
type Page = { author?: { name?: string } }

flow main(page: Page, n: int) {
    let sum = n + n - n + 1
    let all = n > 1 and n > 2 and not not (n > 3)
    let least = - - -n
    return { sum, all, least, name: page.author?.name?.lower() ?? \"x\" ?? \"y\" }
}
";
    insta::assert_snapshot!(body(text, "main"));
}

#[test]
fn segments_count_through_transparent_statements() {
    let text = "
flow main(url: url, deep: bool) {
    step web.scrape(url)
    if deep {
        step web.scrape(url)
        for n in [1, 2] {
            step web.scrape(url)
        }
    } else {
        step web.scrape(url)
    }
    try {
        step time.sleep(1s)
    } catch {
        step web.scrape(url)
    }
    for n in [1, 2] {
        emit n
    }
    return step web.scrape(url)
}
";
    let program = program(text);
    let json = serde_json::to_value(&program.flows).expect("plain data");
    let mut segments = Vec::new();
    collect(&json, &mut segments);
    insta::assert_snapshot!(segments.join("\n"));
}

fn collect(json: &serde_json::Value, into: &mut Vec<String>) {
    match json {
        serde_json::Value::Object(fields) => {
            if let Some(segment) = fields.get("segment").and_then(|segment| segment.as_str()) {
                into.push(segment.to_owned());
            }
            fields.values().for_each(|value| collect(value, into));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}

#[test]
fn steps_carry_their_clauses() {
    let text = "
tool web.page(url: url) -> { title: string }
tool shop.book(text: string) -> { id: string }
tool shop.cancel(id: string)

@budget(usd: 0.50, calls: 100, tokens: 200_000)
@timeout(5m)
@trigger(\"do {url}\")
flow main(url: url) -> string {
    step page = try web.page(url) retry 2 backoff 1s..10s on \"timeout\", \"network\" timeout 20s when url.scheme == \"https\"
    let title = page?.result?.title
    if title == null {
        fail \"no title\" details { url }
    }
    step note = shop.book(text: title) undo shop.cancel(note.id) key \"k\"
    return prev.result.id
}
";
    let program = program(text);
    let flow = program.flow("main").expect("the flow");
    insta::assert_snapshot!(format!("{:?} {:?} {:?}", flow.budget, flow.timeout, flow.triggers));
    insta::assert_snapshot!(statements(&flow.body));
}

#[test]
fn mocks_have_frames_and_samples() {
    let text = "
flow main(url: url) -> string {
    step page = web.scrape(url)
    return page.title
}

test \"mocks\" {
    let title = \"T\"
    mock web.scrape({ url: \"https://b.example\" }) fails \"timeout\"
    mock web.scrape({ url }) after 2s => { title: \"{{title}} {{url}}\", word_count: 120, ... }
    step out = main(url: \"https://a.example\")
    assert out == \"T https://a.example\"
    assert calls(web.scrape).length == 1
}
";
    let program = program(text);
    insta::assert_snapshot!(statements(&program.tests[0].body));
}

#[test]
fn a_stored_program_is_the_same_program() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).expect("examples").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "flow") {
            continue;
        }
        let program = program(&std::fs::read_to_string(&path).expect("an example"));
        let stored = program.to_json().expect("plain data");
        let read = Program::from_json(&stored).expect("what was written");
        assert_eq!(read.to_json().expect("plain data"), stored, "{}", path.display());
        assert_eq!(read.hash(), program.hash());
        assert_eq!(program.hash().len(), 64);
    }
}

#[test]
fn the_hash_knows_the_text_and_the_tools() {
    let text = "flow main(url: url) {\n    step page = web.scrape(url)\n    return page.title\n}\n";
    assert_eq!(program(text).hash(), program(text).hash());
    assert_ne!(program(text).hash(), program(&text.replace("title", "text")).hash());
}

/// Long texts that are flat to the reader must not be deep to the machine, and what is deep is refused: building,
/// checking, storing, reading and dropping them stays within a small stack.
#[test]
fn long_and_deep_texts_need_no_stack() {
    let flow = |param: &str, value: &str| format!("flow main({param}) {{\n    return {value}\n}}\n");
    let long = |part: &str| part.repeat(20_000);
    let fine = [
        flow("n: int", &format!("n{}", long(" + n"))),
        flow("n: bool", &format!("n{}", long(" and n"))),
        flow("n: int?", &format!("n{} ?? 1", long(" ?? n"))),
        flow("n: bool", &format!("{}n", long("not "))),
        flow("n: int", &format!("{}n", long("- "))),
        flow("n: int", &format!("{}2", long("if n == 1 then 1 else "))),
        flow("n: int", &format!("[{}]", long("1, "))),
        flow("n: string", &format!("n{}", ".lower()".repeat(64))),
        flow("n: int", &format!("{}n{}", "[".repeat(60), "]".repeat(60))),
        flow("n: list<int>", &format!("{}n{}", "n.map(x => ".repeat(60), ")".repeat(60)).replace("x =>", "_ =>")),
        format!(
            "flow main(n: int) {{\n    if n == 0 {{ return 0 }}{}\n    return 1\n}}\n",
            " else if n == 1 { return 1 }".repeat(5_000)
        ),
    ];
    let refused = [
        flow("n: json", &format!("n{}", long(".a"))),
        flow("n: json", &format!("n{}", long("?.a"))),
        flow("n: json", &format!("n{}", long(" as json"))),
        flow("n: string", &format!("n{}", long(".lower()"))),
        flow("n: json", &(0..10).fold("n".to_owned(), |inner, _| format!("n[{inner}]{}", ".a".repeat(10)))),
    ];
    // The stack that a runtime gives its workers.
    let worker = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        for text in fine {
            let stored = program(&text).to_json().expect("plain data");
            let read = Program::from_json(&stored).expect("what was written");
            assert_eq!(read.to_json().expect("plain data"), stored);
        }
        for text in refused {
            let compiled = compile(SourceFile::new("long.flow", text), &standard::catalog(), &NoLoader);
            let codes: Vec<&str> = compiled.expect_err("too deep").list.iter().map(|one| one.code.id).collect();
            assert_eq!(codes, ["E0104"]);
        }
    });
    worker.expect("a thread").join().expect("no overflow");
}
