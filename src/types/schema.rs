//! JSON Schema (2020-12, and what earlier drafts and OpenAPI 3.0 write differently) ⇄ types.
//!
//! Reading is lenient: what a type cannot say (patterns, ranges, `not`, `if`) is left out, and what cannot be known is `json`. A
//! `uri` is a `string`, since it need not be http; only one whose pattern says so is a `url`. A property with a default need
//! not be sent, whatever `required` says.

use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use serde_json::{Map, Value as Json, json};

use crate::types::{Annotations, Field, Fields, Literal, Param, RecordType, Signature, Text, Type};

const HTTP_PATTERN: &str = "^https?://";
const DURATION_PATTERN: &str = "^-?[0-9]+(ms|s|m|h|d)$";

impl Type {
    /// The type that a JSON Schema describes. References within the document (`#/…`) are followed; recursive ones are `json`.
    pub fn from_json_schema(schema: &Json) -> Type {
        Reader::of(schema).read(schema)
    }

    /// The JSON Schema of the type. Records are closed (`additionalProperties: false`), as structured outputs of LLMs want.
    pub fn to_json_schema(&self) -> Json {
        self.write(None)
    }

    /// The same, with each record that has a name among the definitions, which a reference `#/$defs/NAME` leads to.
    pub fn to_json_schema_with(&self, definitions: &mut Map<String, Json>) -> Json {
        self.write(Some(definitions))
    }

    fn write(&self, mut definitions: Option<&mut Map<String, Json>>) -> Json {
        match self {
            Type::Error | Type::Json | Type::Var(_) => json!({}),
            Type::Never => json!({ "not": {} }),
            Type::Null => json!({ "type": "null" }),
            Type::Bool => json!({ "type": "boolean" }),
            Type::Int => json!({ "type": "integer" }),
            Type::Float => json!({ "type": "number" }),
            Type::String | Type::Secret => json!({ "type": "string" }),
            Type::Url => json!({ "type": "string", "format": "uri", "pattern": HTTP_PATTERN }),
            Type::Datetime => json!({ "type": "string", "format": "date-time" }),
            Type::Duration => json!({ "type": "string", "pattern": DURATION_PATTERN }),
            Type::Schema(_) => json!({ "type": "object" }),
            Type::Literal(literal) => json!({ "const": literal_json(literal) }),
            Type::List(of) => json!({ "type": "array", "items": of.write(definitions) }),
            Type::Map(of) => json!({ "type": "object", "additionalProperties": of.write(definitions) }),
            Type::Image | Type::File => {
                let title = if *self == Type::Image { "image" } else { "file" };
                titled(self.handle_record().unwrap_or(Type::Json).to_json_schema(), Some(&Text::new(title)))
            }
            Type::Record(record) => {
                let written = record_schema(record, definitions.as_deref_mut());
                match (&record.name, definitions) {
                    // Another record may have the name, from another file.
                    (Some(name), Some(known)) if known.get(name.as_str()).is_none_or(|known| *known == written) => {
                        known.insert(name.to_string(), written);
                        json!({ "$ref": format!("#/$defs/{name}") })
                    }
                    (name, _) => titled(written, name.as_ref()),
                }
            }
            Type::Union(union) => titled(union_schema(&union.members, definitions), union.name.as_ref()),
        }
    }
}

impl Signature {
    /// The signature of a tool that describes itself by JSON Schemas, as MCP servers do. Without an output schema it gives
    /// `json`. Where the input is one of several objects, a parameter is required if all of them require it.
    pub fn from_json_schemas(
        name: impl Into<Text>,
        doc: impl Into<String>,
        input: &Json,
        output: Option<&Json>,
    ) -> Self {
        let mut fields = Fields::default();
        let input_type = Type::from_json_schema(input);
        for (at, member) in input_type.members().iter().enumerate() {
            let Type::Record(record) = member else { continue };
            for (name, field) in &record.fields {
                match fields.get_mut(name) {
                    Some(known) => {
                        known.ty = known.ty.clone().join(field.ty.clone());
                        known.optional |= field.optional;
                    }
                    None => {
                        fields.insert(name.clone(), Field { optional: field.optional || at > 0, ..field.clone() });
                    }
                }
            }
            for (name, known) in &mut fields {
                known.optional |= !record.fields.contains_key(name);
            }
        }
        let reader = Reader::of(input);
        let properties = reader.keyword(input, "properties");
        let default = |name: &Text| reader.keyword(properties?.get(name.as_str())?, "default").cloned();
        let params = fields.into_iter().map(|(name, field)| Param {
            default: default(&name),
            name,
            ty: field.ty,
            required: !field.optional,
            doc: field.doc,
        });
        Signature {
            name: name.into(),
            doc: doc.into(),
            generics: Vec::new(),
            params: params.collect(),
            result: output.map_or(Type::Json, Type::from_json_schema),
            annotations: Annotations::default(),
        }
    }
}

