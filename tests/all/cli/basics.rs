//! Commands that need no program, and what holds for all of them.

use super::{Bench, root};

#[test]
fn help_lists_every_command_and_wrong_use_exits_with_2() {
    let bench = Bench::new();
    let help = bench.flowc(&["--help"]).exits(0);
    for command in ["new", "check", "fmt", "run", "test", "plan", "graph", "tools", "explain", "demo", "completions"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command} is not in:\n{}", help.out);
        bench.flowc(&[command, "--help"]).exits(0);
    }
    bench.flowc(&[]).exits(2);
    bench.flowc(&["chekc"]).exits(2).says(&["check"]);
    bench.flowc(&["--version"]).exits(0);
}

#[test]
fn every_page_is_explained() {
    let bench = Bench::new();
    for page in std::fs::read_dir(root().join("docs/errors")).unwrap().flatten() {
        let name = page.file_name().to_string_lossy().into_owned();
        let Some(code) = name.strip_suffix(".md").filter(|code| *code != "index") else { continue };
        let page = bench.flowc(&["explain", &code.to_lowercase()]).exits(0);
        assert!(page.out.contains(code) && page.out.lines().count() > 3, "{code}:\n{}", page.out);
    }
}

#[test]
fn an_unknown_code_names_the_nearest() {
    let bench = Bench::new();
    bench.flowc(&["explain", "E0031"]).exits(2).says(&["there is no code `E0031`"]);
    bench.flowc(&["explain", "E0399"]).exits(2).says(&["did you mean `E03"]);
    let all = bench.flowc(&["explain"]).exits(0);
    assert!(all.out.contains("E0301  a value of another type was expected"), "{}", all.out);
}

#[test]
fn completions_for_every_shell() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.flowc(&["completions", shell]).exits(0).out;
        assert!(script.contains("flowc") && script.contains("explain"), "{shell}");
    }
    bench.flowc(&["completions", "tcl"]).exits(2);
}

#[test]
fn a_new_project_checks_tests_formats_and_runs() {
    let bench = Bench::new();
    let made = bench.flowc(&["new", "price-watch"]).exits(0);
    assert!(made.out.contains("flowc run price_watch.flow"), "{}", made.out);
    bench.flowc(&["check", "price-watch"]).exits(0).says(&["no errors in 2 files"]);
    bench.flowc(&["fmt", "--check", "price-watch"]).exits(0);
    let tests = bench.flowc(&["test", "price-watch"]).exits(0);
    assert!(tests.out.contains("2 passed, 0 failed"), "{}", tests.out);
    let run = bench.flowc(&["run", "price-watch/price_watch.flow", "--name", "Ada", "--times=2", "--pause", "1ms"]);
    let run = run.exits(0);
    assert_eq!(run.json()["count"], 2);
    assert_eq!(run.json()["greetings"][0]["text"], "Hello Ada, for the first time");
    bench.flowc(&["new", "price-watch"]).exits(2).says(&["there already, and not empty"]);
}

#[test]
fn tools_are_listed_and_shown() {
    let bench = Bench::new();
    let list = bench.flowc(&["tools"]).exits(0);
    assert!(list.out.lines().any(|line| line.starts_with("web.scrape")), "{}", list.out);
    let web = bench.flowc(&["tools", "list", "web"]).exits(0);
    assert!(web.out.lines().all(|line| line.starts_with("web.")), "{}", web.out);
    let scrape = bench.flowc(&["tools", "show", "web.scrape"]).exits(0);
    assert!(scrape.out.contains("word_count: int"), "{}", scrape.out);
    let json = bench.flowc(&["tools", "show", "web.scrape", "--json"]).exits(0).json();
    assert_eq!(json["name"], "web.scrape");
    bench.flowc(&["tools", "show", "web.scrap"]).exits(2).says(&["did you mean `web.scrape`?"]);
    bench.flowc(&["tools", "list", "wep"]).exits(2).says(&["did you mean `web`?"]);
}

#[test]
fn tools_are_called_by_name() {
    let bench = Bench::with("args.json", r#"{ "duration": "10m" }"#);
    let slept = bench.flowc(&["tools", "call", "time.sleep", "--input", "args.json", "--arg", "duration=1ms"]).exits(0);
    assert_eq!(slept.out, "null\n");
    let long = bench.flowc(&["tools", "call", "time.sleep", "--arg", "duration=long"]).exits(2);
    assert!(long.err.contains("`duration`") && long.err.contains("long"), "{}", long.err);
    bench.flowc(&["tools", "call", "time.sleep", "--arg", "how=1ms"]).exits(2).says(&["`how`", "no such parameter"]);
    bench.flowc(&["tools", "call", "time.slepe"]).exits(2).says(&["did you mean `time.sleep`?"]);
    let refused = bench.flowc(&["tools", "call", "http.get", "--arg", "url=http://127.0.0.1:9/"]).exits(1);
    assert!(refused.err.contains("denied"), "{}", refused.err);
}

#[test]
fn the_schema_of_the_settings_is_printed_and_nobody_has_to_be_asked() {
    let bench = Bench::new();
    let schema = bench.flowc(&["tools", "schema"]).exits(0).json();
    assert!(schema["properties"]["provide"].is_object(), "{schema}");
    let sync = bench.flowc(&["tools", "sync"]).exits(0);
    assert!(sync.out.contains("names no MCP server"), "{}", sync.out);
    assert!(!bench.path("flow.lock").exists());
    let bench = bench.file("flow.toml", "[provide.gone]\nmcp = { command = [\"no-such-program\"] }\n");
    bench.flowc(&["tools", "sync"]).exits(1).says(&["`gone` cannot be used", "`no-such-program` cannot be started"]);
    let bench = bench.file("a.flow", "flow main() { step gone.thing() return 1 }\n");
    bench.flowc(&["check", "a.flow"]).exits(1).says(&["the tools of `gone` are not known yet", "E0205"]);
    let bench = bench.file("flow.lock", "{");
    bench.flowc(&["check", "a.flow"]).exits(2).says(&["`flow.lock` cannot be read", "flowc tools sync"]);
}

/// A container's first process is of a session that is led from outside of it.
#[cfg(target_os = "linux")]
#[test]
fn programs_are_started_and_ended_in_a_container_too() {
    let skill = "---\nname: one\ndescription: One.\nrun: [\"sh\", \"main.sh\"]\n---\n";
    let bench = Bench::with("flow.toml", "[provide.text]\nskills = \"skills\"\n")
        .file("skills/one/SKILL.md", skill)
        .file("skills/one/main.sh", "sleep 1000 & echo 1")
        .file("a.flow", "flow main() -> json { step one = text.run(\"one\") return one }");
    let inside = |program: &std::ffi::OsStr, args: &[&str]| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user", "--pid", "--mount-proc", "--fork"]);
        command.arg(program).args(args).current_dir(bench.folder.path()).output().unwrap()
    };
    if !inside("true".as_ref(), &[]).status.success() {
        return eprintln!("left out: this machine lets nobody make a container");
    }
    let ended = super::Ended::from(inside(bench.command(&[]).get_program(), &["run", "a.flow"]));
    assert_eq!(ended.exits(0).out, "1\n");
}
