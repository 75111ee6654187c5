//! Reading the paths of steps: `pages#2[3].page`, `poll~2.status`, `research/summary`, `book~undo`, `web.scrape@1`.

/// A part of a path, below what is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// A step or block: `page`, `web.scrape@1`.
    Name(&'a str),
    /// `[3]`: an item of a list, from 0.
    Item(&'a str),
    /// `~2`: a round of a `repeat`.
    Round(&'a str),
    /// `~undo`
    Undo,
}

/// The path without its attempts: what stays the same however often a step is tried.
pub(super) fn steady(path: &str) -> String {
    let mut steady = String::with_capacity(path.len());
    let mut pieces = path.split('#');
    steady.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        steady.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    steady
}

/// The place in the flow's text that a steady path stands for: without items and rounds.
pub(super) fn place(path: &str) -> String {
    let mut place = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((part, after)) = next(rest) {
        match part {
            Part::Name(name) => {
                if !place.is_empty() {
                    place.push('.');
                }
                place.push_str(name);
            }
            Part::Undo => place.push_str("~undo"),
            Part::Item(_) | Part::Round(_) => {}
        }
        rest = after;
    }
    place
}

/// The first part of a steady path, and what follows it.
pub(super) fn next(path: &str) -> Option<(Part<'_>, &str)> {
    if let Some(rest) = path.strip_prefix('[') {
        let (index, rest) = rest.split_once(']')?;
        return Some((Part::Item(index), rest));
    }
    if let Some(rest) = path.strip_prefix('~') {
        let (word, rest) = rest.split_at(name_end(rest));
        return Some((if word == "undo" { Part::Undo } else { Part::Round(word) }, rest));
    }
    let path = path.strip_prefix(['.', '/']).unwrap_or(path);
    let (name, rest) = path.split_at(segment_end(path));
    (!name.is_empty()).then_some((Part::Name(name), rest))
}

/// Where a step's segment ends. Only an unnamed call's has dots, and a `@` after them.
fn segment_end(path: &str) -> usize {
    let dotted = path.find(|c: char| !is_word(c) && c != '.').unwrap_or(path.len());
    match path.get(dotted..).and_then(|rest| rest.strip_prefix('@')) {
        Some(number) => dotted + 1 + name_end(number),
        None => name_end(path),
    }
}

fn name_end(path: &str) -> usize {
    path.find(|c: char| !is_word(c)).unwrap_or(path.len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(mut path: &str) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        while let Some((part, rest)) = next(path) {
            parts.push(part);
            path = rest;
        }
        parts
    }

    #[test]
    fn attempts_are_dropped() {
        assert_eq!(steady("pages#2[3].page#12"), "pages[3].page");
        assert_eq!(steady("pages"), "pages");
    }

    #[test]
    fn parts_of_every_form() {
        use Part::{Item, Name, Round, Undo};
        assert_eq!(parts("pages[3].page"), [Name("pages"), Item("3"), Name("page")]);
        assert_eq!(parts("poll~2.status"), [Name("poll"), Round("2"), Name("status")]);
        assert_eq!(parts("research/summary~undo"), [Name("research"), Name("summary"), Undo]);
        assert_eq!(parts("web.scrape@1"), [Name("web.scrape@1")]);
        assert_eq!(parts("for@1[3].log.write@2"), [Name("for@1"), Item("3"), Name("log.write@2")]);
    }

    #[test]
    fn a_place_is_the_same_for_every_item_and_round() {
        assert_eq!(place("pages[3].page"), place("pages[14].page"));
        assert_eq!(place("poll~2.status"), "poll.status");
    }
}
