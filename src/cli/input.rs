//! A flow's parameters as flags, and what was given for them as the run's input.
//!
//! Every parameter has a flag of its name (`--at-once`, also `--at_once`); a list may be given flag by flag, separated
//! by commas, or as JSON; a list's flag may be written in the singular (`--url` for `urls`); records are JSON.
//! `--param NAME=VALUE` reaches a parameter whose name is one of the command's own flags.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value as Json};

use super::files;
use crate::program::{Constant, Expr, Flow, ListItem, Param};
use crate::run::FieldError;
use crate::types::{Literal, Text, Type};
use crate::value::{Value, format_duration};

/// Flags of `flowc run` itself: a parameter of such a name has none.
const TAKEN: [&str; 8] = ["input", "events", "format", "allow-private", "database", "param", "help", "version"];

/// Adds a flag for each of the flow's parameters.
pub(super) fn flags(mut command: Command, flow: &Flow) -> Command {
    for param in &flow.params {
        let kebab = param.name.replace('_', "-");
        if TAKEN.contains(&kebab.as_str()) {
            continue;
        }
        command = command.arg(flag(param, &kebab, flow));
        if bare(&param.ty) == Type::Bool {
            let off = format!("no-{kebab}");
            command = command.arg(
                Arg::new(off.clone())
                    .long(off)
                    .action(ArgAction::SetTrue)
                    .overrides_with(param.name.to_string())
                    .hide(true),
            );
        }
    }
    command
}

fn flag(param: &Param, kebab: &str, flow: &Flow) -> Arg {
    let ty = bare(&param.ty);
    let mut arg = Arg::new(param.name.to_string())
        .long(kebab.to_owned())
        .help(help(param))
        .help_heading(format!("Parameters of {}", flow.name))
        .value_name(value_name(&ty))
        .allow_hyphen_values(true)
        .action(ArgAction::Append);
    if kebab != param.name {
        arg = arg.alias(param.name.to_string());
    }
    if let (Type::List(_), Some(singular)) = (&ty, kebab.strip_suffix('s').filter(|name| name.len() > 2)) {
        let free = |name: &str| {
            !TAKEN.contains(&name) && !flow.params.iter().any(|other| other.name.replace('_', "-") == name)
        };
        if free(singular) {
            arg = arg.alias(singular.to_owned());
        }
    }
    if ty == Type::Bool {
        arg = arg.num_args(0..=1).require_equals(true).default_missing_value("true").allow_hyphen_values(false);
    }
    arg
}

/// What stands for the value in the help: `URL`, `INT`, `JSON`.
fn value_name(ty: &Type) -> String {
    match ty {
        Type::List(of) => value_name(of),
        Type::Int | Type::Float | Type::String | Type::Bool | Type::Url | Type::Datetime | Type::Duration => {
            ty.to_string().to_uppercase()
        }
        Type::Literal(_) => "VALUE".to_owned(),
        Type::Union(union) if union.members.iter().all(|member| matches!(member, Type::Literal(_))) => {
            "VALUE".to_owned()
        }
        _ => "JSON".to_owned(),
    }
}

/// The documentation, the type, and what holds where the flag is left out.
fn help(param: &Param) -> String {
    let default = match &param.default {
        _ if !param.optional => "required".to_owned(),
        Some(default) => default_text(default).map_or_else(|| "optional".to_owned(), |text| format!("default {text}")),
        None => "optional".to_owned(),
    };
    let facts = format!("[{}, {default}]", param.ty);
    let doc = param.doc.trim();
    if doc.is_empty() { facts } else { format!("{doc} {facts}") }
}

/// A default as the language writes it, where it is plain data.
fn default_text(default: &Expr) -> Option<String> {
    match default {
        Expr::Const(Constant(Value::Duration(millis))) => Some(format_duration(*millis)),
        Expr::Const(constant) => Some(constant.0.to_json_text()),
        Expr::Neg(of, _) => Some(format!("-{}", default_text(of)?)),
        Expr::Coerce(of, _) => default_text(of),
        Expr::List(items) => {
            let texts: Option<Vec<String>> = items
                .iter()
                .map(|item| match item {
                    ListItem::Value(value) => default_text(value),
                    ListItem::Spread(_) => None,
                })
                .collect();
            Some(format!("[{}]", texts?.join(", ")))
        }
        _ => None,
    }
}

/// What was given on the command line, on top of the input file.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Fields with their values.
    pub(super) fields: Map<String, Json>,
    /// What could not be read.
    pub(super) errors: Vec<FieldError>,
}

/// Reads the input file: a JSON object.
///
/// # Errors
/// A sentence that says why it cannot be read.
pub(super) fn read_file(path: &Path) -> Result<Map<String, Json>, String> {
    let file = files::read(path)?;
    match serde_json::from_str(file.text()) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(other) => Err(format!("the input in `{}` must be a JSON object, found {}", file.name(), json_kind(&other))),
        Err(why) => Err(format!("the input in `{}` is not JSON: {why}", file.name())),
    }
}

fn json_kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

