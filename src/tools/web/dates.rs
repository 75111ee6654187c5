//! Dates as pages write them for machines.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// An instant from RFC 3339, ISO 8601 without an offset, a bare date (both taken as UTC) or RFC 2822; none from
/// anything else: dates in prose are not guessed at.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let utc = |at: DateTime| TimeZone::UTC.to_timestamp(at).ok();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    if let Ok(date) = text.parse::<Date>()
        && !text.contains([':', 'T'])
    {
        return utc(date.at(0, 0, 0, 0));
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return utc(at);
    }
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok().or_else(|| short_offset(text))
}

/// `2026-03-01T10:00:00+0100`, which RFC 3339 writes with a colon.
fn short_offset(text: &str) -> Option<Timestamp> {
    ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%dT%H:%M%z"]
        .iter()
        .find_map(|format| Timestamp::strptime(format, text).ok())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_the_forms_that_pages_use() {
        for (text, expected) in [
            ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
            ("2026-03-01T10:00:00+01:00", "2026-03-01T09:00:00Z"),
            ("2026-03-01T10:00:00+0100", "2026-03-01T09:00:00Z"),
            ("2026-03-01T10:00:00.5Z", "2026-03-01T10:00:00.5Z"),
            ("2026-03-01T10:00", "2026-03-01T10:00:00Z"),
            ("2026-03-01 10:00:00", "2026-03-01T10:00:00Z"),
            (" 2026-03-01 ", "2026-03-01T00:00:00Z"),
            ("Sun, 01 Mar 2026 10:00:00 GMT", "2026-03-01T10:00:00Z"),
        ] {
            assert_eq!(parse(text).map(|at| at.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "yesterday", "March 1st, 2026", "2026", "2026-13-01"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
