//! Paths: the one name of each execution of a step.

use smol_str::SmolStrBuilder;

use crate::run::exec::Strand;
use crate::types::Text;
use crate::value::write_int;

impl Strand<'_> {
    /// The path of a segment of the block this strand is in.
    pub(super) fn path_of(&self, segment: &Text) -> Text {
        if self.path.is_empty() { segment.clone() } else { join(&self.path, segment) }
    }

    /// The path of what this strand is in: the step around, or nothing.
    pub(super) fn here(&self) -> Text {
        Text::new(self.path.trim_end_matches(['.', '/']))
    }

    /// Enters what has this path, which begins with the strand's own; ends a prefix with the mark that follows it.
    pub(super) fn enter(&mut self, path: &str) {
        if let Some(rest) = path.get(self.path.len()..) {
            self.path.push_str(rest);
        }
    }

    /// Enters an iteration: `[3].`
    pub(super) fn enter_item(&mut self, base: usize, index: usize) {
        self.path.truncate(base);
        self.path.push('[');
        self.count(index as u64);
        self.path.push_str("].");
        self.emits = 0;
    }

    /// Enters a round of a `repeat`, from 1: `.`, `~2.`
    pub(super) fn enter_round(&mut self, base: usize, round: u64) {
        self.path.truncate(base);
        if round > 1 {
            self.path.push('~');
            self.count(round);
        }
        self.path.push('.');
        self.emits = 0;
    }

    fn count(&mut self, count: u64) {
        write_int(i64::try_from(count).unwrap_or(i64::MAX), &mut self.path);
    }
}

/// The path of an attempt: the step's own, from the second on with its number.
pub(super) fn attempt(step: &Text, attempt: u32) -> Text {
    if attempt > 1 { smol_str::format_smolstr!("{step}#{attempt}") } else { step.clone() }
}

/// Two parts as one text; short ones are held inline.
pub(super) fn join(prefix: &str, rest: &str) -> Text {
    let mut text = SmolStrBuilder::new();
    text.push_str(prefix);
    text.push_str(rest);
    text.finish()
}
