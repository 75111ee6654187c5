//! Skills: scripts as tools.

use std::path::Path;
use std::time::{Duration, Instant};

use flowc::tools::Setting;
use flowc::tools::skill::{Config, tools};
use flowc::value::ErrorKind;
use serde_json::json;

use super::{Reported, call, call_with};

/// A folder with a skill for each script.
pub(super) fn skills(scripts: &[(&str, &str, &str)]) -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    for (name, facts, script) in scripts {
        let skill = folder.path().join(name);
        std::fs::create_dir_all(&skill).unwrap();
        let facts = format!(
            "---\nname: {name}\ndescription: Does {name}.\nrun: [\"sh\", \"main.sh\"]\n{facts}---\n\n# {name}\n"
        );
        std::fs::write(skill.join("SKILL.md"), facts).unwrap();
        std::fs::write(skill.join("main.sh"), script).unwrap();
    }
    let config = Config { folder: folder.path().into(), env: indexmap::IndexMap::new() };
    (folder, config)
}

const TYPED: &str = "input: { type: object, properties: { text: { type: string } }, required: [text] }\n\
                     output: { type: object, properties: { got: { type: object, properties: { text: { type: string } }, \
                     required: [text] } }, required: [got] }\n";

#[tokio::test]
async fn skills_are_tools_with_types_and_all_can_be_run_by_name() {
    let echo = "printf '{\"got\": '; cat; printf ', \"more\": 1}'";
    let (_folder, config) = skills(&[("echo-it", TYPED, echo), ("plain", "", "cat")]);
    let tools = tools("text", config);
    let names: Vec<_> = tools.iter().map(|tool| tool.signature().name.to_string()).collect();
    assert_eq!(names, ["text.echo_it", "text.run"]);
    assert_eq!(tools[0].signature().doc, "Does echo-it.");
    assert_eq!(tools[0].signature().result.to_string(), "{ got: { text: string } }");
    let typed = call(&tools, "text.echo_it", &json!({ "text": "a \"b\"" })).await.unwrap();
    assert_eq!(typed, json!({ "got": { "text": "a \"b\"" } }));
    let by_name = call(&tools, "text.run", &json!({ "name": "echo-it", "input": [1] })).await.unwrap();
    assert_eq!(by_name, json!({ "got": [1], "more": 1 }));
    let nothing = call(&tools, "text.run", &json!({ "name": "plain" })).await.unwrap();
    assert_eq!(nothing, json!(null));
    let unknown = call(&tools, "text.run", &json!({ "name": "plane" })).await.expect_err("no such skill");
    assert_eq!((unknown.kind, unknown.undelivered), (ErrorKind::Invalid, true));
    assert!(unknown.message.ends_with("there is `echo-it`, `plain`"), "{unknown}");
}

#[tokio::test]
async fn scripts_see_their_folder_and_no_more_of_the_environment_than_they_are_given() {
    let script = "for name in $(env | cut -d= -f1 | sort); do case $name in \
                  PATH|HOME|LANG|PWD|OLDPWD|SHLVL|_|MINE|FLOW_*) ;; *) echo \"$name\" >&2; exit 1;; esac; done; \
                  printf '\"%s %s\"' \"$MINE\" \"$(basename \"$PWD\")\"";
    let (_folder, mut config) = skills(&[("look", "", script)]);
    config.env.insert("MINE".into(), Setting::Plain("yes".into()));
    let seen = call(&tools("s", config), "s.run", &json!({ "name": "look" })).await.unwrap();
    assert_eq!(seen, json!("yes look"));
}

#[tokio::test]
async fn what_scripts_do_wrong_is_told() {
    let (folder, config) = skills(&[
        ("exits", "", "echo 'cannot find the file' >&2; exit 3"),
        ("talks", "", "echo 'Hello!'"),
        ("silent", "", "exit 0"),
        ("floods", "", "yes 0123456789012345678901234567890123456789 | head -c 20000000"),
        ("deaf", "", "exec <&-; echo '{}'"),
        ("nowhere", "", ""),
        ("broken", "input: [\n", ""),
    ]);
    let manifest = folder.path().join("nowhere/SKILL.md");
    std::fs::write(manifest, "---\nname: nowhere\ndescription: x\nrun: [\"./none\"]\n---\n").unwrap();
    let tools = tools("s", config);
    let wrong = [
        (
            "exits",
            ErrorKind::Tool,
            "the skill `exits` failed: it ended with exit status: 3; it wrote: cannot find the file",
        ),
        ("talks", ErrorKind::Invalid, "the skill `talks` wrote what is not JSON: expected value at line 1 column 1"),
        ("silent", ErrorKind::Invalid, "the skill `silent` wrote no result: JSON to its standard output"),
        ("floods", ErrorKind::Tool, "the skill `floods` wrote more than 8 MiB"),
        ("nowhere", ErrorKind::Denied, "the skill `nowhere` cannot be started: `./none`: No such file"),
        ("broken", ErrorKind::Invalid, "the skill `broken` cannot be used: the facts of `SKILL.md` cannot be read"),
    ];
    for (name, kind, message) in wrong {
        let error = call(&tools, "s.run", &json!({ "name": name })).await.expect_err(name);
        assert_eq!((error.kind, error.retryable), (kind, false), "{error}");
        assert!(error.message.starts_with(message), "{error}");
    }
    let large = json!({ "name": "deaf", "input": "x".repeat(1 << 20) });
    assert_eq!(call(&tools, "s.run", &large).await.unwrap(), json!({}), "a script need not read its input");
}

/// Whether a process is there and no zombie, also after the moment that one takes to die.
async fn lives(pid: &str) -> bool {
    let stat = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    let there = || stat().is_ok_and(|stat| !stat.contains(") Z "));
    let began = Instant::now();
    while there() && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    there()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_script_that_takes_too_long_ends_with_all_that_it_started() {
    let script = "sleep 600 & echo $! > child; (setsid sleep 600 & echo $! > far); echo $$ > own; wait";
    let (folder, config) = skills(&[("slow", "", script), ("leaves", "", "sleep 600 & echo $! > child; echo 7")]);
    let pid = |skill: &str, name: &str| {
        let file: &Path = &folder.path().join(skill).join(name);
        std::fs::read_to_string(file).unwrap()
    };
    let tools = tools("s", config);
    let cut = tokio::time::timeout(Duration::from_secs(2), async {
        call_with(&tools, "s.run", &json!({ "name": "slow" }), &Reported::default(), Duration::from_secs(60)).await
    });
    assert!(cut.await.is_err(), "it takes too long");
    for name in ["own", "child", "far"] {
        assert!(!lives(&pid("slow", name)).await, "{name} lives on");
    }
    // What it leaves behind holds its output open, and is not waited for.
    let began = Instant::now();
    assert_eq!(call(&tools, "s.run", &json!({ "name": "leaves" })).await.unwrap(), json!(7));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(!lives(&pid("leaves", "child")).await, "what it left behind lives on");
}
