//! Methods of `string`. Lengths and positions count characters (Unicode scalar values).

use std::borrow::Cow;
use std::cell::RefCell;

use indexmap::IndexMap;
use regex::{Regex, RegexBuilder};
use rustc_hash::FxBuildHasher;

use crate::builtins::args::{Outcome, arg, bounds, count, given, list, string, text};
use crate::builtins::{Callback, Method, Size, parse_datetime, parse_url};
use crate::types::Text;
use crate::value::{Fault, Value};

pub(super) const METHODS: &[Method] = &[
    Method {
        id: "string.length",
        signature: "string.length -> int",
        doc: "How many characters it has.",
        examples: &[r#""naïve".length == 5"#],
        bare: true,
        size: Size::Any,
        run: |text, _, _| Ok(Value::Int(length(self::text(&text)?) as i64)),
    },
    Method {
        id: "string.lower",
        signature: "string.lower() -> string",
        doc: "In lower case.",
        examples: &[r#""Ready".lower() == "ready""#],
        bare: false,
        size: Size::Any,
        run: |text, _, cx| string(self::text(&text)?.to_lowercase(), cx),
    },
    Method {
        id: "string.upper",
        signature: "string.upper() -> string",
        doc: "In upper case.",
        examples: &[r#""Ready".upper() == "READY""#],
        bare: false,
        size: Size::Any,
        run: |text, _, cx| string(self::text(&text)?.to_uppercase(), cx),
    },
    Method {
        id: "string.trim",
        signature: "string.trim() -> string",
        doc: "Without white space at both ends.",
        examples: &[r#""  a b\n".trim() == "a b""#],
        bare: false,
        size: Size::Any,
        run: |text, _, _| Ok(cut(&text, self::text(&text)?.trim())),
    },
    Method {
        id: "string.split",
        signature: "string.split(separator: string) -> list<string>",
        doc: "The parts between the separators; an empty separator gives the characters.",
        examples: &[r#""a,b,,c".split(",") == ["a", "b", "", "c"]"#, r#""añ".split("") == ["a", "ñ"]"#],
        bare: false,
        size: Size::Any,
        run: split,
    },
    Method {
        id: "string.replace",
        signature: "string.replace(from: string, to: string) -> string",
        doc: "With every occurrence of `from` replaced by `to`. An empty `from` changes nothing.",
        examples: &[r#""a b c".replace(" ", "-") == "a-b-c""#],
        bare: false,
        size: Size::Any,
        run: replace,
    },
    Method {
        id: "string.contains",
        signature: "string.contains(part: string) -> bool",
        doc: "Whether the part occurs in it.",
        examples: &[r#""error: no".contains("error") == true"#, r#""abc".contains("d") == false"#],
        bare: false,
        size: Size::Any,
        run: |text, args, _| Ok(Value::Bool(self::text(&text)?.contains(self::text(arg(args, 0)?)?))),
    },
    Method {
        id: "string.starts_with",
        signature: "string.starts_with(prefix: string) -> bool",
        doc: "Whether it begins so.",
        examples: &[r#""abc".starts_with("ab") == true"#],
        bare: false,
        size: Size::Any,
        run: |text, args, _| Ok(Value::Bool(self::text(&text)?.starts_with(self::text(arg(args, 0)?)?))),
    },
    Method {
        id: "string.ends_with",
        signature: "string.ends_with(suffix: string) -> bool",
        doc: "Whether it ends so.",
        examples: &[r#""abc".ends_with("bc") == true"#],
        bare: false,
        size: Size::Any,
        run: |text, args, _| Ok(Value::Bool(self::text(&text)?.ends_with(self::text(arg(args, 0)?)?))),
    },
    Method {
        id: "string.slice",
        signature: "string.slice(start: int, end?: int) -> string",
        doc: "The characters from `start` up to, without, `end`. Negative positions count from the end; those out of \
              range are drawn in.",
        examples: &[r#""abcde".slice(1, 3) == "bc""#, r#""abcde".slice(-2) == "de""#, r#""abc".slice(5) == """#],
        bare: false,
        size: Size::Any,
        run: slice,
    },
    Method {
        id: "string.lines",
        signature: "string.lines() -> list<string>",
        doc: "Its lines, without the line breaks; a line break at the end adds no empty line.",
        examples: &[r#""a\nb\n".lines() == ["a", "b"]"#],
        bare: false,
        size: Size::Any,
        run: |text, _, cx| collect(&text, self::text(&text)?.lines(), cx),
    },
    Method {
        id: "string.words",
        signature: "string.words() -> list<string>",
        doc: "What stands between its white space.",
        examples: &[r#""  two words ".words() == ["two", "words"]"#],
        bare: false,
        size: Size::Any,
        run: |text, _, cx| collect(&text, self::text(&text)?.split_whitespace(), cx),
    },
    Method {
        id: "string.matches",
        signature: "string.matches(pattern: string) -> bool",
        doc: "Whether the regular expression is found in it; `^` and `$` tie it to the ends. Fails with kind `invalid` \
              where the pattern is none. The syntax is that of the Rust crate `regex`: no look-around, no \
              back-references, so a match always takes time in proportion to the text.",
        examples: &[r#""v1.20".matches('^v\d+\.\d+$') == true"#, r#""abc".matches("^b") == false"#],
        bare: false,
        size: Size::Any,
        run: |text, args, cx| {
            let text = self::text(&text)?;
            cx.spend(text.len() / 16)?;
            with_regex(self::text(arg(args, 0)?)?, |regex| Value::Bool(regex.is_match(text)))
        },
    },
    Method {
        id: "string.capture",
        signature: "string.capture(pattern: string) -> list<string?>?",
        doc: "The groups of the first match of the regular expression: the whole match first, null for a group that took \
              no part. Null where there is no match.",
        examples: &[
            r#""v1.20".capture('v(\d+)\.(\d+)') == ["v1.20", "1", "20"]"#,
            r#""abc".capture("x") == null"#,
            r#""a".capture("(a)|(b)") == ["a", "a", null]"#,
        ],
        bare: false,
        size: Size::Any,
        run: capture,
    },
    Method {
        id: "string.pad",
        signature: r#"string.pad(width: int, fill?: string, side?: "start" | "end") -> string"#,
        doc: "Filled up to a width in characters: with spaces unless `fill` says otherwise, at the end unless `side` is \
              `\"start\"`. A longer text stays as it is.",
        examples: &[r#""ab".pad(4) == "ab  ""#, r#""7".pad(3, "0", "start") == "007""#, r#""abc".pad(2) == "abc""#],
        bare: false,
        size: Size::Any,
        run: pad,
    },
    Method {
        id: "string.repeat",
        signature: "string.repeat(count: int) -> string",
        doc: "So many times one after the other.",
        examples: &[r#""ab".repeat(3) == "ababab""#, r#""ab".repeat(0) == """#],
        bare: false,
        size: Size::Any,
        run: repeat,
    },
    Method {
        id: "string.to_int",
        signature: "string.to_int() -> int?",
        doc: "The int it writes in decimal, perhaps with a sign and white space around it; null where it writes none.",
        examples: &[r#"" 42 ".to_int() == 42"#, r#""4.2".to_int() == null"#],
        bare: false,
        size: Size::Any,
        run: |text, _, _| Ok(self::text(&text)?.trim().parse::<i64>().ok().into()),
    },
    Method {
        id: "string.to_float",
        signature: "string.to_float() -> float?",
        doc: "The number it writes in decimal, perhaps with an exponent; null where it writes none.",
        examples: &[r#""4.5".to_float() == 4.5"#, r#""1e3".to_float() == 1000.0"#, r#""inf".to_float() == null"#],
        bare: false,
        size: Size::Any,
        run: |text, _, _| {
            let text = self::text(&text)?.trim();
            let number = text.parse::<f64>().ok().filter(|float| float.is_finite() && !text.contains(['n', 'N']));
            Ok(number.map_or(Value::Null, Value::Float))
        },
    },
    Method {
        id: "string.to_datetime",
        signature: "string.to_datetime() -> datetime?",
        doc: "The instant it writes as RFC 3339; null where it writes none.",
        examples: &[
            r#""2026-01-02T03:04:05Z".to_datetime()?.seconds == 1767323045"#,
            r#""yesterday".to_datetime() == null"#,
        ],
        bare: false,
        size: Size::Any,
        run: |text, _, _| Ok(parse_datetime(self::text(&text)?).map_or(Value::Null, Value::Datetime)),
    },
    Method {
        id: "string.to_url",
        signature: "string.to_url() -> url?",
        doc: "The absolute http(s) address it writes; null where it writes none.",
        examples: &[r#""https://example.com/a".to_url()?.host == "example.com""#, r#""example.com".to_url() == null"#],
        bare: false,
        size: Size::Any,
        run: |text, _, _| {
            let text = self::text(&text)?.trim();
            Ok(if parse_url(text).is_some() { Value::string(text) } else { Value::Null })
        },
    },
    Method {
        id: "string.parse_json",
        signature: "string.parse_json() -> json",
        doc: "The JSON value it writes. Fails with kind `invalid` where it is not JSON.",
        examples: &[r#"'{"a": [1, 2]}'.parse_json().a[1] == 2"#],
        bare: false,
        size: Size::Any,
        run: parse_json,
    },
    Method {
        id: "string.url_encode",
        signature: "string.url_encode() -> string",
        doc: "As it may stand inside an address: every byte but letters, digits and `-_.~` as `%XX`.",
        examples: &[r#""a b&ü".url_encode() == "a%20b%26%C3%BC""#],
        bare: false,
        size: Size::Any,
        run: url_encode,
    },
    Method {
        id: "string.to_string",
        signature: "string.to_string() -> string",
        doc: "Itself; a `url` becomes its text.",
        examples: &[r#""a".to_string() == "a""#],
        bare: false,
        size: Size::Any,
        run: |text, _, _| Ok(text),
    },
];

fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// A part of a text: the text itself where it is the whole.
fn cut(whole: &Value, part: &str) -> Value {
    match whole {
        Value::String(text) if text.len() == part.len() => Value::String(text.clone()),
        _ => Value::string(part),
    }
}

fn collect<'a>(whole: &Value, parts: impl Iterator<Item = &'a str>, cx: &mut dyn Callback) -> Outcome {
    cx.spend(whole.as_str().map_or(0, str::len) / 8)?;
    list(parts.map(Value::from).collect(), cx)
}

fn split(whole: Value, args: &[Value], cx: &mut dyn Callback) -> Outcome {
    let text = text(&whole)?;
    match self::text(arg(args, 0)?)? {
        "" => {
            cx.spend(text.len())?;
            list(text.chars().map(|c| Value::String(Text::from_iter([c]))).collect(), cx)
        }
        separator => collect(&whole, text.split(separator), cx),
    }
}

fn replace(whole: Value, args: &[Value], cx: &mut dyn Callback) -> Outcome {
    let (text, from, to) = (text(&whole)?, text(arg(args, 0)?)?, text(arg(args, 1)?)?);
    cx.spend(text.len() / 16)?;
    if from.is_empty() || !text.contains(from) {
        return Ok(whole);
    }
    if to.len() > from.len() {
        let grown = text.matches(from).count().saturating_mul(to.len() - from.len()).saturating_add(text.len());
        cx.room(grown)?;
    }
    string(text.replace(from, to), cx)
}

fn slice(whole: Value, args: &[Value], _: &mut dyn Callback) -> Outcome {
    let text = text(&whole)?;
    let (start, end) = bounds(args, length(text))?;
    let part = if text.is_ascii() {
        text.get(start..end)
    } else {
        let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let from = ends.clone().nth(start).unwrap_or(text.len());
        let to = ends.nth(end).unwrap_or(text.len());
        text.get(from..to)
    };
    Ok(cut(&whole, part.unwrap_or_default()))
}

fn capture(whole: Value, args: &[Value], cx: &mut dyn Callback) -> Outcome {
    let text = text(&whole)?;
    cx.spend(text.len() / 16)?;
    with_regex(self::text(arg(args, 0)?)?, |regex| match regex.captures(text) {
        None => Value::Null,
        Some(groups) => Value::list(groups.iter().map(|group| group.map(|group| group.as_str()).into())),
    })
}

fn pad(whole: Value, args: &[Value], cx: &mut dyn Callback) -> Outcome {
    let content = text(&whole)?;
    let width = count(arg(args, 0)?)?;
    let fill = given(args, 1).map_or(Ok(" "), text)?;
    let at_start = given(args, 2).map_or(Ok("end"), text)? == "start";
    let lacking = width.saturating_sub(length(content));
    if lacking == 0 || fill.is_empty() {
        return Ok(whole);
    }
    cx.room(lacking.saturating_add(content.len()))?;
    cx.spend(lacking / 8)?;
    let filling: String = fill.chars().cycle().take(lacking).collect();
    string(if at_start { filling + content } else { content.to_owned() + filling.as_str() }, cx)
}

fn repeat(whole: Value, args: &[Value], cx: &mut dyn Callback) -> Outcome {
    let text = text(&whole)?;
    let times = count(arg(args, 0)?)?;
    if text.is_empty() || times == 1 {
        return Ok(whole);
    }
    let length = text.len().saturating_mul(times);
    cx.room(length)?;
    cx.spend(length / 16)?;
    string(text.repeat(times), cx)
}

fn parse_json(whole: Value, _: &[Value], cx: &mut dyn Callback) -> Outcome {
    let text = text(&whole)?;
    cx.spend(text.len() / 8)?;
    serde_json::from_str::<serde_json::Value>(text)
        .map(Value::from)
        .map_err(|error| Fault::invalid(format!("the text is not JSON: {error}")))
}

fn url_encode(whole: Value, _: &[Value], cx: &mut dyn Callback) -> Outcome {
    let text = text(&whole)?;
    cx.room(text.len())?;
    let mut encoded = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for half in [byte >> 4, byte & 15] {
                encoded.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    string(encoded, cx)
}

/// How many compiled patterns a thread keeps.
const KEPT_PATTERNS: usize = 64;
/// How large a compiled pattern may get, in bytes.
const PATTERN_SIZE: usize = 1 << 20;

thread_local! {
    static PATTERNS: RefCell<IndexMap<Text, Regex, FxBuildHasher>> = RefCell::default();
}

/// Runs a pattern, compiled once per thread and text.
fn with_regex(pattern: &str, run: impl FnOnce(&Regex) -> Value) -> Outcome {
    PATTERNS.with_borrow_mut(|known| {
        if let Some(regex) = known.get(pattern) {
            return Ok(run(regex));
        }
        let regex = RegexBuilder::new(pattern)
            .size_limit(PATTERN_SIZE)
            .build()
            .map_err(|error| not_a_pattern(pattern, &error))?;
        if known.len() >= KEPT_PATTERNS {
            known.shift_remove_index(0);
        }
        let result = run(&regex);
        known.insert(pattern.into(), regex);
        Ok(result)
    })
}

fn not_a_pattern(pattern: &str, error: &regex::Error) -> Box<Fault> {
    // The crate's own message draws the pattern over several lines; its last line says what is wrong.
    let told = error.to_string();
    let why: Cow<'_, str> = match told.lines().last() {
        Some(line) => line.trim_start_matches("error: ").into(),
        None => "it cannot be read".into(),
    };
    Fault::invalid(format!("`{pattern}` is not a regular expression: {why}"))
}
