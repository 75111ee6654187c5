//! Applying fixes to a text.

use crate::diagnostic::{Diagnostic, Edit};
use crate::source::FileId;

/// A text with fixes applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The new text.
    pub text: String,
    /// How many fixes it has.
    pub fixes: usize,
}

/// Applies the first safe fix of each diagnostic to the text of `file`. A fix that overlaps one before it, or that
/// reaches into another file, is left out: whoever wants all of them analyzes the new text and applies again until
/// `fixes` is 0.
pub fn apply(text: &str, file: FileId, diagnostics: &[Diagnostic]) -> Applied {
    let mut taken: Vec<&Edit> = Vec::new();
    let mut fixes = 0;
    for diagnostic in diagnostics {
        let Some(fix) = diagnostic.fixes.first().filter(|fix| fix.safe && !fix.edits.is_empty()) else { continue };
        let fits = |edit: &Edit| edit.span.file == file && text.get(edit.span.range()).is_some();
        let clear = |edit: &Edit| taken.iter().all(|other| !overlap(edit, other));
        if fix.edits.iter().all(|edit| fits(edit) && clear(edit)) {
            taken.extend(&fix.edits);
            fixes += 1;
        }
    }
    taken.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for edit in taken {
        let range = edit.span.range();
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(&edit.text);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Applied { text: out, fixes }
}

/// Whether two edits touch the same characters. Two insertions at one place do: which comes first is not known.
fn overlap(a: &Edit, b: &Edit) -> bool {
    a.span == b.span || (a.span.start < b.span.end && b.span.start < a.span.end)
}
