//! What leaves the process: results on standard output, all else on standard error, and one exit status.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use console::{Style, Term};
use jiff::Timestamp;

use crate::run::Usage;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// All is well.
    Fine,
    /// Errors were found, or the run failed.
    Failed,
    /// The command was used wrongly: bad flags, unreadable files, input that does not fit.
    Misused,
    /// Ended by Ctrl-C.
    Interrupted,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(status.code())
    }
}

impl Status {
    /// The process's exit status; 130 is what shells expect of a program ended by Ctrl-C.
    pub(super) fn code(self) -> u8 {
        match self {
            Status::Fine => 0,
            Status::Failed => 1,
            Status::Misused => 2,
            Status::Interrupted => 130,
        }
    }
}

/// Writes a line to standard output. A reader that has gone away is no error: there is no one left to tell.
pub(super) fn out(line: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes text to standard output as it is.
pub(super) fn out_raw(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Writes a line to standard error.
pub(super) fn err(line: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Says on standard error that the command was used wrongly.
pub(super) fn misused(why: impl Display) -> Status {
    err(format_args!("{} {why}", paint().red().bold().apply_to("error:")));
    Status::Misused
}

/// A style for standard error: plain where that is no terminal, or `NO_COLOR` is set.
pub(super) fn paint() -> Style {
    Style::new().for_stderr()
}

/// A style for standard output.
pub(super) fn paint_out() -> Style {
    Style::new().for_stdout()
}

/// Whether a person watches standard error.
pub(super) fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// How many columns messages may take: the terminal's, or 80 where there is none to ask.
pub(super) fn columns() -> usize {
    let terminal = [Term::stderr(), Term::stdout()].into_iter().find(Term::is_term);
    terminal.map_or(80, |terminal| usize::from(terminal.size().1).clamp(40, 120))
}

/// A text with its lines broken between words where they are wider than a terminal.
pub(super) fn folded(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let mut width = 0;
        for word in line.split_inclusive(' ') {
            let wide = console::measure_text_width(word.trim_end());
            if width > 2 && width + wide > columns {
                out.truncate(out.trim_end().len());
                out.push_str("\n  ");
                width = 2;
            }
            out.push_str(word);
            width += console::measure_text_width(word);
        }
    }
    out
}

/// A duration as people read it: `12ms`, `1.2s`, `3m 20s`, `2h 5m`.
pub(super) fn brief(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{:.1}s", (millis / 100) as f64 / 10.0),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// How long ago something was, in one unit: `12s`, `5m`, `3h`, `2d`.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..172_800 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

/// What was spent, in parts: `1.2k tokens`, `$0.0031`; none where that is nothing.
pub(super) fn spent(usage: &Usage) -> Vec<String> {
    let tokens = usage.input_tokens + usage.output_tokens;
    let tokens = (tokens > 0).then(|| format!("{} tokens", short(tokens)));
    tokens.into_iter().chain((usage.usd > 0.0).then(|| money(usage.usd))).collect()
}

/// A large number in brief: `950`, `1.2k`, `3.4M`.
pub(super) fn short(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1}k", (number / 100) as f64 / 10.0),
        _ => format!("{:.1}M", (number / 100_000) as f64 / 10.0),
    }
}

/// US dollars: `$12.30`, `$0.0031`.
pub(super) fn money(usd: f64) -> String {
    if usd > 0.0 && usd < 0.1 { format!("${usd:.4}") } else { format!("${usd:.2}") }
}

/// `1 error`, `2 errors`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(folded("one two three four", 9), "one two\n  three\n  four");
        assert_eq!(folded("a\nb c", 80), "a\nb c");
        assert_eq!(folded("unbreakable and so on", 8), "unbreakable\n  and so\n  on");
    }

    #[test]
    fn durations_are_brief() {
        let cases =
            [(0, "0ms"), (999, "999ms"), (1_250, "1.2s"), (59_999, "59.9s"), (200_000, "3m 20s"), (7_500_000, "2h 5m")];
        for (millis, text) in cases {
            assert_eq!(brief(Duration::from_millis(millis)), text);
        }
    }
}
