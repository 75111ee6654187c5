//! An operation of a document: where each of its arguments goes, and its schemas on their own.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::tools::listed::Listed;
use crate::tools::openapi::document::resolve;
use crate::types::{Annotations, Type};

const SCHEMAS: &str = "#/components/schemas/";
/// The name of the argument that is a request's body.
pub(super) const BODY: &str = "body";

/// What can be called.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: String,
    /// `/pets/{id}`
    pub(super) path: String,
    pub(super) places: Vec<Place>,
    /// The media type that the body is sent as.
    pub(super) body: Option<String>,
    /// Whether calls say who they are.
    pub(super) secured: bool,
    /// As it is listed; its arguments are those of `places` and [`BODY`].
    pub(super) listed: Listed,
}

/// Where an argument goes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The argument's name: the parameter's, unless another one has it.
    pub(super) argument: String,
    pub(super) name: String,
    pub(super) within: Within,
    /// `form`, `simple`, `deepObject`, … (OpenAPI 3.1, section 4.8.12.3)
    pub(super) style: String,
    pub(super) explode: bool,
    /// Whether its value is sent as JSON.
    pub(super) json: bool,
}

/// The part of a request that a parameter is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    Path,
    Query,
    Header,
    Cookie,
}

impl Operation {
    /// Reads the operation of a path item.
    pub(super) fn read(root: &Json, path: &str, method: &str, item: &Json, operation: &Json) -> Self {
        let (mut places, mut properties, mut required) = (Vec::<Place>::new(), Map::new(), Vec::new());
        for parameter in parameters(root, item, operation) {
            let Some(mut place) = Place::read(parameter) else { continue };
            if properties.contains_key(&place.argument) {
                place.argument = format!("{}_{}", place.name, place.within.name());
            }
            let mut schema = schema_of(parameter).cloned().unwrap_or_else(|| json!({}));
            if let (Json::Object(schema), Some(doc)) = (&mut schema, parameter.get("description")) {
                schema.insert("description".into(), doc.clone());
            }
            if parameter.get("required") == Some(&Json::Bool(true)) || place.within == Within::Path {
                required.push(place.argument.clone());
            }
            properties.insert(place.argument.clone(), schema);
            places.push(place);
        }
        let request = operation.get("requestBody").map(|body| resolve(root, body));
        let body = request.and_then(|body| media(body.get("content")?));
        if let (Some(request), Some((_, schema))) = (request, &body) {
            if request.get("required") == Some(&Json::Bool(true)) {
                required.push(BODY.to_owned());
            }
            properties.insert(BODY.into(), (*schema).clone());
        }
        let input = json!({ "type": "object", "properties": properties, "required": required });
        let text = |key| operation.get(key).and_then(Json::as_str).unwrap_or_default().trim();
        let description = [text("summary"), text("description")].into_iter().filter(|text| !text.is_empty());
        let listed = Listed {
            name: name(operation, method, path),
            description: description.collect::<Vec<_>>().join("\n\n"),
            input: alone(root, input),
            output: result(root, operation).map(|schema| alone(root, schema)),
            annotations: effects(method),
        };
        let security = operation.get("security").or_else(|| root.get("security"));
        Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            places,
            body: body.map(|(media, _)| media.to_owned()),
            secured: security.and_then(Json::as_array).is_none_or(|any| !any.is_empty()),
            listed,
        }
    }
}

/// The parameters of an operation and of its path, the operation's own before those of the same name.
fn parameters<'a>(root: &'a Json, item: &'a Json, operation: &'a Json) -> Vec<&'a Json> {
    let list = |of: &'a Json| of.get("parameters").and_then(Json::as_array).into_iter().flatten();
    let key = |parameter: &Json| (parameter.get("name").cloned(), parameter.get("in").cloned());
    let mut found: Vec<&Json> = Vec::new();
    for parameter in list(operation).chain(list(item)).map(|parameter| resolve(root, parameter)) {
        if !found.iter().any(|known| key(known) == key(parameter)) {
            found.push(parameter);
        }
    }
    found
}

impl Place {
    fn read(parameter: &Json) -> Option<Self> {
        let text = |key| parameter.get(key).and_then(Json::as_str);
        let within = match text("in")? {
            "path" => Within::Path,
            "query" => Within::Query,
            "header" => Within::Header,
            "cookie" => Within::Cookie,
            _ => return None,
        };
        let form = matches!(within, Within::Query | Within::Cookie);
        let style = text("style").unwrap_or(if form { "form" } else { "simple" });
        let name = text("name")?.to_owned();
        Some(Self {
            argument: name.clone(),
            name,
            within,
            explode: parameter.get("explode").and_then(Json::as_bool).unwrap_or(style == "form"),
            style: style.to_owned(),
            json: parameter.get("schema").is_none() && parameter.get("content").is_some(),
        })
    }
}

