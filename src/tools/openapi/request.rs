//! A call of an operation as a request, its arguments where the document puts them.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value as Json};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::run::ToolError;
use crate::tools::args::invalid;
use crate::tools::http::Request;
use crate::tools::openapi::operation::{BODY, FORM, Operation, Place, Within, is_json};

/// The request of a call.
///
/// # Errors
/// `invalid`, undelivered: an argument that its place cannot hold.
pub(super) fn build(operation: &Operation, base: &Url, arguments: &Map<String, Json>) -> Result<Request, ToolError> {
    let mut url = base.clone();
    let mut path = operation.path.clone();
    let (mut headers, mut cookies) = (HeaderMap::new(), Vec::new());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
    for place in &operation.places {
        let Some(value) = arguments.get(&place.argument).filter(|value| !value.is_null()) else { continue };
        match place.within {
            Within::Path => {
                let text = segment(&joined(place, value, ","));
                if text.is_empty() || text == "." || text == ".." {
                    return Err(invalid(format!("`{}` cannot stand in a path: `{text}`", place.argument)));
                }
                path = path.replace(&format!("{{{}}}", place.name), &text);
            }
            Within::Query => drop(url.query_pairs_mut().extend_pairs(pairs(place, value))),
            Within::Header => {
                let name = HeaderName::from_bytes(place.name.as_bytes());
                let value = HeaderValue::from_str(&joined(place, value, ","));
                let (Ok(name), Ok(value)) = (name, value) else {
                    return Err(invalid(format!("`{}` holds a character that no header may", place.argument)));
                };
                headers.insert(name, value);
            }
            Within::Cookie => {
                cookies.extend(pairs(place, value).into_iter().map(|(name, value)| format!("{name}={value}")));
            }
        }
    }
    if !cookies.is_empty() {
        let cookie = HeaderValue::from_str(&cookies.join("; "));
        headers.insert(COOKIE, cookie.map_err(|_| invalid("a cookie holds a character that no header may"))?);
    }
    let all = format!("{}/{}", base.path().trim_end_matches('/'), path.trim_start_matches('/'));
    url.set_path(&all);
    let body = match (&operation.body, arguments.get(BODY).filter(|body| !body.is_null())) {
        (Some(media), Some(body)) => Some(encode(media, body, &mut headers)?),
        _ => None,
    };
    let method = Method::from_bytes(operation.method.as_bytes()).unwrap_or(Method::GET);
    Ok(Request { method, url, headers, body, timeout: None })
}

/// A value in one piece: lists joined, records as `name,value` or `name=value`.
fn joined(place: &Place, value: &Json, by: &str) -> String {
    match value {
        _ if place.json => value.to_string(),
        Json::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(by),
        Json::Object(fields) => {
            let between = if place.explode { "=" } else { by };
            fields.iter().map(|(name, value)| format!("{name}{between}{}", text(value))).collect::<Vec<_>>().join(by)
        }
        value => text(value),
    }
}

/// A value as the pairs of a query (OpenAPI 3.1, section 4.8.12.4).
fn pairs(place: &Place, value: &Json) -> Vec<(String, String)> {
    let name = &place.name;
    match value {
        _ if place.json => vec![(name.clone(), value.to_string())],
        Json::Object(fields) if place.style == "deepObject" => {
            fields.iter().map(|(field, value)| (format!("{name}[{field}]"), text(value))).collect()
        }
        Json::Object(fields) if place.explode => {
            fields.iter().map(|(field, value)| (field.clone(), text(value))).collect()
        }
        Json::Array(items) if place.explode => items.iter().map(|item| (name.clone(), text(item))).collect(),
        value => {
            let by = match place.style.as_str() {
                "spaceDelimited" => " ",
                "pipeDelimited" => "|",
                _ => ",",
            };
            vec![(name.clone(), joined(place, value, by))]
        }
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

/// A segment of a path: what would end it is escaped.
fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' | b'=' | b'@' | b':' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn encode(media: &str, body: &Json, headers: &mut HeaderMap) -> Result<Bytes, ToolError> {
    let kind = HeaderValue::from_str(media).map_err(|_| invalid(format!("`{media}` is no media type")))?;
    headers.insert(CONTENT_TYPE, kind);
    let (essence, fields) = (media.split(';').next().unwrap_or_default().trim(), body.as_object());
    match (essence, fields, body) {
        _ if is_json(media) => Ok(Bytes::from(body.to_string())),
        (FORM, Some(fields), _) => {
            let mut form = Serializer::new(String::new());
            for (name, value) in fields {
                match value {
                    Json::Null => {}
                    Json::Array(items) => drop(form.extend_pairs(items.iter().map(|item| (name, text(item))))),
                    value => drop(form.append_pair(name, &text(value))),
                }
            }
            Ok(Bytes::from(form.finish()))
        }
        (_, _, Json::String(text)) => Ok(Bytes::from(text.clone())),
        _ => Err(invalid(format!("`{BODY}` is sent as `{media}`: it must be a string"))),
    }
}