impl Given {
    /// Takes what the flags gave, and `--param NAME=VALUE`.
    pub(super) fn take(&mut self, flow: &Flow, matches: &ArgMatches, pairs: &[String]) {
        for param in &flow.params {
            let texts = matches.try_get_many::<String>(&param.name).ok().flatten();
            let mut texts: Vec<String> = texts.map(|texts| texts.cloned().collect()).unwrap_or_default();
            let off = format!("no-{}", param.name.replace('_', "-"));
            if matches!(matches.try_get_one::<bool>(&off), Ok(Some(true))) {
                texts = vec!["false".to_owned()];
            }
            for pair in pairs {
                if let Some((_, value)) = pair.split_once('=').filter(|(name, _)| *name == param.name) {
                    texts.push(value.to_owned());
                }
            }
            if !texts.is_empty() {
                self.set(param, &texts);
            }
        }
        for pair in pairs {
            let name = pair.split_once('=').map_or(pair.as_str(), |(name, _)| name);
            if !pair.contains('=') {
                self.refuse(name, "expected `NAME=VALUE`".to_owned());
            } else if !flow.params.iter().any(|param| param.name == name) {
                self.refuse(name, format!("`{}` has no such parameter", flow.name));
            }
        }
    }

    fn set(&mut self, param: &Param, texts: &[String]) {
        let ty = bare(&param.ty);
        let value = match (&ty, texts) {
            (Type::List(of), texts) => list(texts, of),
            (ty, [text]) => read(text, ty),
            (_, _) => Err(format!("given {} times, but it is no list", texts.len())),
        };
        match value {
            Ok(value) => {
                self.fields.insert(param.name.to_string(), value);
            }
            Err(why) => self.refuse(&param.name, why),
        }
    }

    fn refuse(&mut self, field: &str, message: String) {
        self.errors.push(FieldError { field: Text::new(field), message });
    }
}

/// A type as it is given: `T?` is left out or a `T`.
fn bare(ty: &Type) -> Type {
    if *ty == Type::Null { Type::Null } else { ty.without_null() }
}

/// The items of all flags together.
fn list(texts: &[String], of: &Type) -> Result<Json, String> {
    let mut items = Vec::new();
    for text in texts {
        if text.trim_start().starts_with('[') {
            match json(text)? {
                Json::Array(more) => items.extend(more),
                other => items.push(other),
            }
            continue;
        }
        for part in split(text, of) {
            items.push(read(part, of)?);
        }
    }
    Ok(Json::Array(items))
}

/// The parts of `a,b,c`. An address may hold commas of its own: it ends where the next one begins. Records are whole.
fn split<'a>(text: &'a str, of: &Type) -> Vec<&'a str> {
    let mut parts: Vec<&str> = Vec::new();
    match of {
        Type::Url => {
            let mut start = 0;
            for (comma, _) in text.match_indices(',') {
                let rest = text.get(comma + 1..).unwrap_or_default().trim_start();
                if rest.starts_with("http://") || rest.starts_with("https://") {
                    parts.push(text.get(start..comma).unwrap_or_default());
                    start = comma + 1;
                }
            }
            parts.push(text.get(start..).unwrap_or_default());
        }
        Type::Record(_) | Type::Map(_) | Type::List(_) | Type::Json => parts.push(text),
        _ => parts.extend(text.split(',')),
    }
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// A value of a type from its text. What only the engine can judge (is it an address? does the record fit?) is left
/// to it.
fn read(text: &str, ty: &Type) -> Result<Json, String> {
    let refuse = || format!("expected {ty}, found `{text}`");
    match ty {
        Type::Int | Type::Literal(Literal::Int(_)) => {
            text.replace('_', "").parse::<i64>().map(Json::from).map_err(|_| refuse())
        }
        Type::Float => {
            let float = text.replace('_', "").parse::<f64>().ok().filter(|float| float.is_finite());
            float.map(Json::from).ok_or_else(refuse)
        }
        Type::Bool | Type::Literal(Literal::Bool(_)) => text.parse::<bool>().map(Json::from).map_err(|_| refuse()),
        Type::Literal(Literal::String(literal)) => {
            if *literal == text {
                Ok(Json::from(text))
            } else {
                Err(refuse())
            }
        }
        Type::String | Type::Url | Type::Datetime | Type::Duration => Ok(Json::from(text)),
        Type::Json => Ok(json(text).unwrap_or_else(|_| Json::from(text))),
        Type::Union(union) => {
            // What is not just any text is asked first: `3` is an int of `string | int`.
            let (texts, others): (Vec<_>, Vec<_>) = union.members.iter().partition(|member| **member == Type::String);
            others.into_iter().chain(texts).find_map(|member| read(text, member).ok()).ok_or_else(refuse)
        }
        Type::List(of) => list(&[text.to_owned()], of),
        Type::Null if text == "null" => Ok(Json::Null),
        Type::Null => Err(refuse()),
        _ => json(text),
    }
}

fn json(text: &str) -> Result<Json, String> {
    serde_json::from_str(text)
        .map_err(|why| format!("expected JSON, found `{}`: {why}", console::truncate_str(text, 40, "…")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(texts: &[&str], of: &Type) -> Json {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        list(&texts, of).unwrap()
    }

    #[test]
    fn lists_take_flags_commas_and_json() {
        assert_eq!(many(&["1,2", "3"], &Type::Int), serde_json::json!([1, 2, 3]));
        assert_eq!(many(&[r#"["a, b", "c"]"#], &Type::String), serde_json::json!(["a, b", "c"]));
        let urls = many(&["https://a.example/x,y,https://b.example"], &Type::Url);
        assert_eq!(urls, serde_json::json!(["https://a.example/x,y", "https://b.example"]));
    }

    #[test]
    fn a_union_takes_the_first_member_that_fits() {
        let ty = Type::union([Type::String, Type::Int]);
        assert_eq!(read("3", &ty).unwrap(), serde_json::json!(3));
        assert_eq!(read("three", &ty).unwrap(), serde_json::json!("three"));
        let ty = Type::union([Type::literal("a"), Type::literal("b")]);
        assert_eq!(read("c", &ty).unwrap_err(), "expected \"a\" | \"b\", found `c`");
    }
}