/// Reads a document's schemas, keeping the references that are being followed.
struct Reader<'a> {
    root: &'a Json,
    following: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn of(root: &'a Json) -> Self {
        Self { root, following: Vec::new() }
    }

    fn read(&mut self, schema: &'a Json) -> Type {
        let Json::Object(schema) = schema else { return Type::Json };
        let ty = self.read_object(schema);
        // OpenAPI 3.0's way of saying `null`.
        if schema.get("nullable") == Some(&Json::Bool(true)) { ty.or_null() } else { ty }
    }

    fn read_object(&mut self, schema: &'a Map<String, Json>) -> Type {
        let own = self.unreferenced(schema);
        match schema.get("$ref").and_then(Json::as_str) {
            // What stands beside a reference holds too.
            Some(reference) => intersect(self.follow(reference), own),
            None => own,
        }
    }

    /// What all keywords but `$ref` say.
    fn unreferenced(&mut self, schema: &'a Map<String, Json>) -> Type {
        if let Some(constant) = schema.get("const") {
            return constant_type(constant);
        }
        if let Some(Json::Array(values)) = schema.get("enum") {
            return one_of(values.iter().map(constant_type).collect());
        }
        if let Some(Json::Array(parts)) = schema.get("allOf") {
            let own = self.plain(schema);
            let read: Vec<Type> = parts.iter().map(|part| self.read(part)).collect();
            return read.into_iter().fold(own, intersect);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(Json::Array(parts)) = schema.get(key) {
                let own = self.plain(schema);
                let read: Vec<Type> = parts.iter().map(|part| self.read(part)).collect();
                return one_of(read.into_iter().map(|part| intersect(own.clone(), part)).collect());
            }
        }
        self.plain(schema)
    }

    /// What `type` and the keywords beside it say.
    fn plain(&mut self, schema: &'a Map<String, Json>) -> Type {
        match schema.get("type") {
            Some(Json::String(name)) => self.of_type(name, schema),
            Some(Json::Array(names)) => {
                let names: Vec<&str> = names.iter().filter_map(Json::as_str).collect();
                one_of(names.into_iter().map(|name| self.of_type(name, schema)).collect())
            }
            _ if schema.contains_key("properties") => self.object(schema),
            _ if schema.contains_key("items") || schema.contains_key("prefixItems") => self.array(schema),
            _ if schema.get("additionalProperties").is_some_and(Json::is_object) => self.object(schema),
            _ => Type::Json,
        }
    }

    fn of_type(&mut self, name: &str, schema: &'a Map<String, Json>) -> Type {
        match name {
            "null" => Type::Null,
            "boolean" => Type::Bool,
            "integer" => Type::Int,
            "number" if schema.get("multipleOf").and_then(Json::as_f64) == Some(1.0) => Type::Int,
            "number" => Type::Float,
            "string" => string(schema),
            "array" => self.array(schema),
            "object" => self.object(schema),
            _ => Type::Json,
        }
    }

    fn array(&mut self, schema: &'a Map<String, Json>) -> Type {
        let mut of = Type::Never;
        if let Some(Json::Array(items)) = schema.get("prefixItems") {
            for item in items {
                of = of.join(self.read(item));
            }
        }
        match schema.get("items") {
            // Before 2020-12 an array of schemas was what `prefixItems` is.
            Some(Json::Array(items)) => {
                for item in items {
                    of = of.join(self.read(item));
                }
            }
            Some(items @ Json::Object(_)) => of = of.join(self.read(items)),
            _ => {}
        }
        Type::list(if of == Type::Never { Type::Json } else { of })
    }

    fn object(&mut self, schema: &'a Map<String, Json>) -> Type {
        let required = |name: &str| match schema.get("required") {
            Some(Json::Array(names)) => names.iter().any(|required| required == name),
            _ => false,
        };
        let properties = schema.get("properties").and_then(Json::as_object).filter(|fields| !fields.is_empty());
        let Some(properties) = properties else { return self.map(schema) };
        let mut fields = Fields::with_capacity_and_hasher(properties.len(), FxBuildHasher);
        for (name, property) in properties {
            let optional = !required(name) || self.keyword(property, "default").is_some();
            let doc = self.keyword(property, "description").and_then(Json::as_str).unwrap_or_default().to_owned();
            fields.insert(Text::new(name), Field { ty: self.read(property), optional, doc });
        }
        let record = Type::Record(Arc::new(RecordType { name: None, fields }));
        match (schema.get("title").and_then(Json::as_str), &record) {
            (Some("image"), record) if Type::Image.handle_record().as_ref() == Some(record) => Type::Image,
            (Some("file"), record) if Type::File.handle_record().as_ref() == Some(record) => Type::File,
            _ => record,
        }
    }

    /// An object without properties of its own: a map, unless it is closed.
    fn map(&mut self, schema: &'a Map<String, Json>) -> Type {
        let mut of = Type::Never;
        if let Some(Json::Object(patterns)) = schema.get("patternProperties") {
            for pattern in patterns.values() {
                of = of.join(self.read(pattern));
            }
        }
        match schema.get("additionalProperties") {
            Some(Json::Bool(false)) if of == Type::Never => Type::record([]),
            Some(more @ Json::Object(_)) => Type::map(of.join(self.read(more))),
            _ if of == Type::Never => Type::map(Type::Json),
            _ => Type::map(of),
        }
    }

    /// A keyword of a schema, or else of the one it refers to.
    fn keyword(&self, schema: &'a Json, key: &str) -> Option<&'a Json> {
        const MOST: usize = 16;
        let next = |schema: &&'a Json| self.target(schema.get("$ref")?.as_str()?);
        std::iter::successors(Some(schema), next).take(MOST).find_map(|schema| schema.get(key))
    }

    fn target(&self, reference: &str) -> Option<&'a Json> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn follow(&mut self, reference: &'a str) -> Type {
        let target = self.target(reference);
        let Some(target) = target.filter(|_| !self.following.contains(&reference)) else { return Type::Json };
        self.following.push(reference);
        let ty = self.read(target);
        self.following.pop();
        ty
    }
}

