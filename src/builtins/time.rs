//! Methods of `datetime` and `duration`.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::builtins::args::{arg, mistyped, string, text};
use crate::builtins::{Callback, Method, Size};
use crate::value::{Fault, Value};

pub(super) const METHODS: &[Method] = &[
    Method {
        id: "datetime.format",
        signature: "datetime.format(pattern: string) -> string",
        doc: "In UTC as the pattern says, which is that of strftime: `%Y-%m-%d`, `%H:%M`, `%A`. Fails with kind `invalid` \
              where the pattern is none.",
        examples: &[r#""2026-01-02T03:04:05Z".to_datetime()?.format("%d.%m.%Y %H:%M") == "02.01.2026 03:04""#],
        bare: false,
        size: Size::Any,
        run: format,
    },
    Method {
        id: "datetime.add",
        signature: "datetime.add(duration: duration) -> datetime",
        doc: "The instant so much later; the same as `+`.",
        examples: &[r#""2026-01-02T03:04:05Z".to_datetime()?.add(1h)?.to_string() == "2026-01-02T04:04:05Z""#],
        bare: false,
        size: Size::Any,
        run: |at, args, _| later(instant(&at)?, millis(arg(args, 0)?)?),
    },
    Method {
        id: "datetime.since",
        signature: "datetime.since(earlier: datetime) -> duration",
        doc: "How long after the other instant it is; negative where it is before. The same as `-`.",
        examples: &[
            r#""2026-01-02T00:00:00Z".to_datetime()?.since("2026-01-01T00:00:00Z".to_datetime() ?? run.started_at) == 1d"#,
        ],
        bare: false,
        size: Size::Any,
        run: |at, args, _| Ok(Value::Duration(between(instant(&at)?, instant(arg(args, 0)?)?))),
    },
    Method {
        id: "datetime.seconds",
        signature: "datetime.seconds -> int",
        doc: "Whole seconds since the beginning of 1970, UTC.",
        examples: &[r#""1970-01-01T00:01:00Z".to_datetime()?.seconds == 60"#],
        bare: true,
        size: Size::Any,
        run: |at, _, _| Ok(Value::Int(instant(&at)?.as_second())),
    },
    Method {
        id: "datetime.to_string",
        signature: "datetime.to_string() -> string",
        doc: "As RFC 3339, in UTC.",
        examples: &[r#""2026-01-02T04:04:05+01:00".to_datetime()?.to_string() == "2026-01-02T03:04:05Z""#],
        bare: false,
        size: Size::Any,
        run: |at, _, _| Ok(at.to_text().into()),
    },
    Method {
        id: "duration.format",
        signature: "duration.format() -> string",
        doc: "As people write it.",
        examples: &[r#"3723s.format() == "1h 2m 3s""#, r#"1500ms.format() == "1.5s""#],
        bare: false,
        size: Size::Any,
        run: |duration, _, _| Ok(spell(millis(&duration)?).into()),
    },
    Method {
        id: "duration.add",
        signature: "duration.add(other: duration) -> duration",
        doc: "Both together; the same as `+`.",
        examples: &["1s.add(500ms) == 1500ms"],
        bare: false,
        size: Size::Any,
        run: |duration, args, _| {
            let sum = millis(&duration)?.checked_add(millis(arg(args, 0)?)?);
            sum.map(Value::Duration).ok_or_else(|| Fault::arithmetic("the result is too large for a duration"))
        },
    },
    Method {
        id: "duration.seconds",
        signature: "duration.seconds -> float",
        doc: "Its length in seconds.",
        examples: &["1500ms.seconds == 1.5"],
        bare: true,
        size: Size::Any,
        run: |duration, _, _| Ok(Value::Float(millis(&duration)? as f64 / 1000.0)),
    },
    Method {
        id: "duration.to_string",
        signature: "duration.to_string() -> string",
        doc: "As the language writes it, in the largest unit that divides it.",
        examples: &[r#"120s.to_string() == "2m""#],
        bare: false,
        size: Size::Any,
        run: |duration, _, _| Ok(duration.to_text().into()),
    },
];

/// An instant so many milliseconds later.
pub(crate) fn later(at: Timestamp, millis: i64) -> Result<Value, Box<Fault>> {
    at.checked_add(SignedDuration::from_millis(millis))
        .map(Value::Datetime)
        .map_err(|_| Fault::arithmetic("the result is not an instant that can be written"))
}

/// Milliseconds from one instant to another.
pub(crate) fn between(at: Timestamp, earlier: Timestamp) -> i64 {
    // Instants span some 20,000 years: 6.3e14 milliseconds.
    at.as_millisecond() - earlier.as_millisecond()
}

fn instant(value: &Value) -> Result<Timestamp, Box<Fault>> {
    if let Value::Datetime(at) = value { Ok(*at) } else { Err(mistyped(value)) }
}

fn millis(value: &Value) -> Result<i64, Box<Fault>> {
    if let Value::Duration(millis) = value { Ok(*millis) } else { Err(mistyped(value)) }
}

fn format(at: Value, args: &[Value], cx: &mut dyn Callback) -> Result<Value, Box<Fault>> {
    let pattern = text(arg(args, 0)?)?;
    cx.spend(pattern.len())?;
    let told = strtime::format(pattern, &instant(&at)?.to_zoned(TimeZone::UTC));
    string(told.map_err(|error| Fault::invalid(format!("`{pattern}` is not a pattern for a date: {error}")))?, cx)
}

/// `1h 2m 3s`; a fraction only of seconds.
fn spell(millis: i64) -> String {
    const UNITS: [(&str, u64); 3] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)];
    let mut left = millis.unsigned_abs();
    let mut parts = Vec::new();
    for (unit, size) in UNITS {
        if left >= size {
            parts.push(format!("{}{unit}", left / size));
            left %= size;
        }
    }
    if left > 0 || parts.is_empty() {
        parts.push(format!("{}s", left as f64 / 1000.0));
    }
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}", parts.join(" "))
}
