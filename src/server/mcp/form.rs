//! A question as a form that clients can show: an object of texts, numbers, choices and switches (MCP 2025-11-25,
//! client/elicitation, section "Requested Schema").

use rmcp::model::{ElicitationSchema, PrimitiveSchemaDefinition};
use serde_json::{Map, Value as Json, json};

use crate::run::{Request, RequestKind};
use crate::types::Type;
use crate::value::Value;

/// The field of an answer that is no record.
const FIELD: &str = "answer";
/// The field of a yes or no.
const APPROVED: &str = "approved";

/// A form, and how its answer is read.
pub(super) struct Form {
    pub(super) schema: ElicitationSchema,
    /// The field that is the answer; none where all of them are.
    only: Option<&'static str>,
}

impl Form {
    /// The form for what is wanted.
    ///
    /// # Errors
    /// A sentence that says which part of it no form shows.
    pub(super) fn of(request: &Request) -> Result<Self, String> {
        let schema = request.schema();
        let only = match &request.wanted {
            Type::Record(_) => None,
            _ if request.kind == RequestKind::Approval => Some(APPROVED),
            _ => Some(FIELD),
        };
        let mut required = Vec::new();
        let mut fields = Map::new();
        let properties = match (only, schema) {
            (Some(name), schema) => Map::from_iter([(name.to_owned(), schema)]),
            (None, mut schema) => match schema.get_mut("properties").map(Json::take) {
                Some(Json::Object(properties)) => properties,
                _ => Map::new(),
            },
        };
        for (name, property) in properties {
            let open = match (&request.wanted, only) {
                (Type::Record(record), None) => {
                    record.fields.get(name.as_str()).is_none_or(|field| field.optional || field.ty.allows_null())
                }
                (wanted, _) => wanted.allows_null(),
            };
            if !open && property.get("default").is_none() {
                required.push(name.clone());
            }
            let field = shown(property);
            if serde_json::from_value::<PrimitiveSchemaDefinition>(field.clone()).is_err() {
                return Err(format!(
                    "an MCP client's form has no field for `{name}`: texts, numbers, bools, choices and lists of choices are \
                     what it asks for"
                ));
            }
            fields.insert(name, field);
        }
        let object = json!({ "type": "object", "properties": fields, "required": required });
        let schema = serde_json::from_value(object).map_err(|why| format!("this cannot be asked by a form: {why}"))?;
        Ok(Self { schema, only })
    }

    /// The answer in what the client sends.
    pub(super) fn answer(&self, content: Json) -> Value {
        match self.only {
            Some(name) => content.get(name).cloned().unwrap_or(Json::Null).into(),
            None => content.into(),
        }
    }
}

/// A field's schema in the words that forms know.
fn shown(schema: Json) -> Json {
    let Json::Object(mut field) = schema else { return schema };
    // What may be left out says so by not being required.
    if let Some(Json::Array(parts)) = field.get("anyOf").cloned()
        && !field.contains_key("type")
    {
        let mut parts = parts.into_iter().filter(|part| part.get("type") != Some(&json!("null")));
        if let (Some(Json::Object(mut only)), None) = (parts.next(), parts.next()) {
            field.shift_remove("anyOf");
            only.extend(field);
            field = only;
        }
    }
    if let Some(constant) = field.shift_remove("const") {
        field.insert("enum".into(), json!([constant]));
    }
    if let Some(Json::Array(values)) = field.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if field.contains_key("enum") || field.contains_key("oneOf") {
        field.entry("type").or_insert("string".into());
    }
    if field.get("type") == Some(&json!("array"))
        && let Some(items) = field.get_mut("items")
    {
        let shown = shown(items.take());
        *items = shown;
    }
    field.shift_remove("pattern");
    let known = ["email", "uri", "date", "date-time"];
    if !field.get("format").and_then(Json::as_str).is_some_and(|format| known.contains(&format)) {
        field.shift_remove("format");
    }
    field.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Field;

    fn request(wanted: Type, form: Json) -> Request {
        Request { form: form.into(), ..Request::new(RequestKind::Answer, "?", wanted) }
    }

    fn properties(wanted: Type, form: Json) -> Json {
        let form = Form::of(&request(wanted, form)).expect("a form");
        serde_json::to_value(form.schema).expect("JSON")
    }

    #[test]
    fn types_are_forms() {
        let colours = || Type::union(["red", "blue"].map(Type::literal));
        let wanted = Type::record([
            ("name".into(), Field::required(Type::String)),
            ("site".into(), Field::optional(Type::Url)),
            ("age".into(), Field::required(Type::Int.or_null())),
            ("colour".into(), Field::required(colours().or_null())),
            ("many".into(), Field::required(Type::list(colours()))),
            ("sure".into(), Field::required(Type::Bool)),
        ]);
        let form = json!({ "name": { "default": "Ada", "title": "Your name" }, "nobody": { "title": "?" } });
        let schema = properties(wanted, form);
        assert_eq!(schema["required"], json!(["many", "sure"]));
        let fields = &schema["properties"];
        assert_eq!(fields["name"], json!({ "type": "string", "title": "Your name", "default": "Ada" }));
        assert_eq!(fields["site"], json!({ "type": "string", "format": "uri" }));
        assert_eq!(fields["age"], json!({ "type": "integer" }));
        assert_eq!(fields["colour"], json!({ "type": "string", "enum": ["red", "blue"] }));
        assert_eq!(fields["many"], json!({ "type": "array", "items": { "type": "string", "enum": ["red", "blue"] } }));
        assert_eq!(fields["sure"], json!({ "type": "boolean" }));
    }

    #[test]
    fn an_answer_that_is_no_record_has_a_field() {
        let asked = request(Type::Int, json!({ "default": 3 }));
        let form = Form::of(&asked).expect("a form");
        assert_eq!(form.answer(json!({ "answer": 4 })), Value::Int(4));
        let approval = Request { kind: RequestKind::Approval, ..request(Type::Bool, Json::Null) };
        let form = Form::of(&approval).expect("a form");
        assert_eq!(form.answer(json!({ "approved": true })), Value::Bool(true));
        assert_eq!(form.schema.required, Some(vec!["approved".to_owned()]));
    }

    #[test]
    fn what_no_form_shows_is_told() {
        let nested = Type::record_of([("where", Type::record_of([("city", Type::String)]))]);
        let why = Form::of(&request(nested, Json::Null)).err().expect("no form");
        assert!(why.contains("`where`"), "{why}");
        assert!(Form::of(&request(Type::Json, Json::Null)).is_err());
    }
}