impl Within {
    fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

fn schema_of(parameter: &Json) -> Option<&Json> {
    parameter.get("schema").or_else(|| media(parameter.get("content")?).map(|(_, schema)| schema))
}

/// The media type that is used of those there are, with its schema: JSON, else a form, else the first.
fn media(content: &Json) -> Option<(&str, &Json)> {
    let content = content.as_object()?;
    let known = |wanted: fn(&str) -> bool| content.iter().find(move |(media, _)| wanted(&media.to_ascii_lowercase()));
    let (media, of) = known(is_json).or_else(|| known(|media| media == FORM)).or_else(|| content.iter().next())?;
    Some((media, of.get("schema").unwrap_or(&Json::Bool(true))))
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a media type is JSON: `application/json; charset=utf-8`, `application/problem+json`.
pub(super) fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence.ends_with("+json")
}

/// The schema of what a good answer holds; none where the document does not say.
fn result(root: &Json, operation: &Json) -> Option<Json> {
    let responses = operation.get("responses")?.as_object()?;
    let good = responses.iter().filter(|(status, _)| status.starts_with('2'));
    let mut good: Vec<&Json> = good.map(|(_, response)| response).collect();
    if good.is_empty() {
        good.extend(responses.get("default"));
    }
    let schemas: Vec<Json> = good.into_iter().map(|response| answered(resolve(root, response))).collect();
    match <[Json; 1]>::try_from(schemas) {
        Ok([schema]) => Some(schema),
        Err(schemas) if schemas.is_empty() => None,
        Err(schemas) => Some(json!({ "anyOf": schemas })),
    }
}

fn answered(response: &Json) -> Json {
    let Some((kind, schema)) = response.get("content").and_then(media) else { return json!({ "type": "null" }) };
    match kind.split(['/', ';']).next().unwrap_or_default() {
        _ if is_json(kind) => schema.clone(),
        "text" => json!({ "type": "string" }),
        "image" => Type::Image.to_json_schema(),
        _ => Type::File.to_json_schema(),
    }
}

/// A schema with those of the document's that it refers to, so that it can be read by itself.
fn alone(root: &Json, mut schema: Json) -> Json {
    let (mut needed, mut pending) = (BTreeSet::new(), Vec::new());
    references(&schema, &mut pending);
    while let Some(name) = pending.pop() {
        if let Some(target) = root.pointer(&format!("/components/schemas/{name}"))
            && needed.insert(name)
        {
            references(target, &mut pending);
        }
    }
    if let (Json::Object(schema), false) = (&mut schema, needed.is_empty()) {
        let find = |name: String| {
            let target = root.pointer(&format!("/components/schemas/{name}"))?.clone();
            Some((name.replace("~1", "/").replace("~0", "~"), target))
        };
        let schemas: Map<String, Json> = needed.into_iter().filter_map(find).collect();
        schema.insert("components".into(), json!({ "schemas": schemas }));
    }
    schema
}

/// The names, as references write them, of the schemas that a schema refers to.
fn references(schema: &Json, into: &mut Vec<String>) {
    match schema {
        Json::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Json::as_str).and_then(|it| it.strip_prefix(SCHEMAS)) {
                into.extend(name.split('/').next().map(str::to_owned));
            }
            fields.values().for_each(|field| references(field, into));
        }
        Json::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}

/// `operationId`, or else `get_pets_id` of `GET /pets/{id}`.
fn name(operation: &Json, method: &str, path: &str) -> String {
    match operation.get("operationId").and_then(Json::as_str) {
        Some(id) => id.to_owned(),
        None => {
            let words = path.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
        }
    }
}

/// What a method promises (RFC 9110, section 9.2).
fn effects(method: &str) -> Annotations {
    let none = Annotations::default();
    match method {
        "get" | "head" | "options" => Annotations { idempotent: Some(true), ..Annotations::read_only() },
        "put" => Annotations { read_only: Some(false), idempotent: Some(true), ..none },
        "delete" => Annotations { read_only: Some(false), idempotent: Some(true), destructive: Some(true), ..none },
        _ => Annotations { read_only: Some(false), ..none },
    }
}