fn string(schema: &Map<String, Json>) -> Type {
    let text = |key| schema.get(key).and_then(Json::as_str).unwrap_or_default();
    match (text("format"), text("pattern")) {
        ("date-time", _) => Type::Datetime,
        (_, DURATION_PATTERN) => Type::Duration,
        ("uri" | "url", pattern) if pattern.starts_with(HTTP_PATTERN) => Type::Url,
        _ => Type::String,
    }
}

fn constant_type(value: &Json) -> Type {
    match value {
        Json::Null => Type::Null,
        Json::Bool(bool) => Type::Literal(Literal::Bool(*bool)),
        Json::String(text) => Type::literal(text.as_str()),
        Json::Number(number) => match number.as_i64() {
            Some(int) => Type::Literal(Literal::Int(int)),
            None => Type::Float,
        },
        Json::Array(_) | Json::Object(_) => Type::Json,
    }
}

/// What is one or the other; an int is a float.
fn one_of(types: Vec<Type>) -> Type {
    let merged = if types.contains(&Type::Float) { Type::Float } else { Type::Int };
    Type::union(types.into_iter().map(|ty| if ty == Type::Int { merged.clone() } else { ty }))
}

/// What is one and the other: `json` says nothing, records have the fields of both, and of two that differ the narrower.
fn intersect(a: Type, b: Type) -> Type {
    match (a, b) {
        (Type::Json, other) | (other, Type::Json) => other,
        (Type::Record(a), Type::Record(b)) => {
            let mut fields = a.fields.clone();
            for (name, field) in &b.fields {
                match fields.get_mut(name) {
                    Some(known) => {
                        known.ty = intersect(known.ty.clone(), field.ty.clone());
                        known.optional &= field.optional;
                    }
                    None => {
                        fields.insert(name.clone(), field.clone());
                    }
                }
            }
            Type::record(fields)
        }
        (Type::Map(_), record @ Type::Record(_)) | (record @ Type::Record(_), Type::Map(_)) => record,
        (Type::Union(union), other) | (other, Type::Union(union)) => {
            let fitting: Vec<Type> =
                union.members.iter().filter(|m| m.fits(&other) || other.fits(m)).cloned().collect();
            let narrowed = Type::union(fitting.into_iter().map(|member| intersect(member, other.clone())));
            if narrowed == Type::Never { other } else { narrowed }
        }
        (a, b) if a.fits(&b) => a,
        (_, b) => b,
    }
}

