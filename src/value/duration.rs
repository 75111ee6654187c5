//! Durations as text: the language's own spelling.

const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Milliseconds as a literal: the largest unit that divides them (`90s`, `1500ms`, `0s`).
pub fn format_duration(millis: i64) -> String {
    if millis == 0 {
        return "0s".to_owned();
    }
    let (unit, size) = UNITS.into_iter().find(|(_, size)| millis % size == 0).unwrap_or(("ms", 1));
    format!("{}{unit}", millis / size)
}

/// A literal (`500ms`, `20s`, `5m`, `24h`, `7d`), perhaps with a sign, as milliseconds; `None` where it is none or overflows.
pub fn parse_duration(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (_, size) = UNITS.into_iter().find(|(unit, _)| *unit == &text[digits.len()..])?;
    digits.replace('_', "").parse::<i64>().ok()?.checked_mul(size)
}
