//! The providers as `flow.toml` names them.

use std::path::Path;

use flowc::project::{Config, EngineOptions, Project};
use flowc::run::Engine;
use flowc::source::SourceFile;
use serde_json::{Value as Json, json};

use super::{Answer, SECRET, Server, llm};

/// Runs the one flow of a text in a project.
async fn run(settings: &str, folder: &Path, flow: &str) -> Json {
    std::fs::write(folder.join("flow.toml"), settings).unwrap();
    std::fs::write(folder.join("key"), SECRET).unwrap();
    let project = Project::load(folder).unwrap_or_else(|wrong| panic!("{wrong}"));
    let engine: Engine = project.engine_builder(EngineOptions::default()).build().unwrap();
    let program = engine.compile(SourceFile::new("it.flow", flow)).unwrap_or_else(|wrong| panic!("{wrong}"));
    let run = engine.start(&program, "it", json!({})).unwrap();
    run.output().await.unwrap_or_else(|error| panic!("{error}"))
}

/// The servers of this machine are reached because `flow.toml` names them, and the secret is sent to them only.
#[tokio::test]
async fn tables_of_flow_toml_are_tools() {
    let folder = tempfile::tempdir().unwrap();
    let brave = Server::answering([Answer::json(&super::brave::found())]).await;
    let vercel = Server::answering([Answer::json(&json!({ "deployments": [] }))]).await;
    let claude = Server::answering([Answer::json(&llm::message("Short.", "end_turn"))]).await;
    let gpt = Server::answering([Answer::json(&llm::completion(&json!("{\"n\": 7}"), "stop"))]).await;
    let settings = format!(
        r#"
        [provide.brave]
        api_key = "KEY"
        base_url = "{}"
        [provide.vercel]
        api_key = "KEY"
        team = "acme"
        base_url = "{}"
        [provide.llm]
        providers.anthropic = {{ api_key = "KEY", base_url = "{}", headers = {{ Anthropic-Version = "2026-10-21" }} }}
        providers.mine = {{ protocol = "openai", bearer = "KEY", base_url = "{}" }}
        models.fast = {{ provider = "anthropic", model = "claude-test", price = {{ input = 1.5, output = 5 }} }}
        models.exact = {{ provider = "mine", model = "m", parameters = {{ temperature = 0.5, stop = ["x"] }} }}
        default = "fast"
        [provide.memory]
        [provide.text]
        skills = "skills"
        env = {{ TOKEN = {{ secret = "KEY" }} }}
        [secrets]
        KEY = {{ file = "key" }}
        "#,
        brave.url(""),
        vercel.url(""),
        claude.url(""),
        gpt.url("/v1"),
    );
    let flow = r#"
        type Number = { n: int }
        flow it() -> json {
            step found = brave.search("tide mills")
            step deployments = vercel.deployments(project: "shop")
            step short = llm.summarize(text: "long")
            step number = llm.extract("seven", into: Number, model: "exact")
            step stored = memory.store(short, tags: ["test"])
            step notes = memory.search("short")
            step said = text.say(word: "it")
            return {
                found: found.results.length, deployments: deployments.length, short, n: number.n, same: notes[0].id == stored.id,
                said: said.word,
            }
        }
    "#;
    let skill = folder.path().join("skills/say");
    std::fs::create_dir_all(&skill).unwrap();
    let facts = "---\nname: say\ndescription: Says it.\nrun: [sh, -c, 'test \"$TOKEN\" = s3cret-0123 && cat']\n\
                 input: { type: object, properties: { word: { type: string } }, required: [word] }\n\
                 output: { type: object, properties: { word: { type: string } }, required: [word] }\n---\n";
    std::fs::write(skill.join("SKILL.md"), facts).unwrap();
    let output = run(&settings, folder.path(), flow).await;
    assert_eq!(output, json!({ "found": 2, "deployments": 0, "short": "Short.", "n": 7, "same": true, "said": "it" }));
    let [search] = brave.seen().try_into().ok().expect("one request");
    assert_eq!(search.header("x-subscription-token"), Some(SECRET));
    let [list] = vercel.seen().try_into().ok().expect("one request");
    assert!(list.target.ends_with("&slug=acme"), "{}", list.target);
    let [short] = claude.seen().try_into().ok().expect("one request");
    assert_eq!(short.header("x-api-key"), Some(SECRET));
    assert_eq!(short.header("anthropic-version"), Some("2026-10-21"));
    let [number] = gpt.seen().try_into().ok().expect("one request");
    assert_eq!(number.target, "/v1/chat/completions");
    assert_eq!((&number.body["temperature"], &number.body["stop"]), (&json!(0.5), &json!(["x"])));
    assert!(folder.path().join(".flow/memory.db").exists());
}

#[test]
fn mistakes_are_told_at_their_place() {
    let wrong = Config::parse(SourceFile::new(
        "flow.toml",
        "[provide.brave]\nbase_url = \"nowhere\"\n[provide.vercel]\napi_key = \"KEY\"\n[provide.llm]\ndefault = \"fsat\"\n\
         providers.anthropic = { api_key = \"KEY\", protocol = \"soap\" }\nproviders.mine = {}\n\
         providers.openai = { api_key = \"KEY\" }\n[provide.llm.models]\nfast = { provider = \"opnai\", model = \"m\" }\n\
         slow = { provider = \"openai\", model = \"m\", json = \"maybe\", price = { input = 1 }, parameters = { at = 2026-01-01 } }\n\
         [secrets]\nKEY = { env = \"KEY\" }\n",
    ))
    .expect_err("wrong");
    let line = |found: &flowc::diagnostic::Diagnostic| {
        let help = found.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}: {}{help}", wrong.sources.locate(found.span), found.message)
    };
    insta::assert_snapshot!(wrong.list.iter().map(line).collect::<Vec<_>>().join("\n"));
}
