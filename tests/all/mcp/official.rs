//! The official conformance suite against flowc as a client: all its client scenarios, each a few commands that a person
//! would type.

use std::path::Path;
use std::process::Command;

use super::real::installed;

/// How many there are in the version that is installed.
const SCENARIOS: usize = 23;

/// What a person who is sent to an address does there.
const BROWSER: &str = "fetch(process.argv[2]).then(answer => answer.text())\n";

/// Answers the first question of a run with what stands in its form.
const ANSWERED: &str = r#"
"$FLOWC" run ask.flow 2> told &
until grep -q 'flowc runs answer' told; do kill -0 $! || exit 1; sleep 0.1; done
set -- $(grep -o 'flowc runs answer [^ ]* [^ ]*' told)
"$FLOWC" runs answer "$4" "$5" '{}'
wait $!
"#;

const ASK: &str = "flow ask() -> json {\n    step told = srv.test_client_elicitation_defaults()\n    return told\n}\n";

/// The settings and the commands of a scenario.
fn client(scenario: &str) -> (&'static str, String) {
    let call = |tool: &str| format!("\"$FLOWC\" tools call srv.{tool}");
    let (login, sync) = ("\"$FLOWC\" tools login srv", "\"$FLOWC\" tools sync");
    let sync_and = |then: &str| format!("{sync}\n{then}\n");
    let people = "auth = {}";
    match scenario {
        "initialize" => ("", sync_and("")),
        "tools_call" => ("", sync_and(&(call("add_numbers") + " --arg a=5 --arg b=3"))),
        "sse-retry" => ("", sync_and(&call("test_reconnection"))),
        "elicitation-sep1034-client-defaults" => ("", sync_and(ANSWERED)),
        "auth/basic-cimd" => (
            "auth = { client_id = \"https://conformance-test.local/client-metadata.json\" }",
            format!("{login}\n{}", sync_and(&call("test_tool"))),
        ),
        "auth/pre-registration" => (
            "auth = { client_id = \"pre-registered-client\", client_secret = \"CLIENT_SECRET\" }",
            format!("{login}\n{}", sync_and(&call("test_tool"))),
        ),
        "auth/client-credentials-basic" => (
            "auth = { grant = \"client_credentials\", client_id = \"conformance-test-client\", client_secret = \"CLIENT_SECRET\" }",
            sync_and(&call("test_tool")),
        ),
        "auth/client-credentials-jwt" => (
            "auth = { grant = \"client_credentials\", client_id = \"conformance-test-client\", private_key = \"PRIVATE_KEY\" }",
            sync_and(&call("test_tool")),
        ),
        // The tool wants more than the list of tools does: it is said which login gives it.
        "auth/scope-step-up" => {
            let call = call("test_tool");
            (
                people,
                format!("{login}\n{sync}\n! {call} 2> why\ngrep -q 'tools login srv` again' why\n{login}\n{call}\n"),
            )
        }
        _ => (people, format!("{login}\n{}", sync_and(&call("test_tool")))),
    }
}

fn suite() -> std::path::PathBuf {
    installed().join("node_modules/@modelcontextprotocol/conformance/dist/index.js")
}

fn scenarios() -> Vec<String> {
    let listed = Command::new("node").arg(suite()).arg("list").output().expect("node");
    let listed = String::from_utf8(listed.stdout).expect("text");
    let (_, clients) = listed.split_once("Client scenarios").expect("clients");
    clients.lines().filter_map(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
}

/// The command that the suite starts; it appends the server's address.
fn script(folder: &Path, scenario: &str) -> String {
    let (settings, commands) = client(scenario);
    let comma = if settings.is_empty() { "" } else { ", " };
    let prepared = format!(
        "#!/bin/sh\nset -e\ncd '{}'\n\
         cat > flow.toml <<END\n[provide.srv]\nmcp = {{ url = \"$1\"{comma}{settings} }}\n\
         [secrets]\nCLIENT_SECRET = {{ file = \"secret\" }}\nPRIVATE_KEY = {{ file = \"key\" }}\nEND\n\
         node -e 'const c = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? \"{{}}\"), fs = require(\"fs\"); \
         fs.writeFileSync(\"secret\", c.client_secret ?? \"-\"); fs.writeFileSync(\"key\", c.private_key_pem ?? \"-\")'\n",
        folder.display()
    );
    let script = folder.join("client");
    std::fs::write(&script, prepared + &commands).expect("a script");
    std::fs::write(folder.join("ask.flow"), ASK).expect("a flow");
    std::fs::write(folder.join("browser.js"), BROWSER).expect("a browser");
    format!("sh {}", script.display())
}

#[test]
#[ignore = "needs tests/servers/install"]
fn the_official_suite_finds_the_client_conforming() {
    let scenarios = scenarios();
    assert_eq!(scenarios.len(), SCENARIOS, "{scenarios:?}");
    let mut unmet = Vec::new();
    for scenario in &scenarios {
        let folder = tempfile::tempdir().expect("a folder");
        let output = Command::new("node")
            .arg(suite())
            .args(["client", "--command", &script(folder.path(), scenario), "--scenario", scenario])
            .args(["--timeout", "60000"])
            .env("FLOWC", env!("CARGO_BIN_EXE_flowc"))
            .env("BROWSER", format!("node {}", folder.path().join("browser.js").display()))
            .current_dir(folder.path())
            .output()
            .expect("node");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || said.contains("WARNING") {
            unmet.push(format!("== {scenario}\n{said}"));
        }
    }
    assert!(unmet.is_empty(), "{} of {SCENARIOS} unmet\n{}", unmet.len(), unmet.join("\n"));
}
