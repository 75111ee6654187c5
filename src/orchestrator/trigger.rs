//! A `@trigger` pattern, read against what a person wrote.
//!
//! A pattern is matched as a whole, whatever the case and the spaces; politeness around it and a mark at the end are
//! passed over. A placeholder takes what its parameter's type can be: `{url}` takes one word, `{urls}` several parted by
//! commas, spaces or `and`, `{name}` any text, `{state}` one of the literals.

use regex::{Regex, RegexBuilder};

use crate::program::Param;
use crate::types::{Literal, Text, Type};
use crate::value::Value;

/// A pattern that was met, and what its placeholders stand for.
pub(super) struct Met {
    /// Values by parameter, in the pattern's order.
    pub(super) values: Vec<(Text, Value)>,
}

/// What a request is to a pattern.
pub(super) enum Meeting {
    /// The pattern's words are not there.
    Apart,
    /// The words are there, but a placeholder's text is not what its parameter wants: the reason.
    Unfit(String),
    /// It fits.
    Met(Met),
}

/// How many characters of a pattern are words, not placeholders: the more, the more a match of it says.
pub(super) fn weight(pattern: &str) -> usize {
    parts(pattern).map(|part| if let Part::Words(words) = part { words.trim().len() } else { 0 }).sum()
}

/// Reads a request against a pattern.
pub(super) fn meet(pattern: &str, params: &[Param], request: &str) -> Meeting {
    let param = |name: &str| params.iter().find(|param| param.name == name);
    let mut names = Vec::new();
    let mut expression = String::from(r"^\s*(?:(?:please|hey|hi|can you|could you|would you)[\s,]+)*");
    for part in parts(pattern) {
        match part {
            Part::Words(words) => push_words(&mut expression, words),
            Part::Hole(name) => {
                let Some(param) = param(name) else { return Meeting::Apart };
                expression.push_str(&format!("({})", shape(&param.ty)));
                names.push(param);
            }
        }
    }
    expression.push_str(r"(?:[\s,]+please)?[\s?!.]*$");
    let Ok(expression) = RegexBuilder::new(&expression).case_insensitive(true).dot_matches_new_line(true).build()
    else {
        return Meeting::Apart;
    };
    let Some(found) = expression.captures(request) else { return Meeting::Apart };
    let mut values = Vec::with_capacity(names.len());
    for (at, param) in names.into_iter().enumerate() {
        let text = found.get(at + 1).map_or("", |text| text.as_str());
        match read(text, &param.ty) {
            Some(value) => values.push((param.name.clone(), value)),
            None => return Meeting::Unfit(format!("`{}` would be {text:?}, which is no {}", param.name, param.ty)),
        }
    }
    Meeting::Met(Met { values })
}

enum Part<'a> {
    Words(&'a str),
    Hole(&'a str),
}

fn parts(pattern: &str) -> impl Iterator<Item = Part<'_>> {
    pattern.split('{').enumerate().flat_map(|(at, piece)| {
        let (hole, words) = if at == 0 {
            (None, piece)
        } else {
            piece.split_once('}').map_or((None, piece), |(hole, words)| (Some(hole), words))
        };
        [hole.map(Part::Hole), Some(Part::Words(words))].into_iter().flatten()
    })
}

/// Words as an expression: any white space where they have some.
fn push_words(expression: &mut String, words: &str) {
    let mut pending = words.starts_with(char::is_whitespace);
    for word in words.split_whitespace() {
        if pending {
            expression.push_str(r"\s+");
        }
        expression.push_str(&regex::escape(word));
        pending = true;
    }
    if words.ends_with(char::is_whitespace) && !words.trim().is_empty() {
        expression.push_str(r"\s+");
    }
}

/// What the text of a type may look like.
fn shape(ty: &Type) -> &'static str {
    match ty.without_null() {
        Type::Url | Type::Datetime | Type::Int | Type::Float | Type::Bool | Type::Duration => r"\S+?",
        _ => r".+?",
    }
}

/// The value of a type that a text says, as a person writes it; none where it says none.
pub fn read(text: &str, ty: &Type) -> Option<Value> {
    let text = text.trim().trim_matches(['"', '\'', '`', '<', '>', '“', '”']);
    let ty = ty.without_null();
    match &ty {
        Type::String => Some(text.into()),
        Type::Url => url(text).map(Value::from),
        Type::Int => text.replace(['_', ','], "").parse().ok().map(Value::Int),
        Type::Float => text.replace('_', "").parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float),
        Type::Bool => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true.into()),
            "false" | "no" | "off" => Some(false.into()),
            _ => None,
        },
        Type::Literal(Literal::String(literal)) => {
            literal.eq_ignore_ascii_case(text).then(|| Value::String(literal.clone()))
        }
        Type::List(of) => items(text, of).map(|text| read(text, of)).collect::<Option<Vec<_>>>().map(Value::list),
        Type::Union(union) => union.members.iter().find_map(|member| read(text, member)),
        other => Value::from(text).conform(other).ok(),
    }
}

/// The items of a list: parted by commas, `and`, and, where no item holds a space, by spaces.
fn items<'a>(text: &'a str, of: &Type) -> impl Iterator<Item = &'a str> {
    static WORDS: std::sync::LazyLock<Option<Regex>> =
        std::sync::LazyLock::new(|| Regex::new(r"(?i)\s*,\s*(?:and\s+)?|\s+(?:and|vs\.?|with|&)\s+|\s+").ok());
    static TEXTS: std::sync::LazyLock<Option<Regex>> =
        std::sync::LazyLock::new(|| Regex::new(r"(?i)\s*,\s*(?:and\s+)?|\s+and\s+").ok());
    let parted = if *of == Type::String { &TEXTS } else { &WORDS };
    let split = parted.as_ref().map(|parted| parted.split(text));
    split.into_iter().flatten().filter(|item| !item.is_empty())
}

/// An address as people write it: `https://` may be left out.
fn url(text: &str) -> Option<String> {
    let text = text.trim_end_matches([',', ';', ')']);
    if crate::value::parse_url(text).is_some() {
        return Some(text.to_owned());
    }
    let host = text.split(['/', ':', '?']).next().unwrap_or_default();
    let named = host.contains('.') && host.split('.').all(|label| !label.is_empty()) && !text.contains("://");
    let full = format!("https://{text}");
    (named && crate::value::parse_url(&full).is_some()).then_some(full)
}
