//! What is published of `flow.toml`: its JSON Schema and its reference.

use std::path::{Path, PathBuf};

use flowc::project::{Config, schema};
use flowc::source::SourceFile;
use serde_json::Value as Json;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name)
}

#[test]
fn the_published_schema_is_the_readers_own() {
    let path = reference("flow.toml.schema.json");
    let made = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    if std::env::var_os("FLOW_UPDATE").is_some() {
        std::fs::write(&path, &made).expect("the schema can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == made, "docs/reference/flow.toml.schema.json is out of date: run the tests with FLOW_UPDATE=1");
}

#[test]
fn the_reference_names_every_key_and_its_examples_are_read() {
    let page = std::fs::read_to_string(reference("flow-toml.md")).expect("the reference");
    let mut keys = Vec::new();
    collect(&schema(), &mut keys);
    assert!(keys.len() > 30, "{keys:?}");
    let words: Vec<&str> = page.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = keys.iter().filter(|key| !words.contains(&key.as_str())).collect();
    assert!(missing.is_empty(), "docs/reference/flow-toml.md does not say what these are: {missing:?}");
    let providers = std::fs::read_to_string(reference("../providers.md")).expect("the page of providers");
    let examples =
        |page: &'static str| page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let examples: Vec<&str> = examples(page.leak()).chain(examples(providers.leak())).collect();
    assert!(examples.len() >= 8);
    for example in examples {
        if let Err(wrong) = Config::parse(SourceFile::new("flow.toml", example)) {
            panic!("{example}\n{wrong}");
        }
    }
}

/// Every name of a property.
fn collect(schema: &Json, into: &mut Vec<String>) {
    match schema {
        Json::Object(fields) => {
            if let Some(Json::Object(properties)) = fields.get("properties") {
                into.extend(properties.keys().cloned());
            }
            fields.values().for_each(|field| collect(field, into));
        }
        Json::Array(items) => items.iter().for_each(|item| collect(item, into)),
        _ => {}
    }
}
