//! The JSON Schema of `flow.toml`, made of the keys that the reader knows.

use serde_json::{Map, Value as Json, json};

use crate::project::builtin;
use crate::project::config;
use crate::project::keys::{Key, Keys, Shape};
use crate::project::policy;
use crate::project::provide::{self, Kind};

/// The JSON Schema (2020-12) of `flow.toml`.
pub fn schema() -> Json {
    let mut schema = table(&Keys::new(config::KEYS, &[]));
    if let (Json::Object(schema), Json::Object(definitions)) = (&mut schema, definitions()) {
        schema.shift_insert(0, "$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.shift_insert(1, "title".into(), "flow.toml".into());
        schema.shift_insert(2, "description".into(), "What the flows of a folder may use.".into());
        schema.insert("$defs".into(), definitions.into());
    }
    schema
}

fn definitions() -> Json {
    json!({
        "setting": {
            "anyOf": [
                { "type": "string" },
                { "type": "object", "properties": { "secret": { "type": "string" } }, "required": ["secret"],
                  "additionalProperties": false },
            ],
        },
        "duration": { "type": "string", "pattern": "^0*[1-9][0-9_]*(ms|s|m|h|d)$" },
        "url": { "type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://." },
    })
}

fn shape(of: &Shape) -> Json {
    let texts = |least: usize| json!({ "type": "array", "items": { "type": "string" }, "minItems": least });
    match of {
        Shape::Text | Shape::Secret => json!({ "type": "string" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count => json!({ "type": "integer", "minimum": 1 }),
        Shape::Natural => json!({ "type": "integer", "minimum": 0 }),
        Shape::Amount => json!({ "type": "number", "minimum": 0 }),
        Shape::Duration => json!({ "$ref": "#/$defs/duration" }),
        Shape::Url => json!({ "$ref": "#/$defs/url" }),
        Shape::Setting => json!({ "$ref": "#/$defs/setting" }),
        Shape::Pattern(pattern) => json!({ "type": "string", "pattern": pattern }),
        Shape::Texts => texts(0),
        Shape::SomeTexts => texts(1),
        Shape::Table(keys) => table(keys),
        Shape::OneOf(kinds) => json!({ "anyOf": kinds.iter().map(table).collect::<Vec<_>>() }),
        Shape::Each(of) => json!({ "type": "object", "additionalProperties": shape(of) }),
        Shape::Either(one, other) => json!({ "anyOf": [shape(one), shape(other)] }),
        Shape::Any => json!({}),
        Shape::Providers => providers(),
    }
}

/// A table for each namespace. That of a built-in provider's name need not say so.
fn providers() -> Json {
    let kinds = || provide::KINDS.iter().chain(builtin::KINDS);
    let of = |namespace: &str| json!({ "anyOf": kinds().map(|kind| provider(kind, namespace)).collect::<Vec<_>>() });
    let own: Map<_, _> = builtin::KINDS.iter().map(|kind| (kind.name.to_owned(), of(kind.name))).collect();
    json!({ "type": "object", "properties": own, "additionalProperties": of("") })
}

fn provider(kind: &'static Kind, namespace: &str) -> Json {
    let mut required = kind.keys.required.to_vec();
    let mut properties = Map::new();
    add(&mut properties, kind.keys.all);
    add(&mut properties, policy::KEYS);
    add(&mut properties, provide::COMMON);
    // A key of its own name marks the kind; without one, `builtin` or the namespace's name does.
    match properties.get_mut("builtin") {
        Some(_) if kind.keys.has(kind.name) => drop(properties.shift_remove("builtin")),
        Some(Json::Object(builtin)) => {
            builtin.insert("const".into(), kind.name.into());
            if kind.name != namespace {
                required.push("builtin");
            }
        }
        _ => {}
    }
    closed(properties, &required)
}

fn table(keys: &Keys) -> Json {
    let mut properties = Map::new();
    add(&mut properties, keys.all);
    closed(properties, keys.required)
}

fn add(properties: &mut Map<String, Json>, keys: &[Key]) {
    for key in keys {
        let mut schema = shape(&key.shape);
        if let Json::Object(schema) = &mut schema {
            schema.insert("description".into(), key.doc.into());
        }
        properties.insert(key.name.into(), schema);
    }
}

fn closed(properties: Map<String, Json>, required: &[&str]) -> Json {
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (Json::Object(schema), false) = (&mut schema, required.is_empty()) {
        schema.insert("required".into(), required.into());
    }
    schema
}