fn record_schema(record: &RecordType, mut definitions: Option<&mut Map<String, Json>>) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, field) in &record.fields {
        let mut schema = field.ty.write(definitions.as_deref_mut());
        if let (Json::Object(schema), false) = (&mut schema, field.doc.is_empty()) {
            schema.insert("description".into(), field.doc.as_str().into());
        }
        properties.insert(name.to_string(), schema);
        if !field.optional {
            required.push(Json::from(name.as_str()));
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn union_schema(members: &[Type], mut definitions: Option<&mut Map<String, Json>>) -> Json {
    let constants: Option<Vec<Json>> = members
        .iter()
        .map(|member| match member {
            Type::Literal(literal) => Some(literal_json(literal)),
            Type::Null => Some(Json::Null),
            _ => None,
        })
        .collect();
    match constants {
        Some(values) => json!({ "enum": values }),
        None => {
            let members = members.iter().map(|member| member.write(definitions.as_deref_mut()));
            json!({ "anyOf": members.collect::<Vec<_>>() })
        }
    }
}

fn literal_json(literal: &Literal) -> Json {
    match literal {
        Literal::String(text) => text.as_str().into(),
        Literal::Int(int) => (*int).into(),
        Literal::Bool(bool) => (*bool).into(),
    }
}

fn titled(mut schema: Json, name: Option<&Text>) -> Json {
    if let (Json::Object(fields), Some(name)) = (&mut schema, name) {
        fields.shift_insert(0, "title".into(), name.as_str().into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(schema: &Json, expected: &str) {
        assert_eq!(Type::from_json_schema(schema).to_string(), expected, "{schema}");
    }

    #[test]
    fn records_with_a_name_are_definitions_where_these_are_wanted() {
        let named = |field: &str| {
            let fields = [(Text::new(field), Field::required(Type::Int))].into_iter().collect();
            Type::Record(Arc::new(RecordType { name: Some("Point".into()), fields }))
        };
        let mut definitions = Map::new();
        let ty = Type::record_of([("a", named("x")), ("b", Type::list(named("x"))), ("c", named("y"))]);
        let schema = ty.to_json_schema_with(&mut definitions);
        assert_eq!(schema["properties"]["a"], json!({ "$ref": "#/$defs/Point" }));
        assert_eq!(schema["properties"]["b"]["items"], json!({ "$ref": "#/$defs/Point" }));
        assert_eq!(
            schema["properties"]["c"]["properties"],
            json!({ "y": { "type": "integer" } }),
            "another of this name"
        );
        assert_eq!(definitions["Point"]["properties"], json!({ "x": { "type": "integer" } }));
    }

    #[test]
    fn what_servers_send_has_a_type() {
        reads(&json!({ "type": ["string", "null"] }), "string?");
        reads(&json!({ "type": "string", "nullable": true }), "string?");
        reads(&json!({ "enum": ["a", "b", 3, null] }), r#""a" | "b" | 3 | null"#);
        reads(&json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] }), "int?");
        reads(&json!({ "type": "number", "multipleOf": 1 }), "int");
        reads(
            &json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer" }] }),
            "list<string | int>",
        );
        reads(&json!({ "type": "object" }), "map<json>");
        reads(&json!({ "type": "object", "additionalProperties": { "type": "integer" } }), "map<int>");
        reads(&json!({ "type": "object", "additionalProperties": false }), "{}");
        reads(&json!({ "type": "string", "format": "date-time" }), "datetime");
        reads(&json!({ "type": "string", "format": "uri" }), "string");
        reads(&json!(true), "json");
        reads(
            &json!({ "properties": { "a": { "type": "string" }, "b": { "type": "integer", "default": 3 } }, "required": ["a", "b"] }),
            "{ a: string, b?: int }",
        );
    }

    #[test]
    fn references_are_followed_and_recursion_is_json() {
        let schema = json!({
            "type": "object",
            "properties": { "node": { "$ref": "#/$defs/Node" } },
            "required": ["node"],
            "$defs": { "Node": {
                "type": "object",
                "properties": { "name": { "type": "string" }, "next": { "$ref": "#/$defs/Node" } },
                "required": ["name"],
            } },
        });
        reads(&schema, "{ node: { name: string, next?: json } }");
    }

    #[test]
    fn what_stands_beside_a_reference_holds_too() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": { "$ref": "#/$defs/Name", "default": "x", "description": "Its own." },
                "b": { "$ref": "#/$defs/Name", "nullable": true },
                "c": { "$ref": "#/$defs/Page", "properties": { "size": { "type": "integer" } } },
                "d": { "$ref": "#/$defs/Alias" },
            },
            "required": ["a", "b", "c", "d"],
            "$defs": {
                "Name": { "type": "string", "description": "A name." },
                "Page": { "type": "object", "properties": { "title": { "type": "string" } }, "required": ["title"] },
                "Alias": { "$ref": "#/$defs/Size" },
                "Size": { "type": "integer", "default": 3, "description": "A size." },
            },
        });
        reads(&schema, "{ a?: string, b: string?, c: { title: string, size?: int }, d?: int }");
        let input =
            json!({ "$ref": "#/$defs/Input", "$defs": { "Input": schema, "Name": {}, "Page": {}, "Alias": {} } });
        let signature = Signature::from_json_schemas("x.y", "", &input, None);
        let told: Vec<_> = signature.params.iter().map(|param| (param.name.as_str(), param.default.clone())).collect();
        assert_eq!(told, [("a", Some(json!("x"))), ("b", None), ("c", None), ("d", None)]);
        let docs = Signature::from_json_schemas("x.y", "", &schema, None).params;
        let docs: Vec<_> = docs.iter().map(|param| (param.doc.as_str(), param.default.clone())).collect();
        assert_eq!(docs, [("Its own.", Some(json!("x"))), ("A name.", None), ("", None), ("A size.", Some(json!(3)))]);
    }

    #[test]
    fn a_union_says_no_more_than_its_widest_members() {
        reads(&json!({ "type": ["integer", "number", "null"] }), "float?");
        reads(
            &json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }, { "type": "number" }] }),
            "float | string",
        );
        reads(&json!({ "anyOf": [{ "type": "integer" }, {}] }), "json");
        reads(&json!({ "oneOf": [{ "type": "array", "items": { "type": ["number", "integer"] } }] }), "list<float>");
    }

    #[test]
    fn what_all_of_and_any_of_stand_beside_holds_too() {
        reads(
            &json!({ "allOf": [
                { "properties": { "a": { "type": "string" } }, "required": ["a"] },
                { "properties": { "b": { "enum": ["x", "y"] } } },
            ] }),
            r#"{ a: string, b?: "x" | "y" }"#,
        );
        reads(
            &json!({ "type": "object", "properties": { "a": { "type": "string" } }, "anyOf": [{ "required": ["a"] }] }),
            "{ a?: string }",
        );
    }

    #[test]
    fn a_type_survives_its_schema() {
        let page = Type::record([
            ("url".into(), Field::required(Type::Url)),
            ("title".into(), Field { doc: "As the page says.".into(), ..Field::optional(Type::String) }),
            ("at".into(), Field::required(Type::Datetime.or_null())),
            ("wait".into(), Field::required(Type::Duration)),
            ("state".into(), Field::required(Type::union([Type::literal("ready"), Type::literal("error")]))),
            ("shots".into(), Field::required(Type::list(Type::Image))),
            ("extra".into(), Field::required(Type::map(Type::Json))),
        ]);
        assert_eq!(Type::from_json_schema(&page.to_json_schema()), page);
        let outcome = Type::outcome(Type::Int);
        assert_eq!(Type::from_json_schema(&outcome.to_json_schema()), outcome);
    }
}
