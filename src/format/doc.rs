//! A small algebra of documents, after Wadler's "A prettier printer" and Prettier's commands: text, line breaks that may
//! be laid flat, groups that are flat where they fit, and comments that wait for the end of their line.

/// How wide a line may be, in characters.
pub(super) const WIDTH: usize = 120;
/// How far each level is indented.
const INDENT: usize = 4;

/// A document.
#[derive(Clone, Debug, Default)]
pub(super) struct Doc {
    node: Node,
    /// It holds a line break that is always taken, so every group around it is broken.
    forced: bool,
}

#[derive(Clone, Debug, Default)]
enum Node {
    #[default]
    Nil,
    Text(String),
    /// A line break, or what stands in its place where the group is flat.
    Line {
        flat: &'static str,
    },
    /// A line break that is always taken.
    Hard,
    /// A blank line and a line break.
    Blank,
    /// A comment that stands at the end of whatever line it falls into.
    Suffix(String),
    Concat(Vec<Doc>),
    Nest(Box<Doc>),
    Group(Box<Doc>),
    /// The first where the group around is broken, else the second.
    IfBroken(Box<Doc>, Box<Doc>),
    /// The first, laid flat, where its first line fits; else the second, broken.
    Choice(Box<Doc>, Box<Doc>),
    /// Laid flat whatever its width.
    Flat(Box<Doc>),
}

impl Doc {
    fn of(node: Node) -> Self {
        let forced = match &node {
            Node::Hard | Node::Blank | Node::Suffix(_) => true,
            Node::Concat(parts) => parts.iter().any(|part| part.forced),
            Node::Nest(inner) | Node::Group(inner) => inner.forced,
            Node::Choice(first, second) => first.forced && second.forced,
            _ => false,
        };
        Self { node, forced }
    }

    pub(super) fn nil() -> Self {
        Self::default()
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::of(Node::Text(text.into()))
    }

    /// A space, or a line break where the group is broken.
    pub(super) fn line() -> Self {
        Self::of(Node::Line { flat: " " })
    }

    /// Nothing, or a line break where the group is broken.
    pub(super) fn soft_line() -> Self {
        Self::of(Node::Line { flat: "" })
    }

    pub(super) fn hard_line() -> Self {
        Self::of(Node::Hard)
    }

    pub(super) fn blank_line() -> Self {
        Self::of(Node::Blank)
    }

    pub(super) fn suffix(comment: impl Into<String>) -> Self {
        Self::of(Node::Suffix(comment.into()))
    }

    /// Nothing; but every group around it is broken.
    pub(super) fn break_here() -> Self {
        Self { node: Node::Nil, forced: true }
    }

    pub(super) fn concat(parts: impl IntoIterator<Item = Doc>) -> Self {
        Self::of(Node::Concat(parts.into_iter().collect()))
    }

    pub(super) fn nest(self) -> Self {
        Self::of(Node::Nest(Box::new(self)))
    }

    pub(super) fn group(self) -> Self {
        Self::of(Node::Group(Box::new(self)))
    }

    pub(super) fn if_broken(broken: Doc, flat: Doc) -> Self {
        Self::of(Node::IfBroken(Box::new(broken), Box::new(flat)))
    }

    pub(super) fn choice(first: Doc, second: Doc) -> Self {
        Self::of(Node::Choice(Box::new(first), Box::new(second)))
    }

    pub(super) fn flat(self) -> Self {
        Self::of(Node::Flat(Box::new(self)))
    }

    /// Whether it cannot be laid flat.
    pub(super) fn is_forced(&self) -> bool {
        self.forced
    }

    /// The text on one line, as far as it can be.
    pub(super) fn flat_text(self) -> String {
        let mut text = self.flat().render(usize::MAX);
        text.truncate(text.trim_end_matches('\n').len());
        text
    }

    /// The text with line breaks where they are due.
    pub(super) fn render(&self, width: usize) -> String {
        let mut out = Out { text: String::new(), column: 0, suffix: String::new(), due: 0 };
        let mut stack = vec![Item { indent: 0, broken: true, doc: self }];
        while let Some(Item { indent, broken, doc }) = stack.pop() {
            let item = |broken, doc| Item { indent, broken, doc };
            match &doc.node {
                Node::Nil => {}
                Node::Text(text) => out.push(text),
                Node::Line { flat } if !broken => out.push(flat),
                Node::Line { .. } | Node::Hard => out.line_break(indent, 1),
                Node::Blank => out.line_break(indent, 2),
                Node::Suffix(comment) => {
                    out.suffix.push(' ');
                    out.suffix.push_str(comment);
                }
                Node::Concat(parts) => stack.extend(parts.iter().rev().map(|part| item(broken, part))),
                Node::Nest(inner) => stack.push(Item { indent: indent + INDENT, broken, doc: inner }),
                Node::Group(inner) => {
                    let flat = item(false, inner);
                    let fits = !inner.forced && (!broken || fits(flat, &stack, width.saturating_sub(out.column)));
                    stack.push(item(!fits, inner));
                }
                Node::IfBroken(first, second) => stack.push(item(broken, if broken { first } else { second })),
                Node::Choice(first, second) => {
                    let flat = item(false, first);
                    let fits = fits(flat, &stack, width.saturating_sub(out.column));
                    stack.push(if fits { flat } else { item(true, second) });
                }
                Node::Flat(inner) => stack.push(item(inner.forced, inner)),
            }
        }
        out.line_break(0, 1);
        out.text
    }
}

/// A document still to be laid out.
#[derive(Clone, Copy)]
struct Item<'a> {
    indent: usize,
    broken: bool,
    doc: &'a Doc,
}

/// Whether what stands up to the next line break fits into the room left.
fn fits<'a>(first: Item<'a>, rest: &[Item<'a>], room: usize) -> bool {
    let mut left = room;
    let mut stack = vec![first];
    let mut rest = rest.iter().rev();
    loop {
        let Some(item) = stack.pop().or_else(|| rest.next().copied()) else { return true };
        let with = |doc| Item { doc, ..item };
        match &item.doc.node {
            Node::Nil | Node::Suffix(_) => {}
            Node::Text(text) => {
                let (line, ends) = match text.split_once('\n') {
                    Some((line, _)) => (line, true),
                    None => (text.as_str(), false),
                };
                match left.checked_sub(line.chars().count()) {
                    Some(after) => left = after,
                    None => return false,
                }
                if ends {
                    return true;
                }
            }
            Node::Line { flat } if !item.broken => match left.checked_sub(flat.len()) {
                Some(after) => left = after,
                None => return false,
            },
            Node::Line { .. } | Node::Hard | Node::Blank => return true,
            Node::Concat(parts) => stack.extend(parts.iter().rev().map(with)),
            Node::Nest(inner) => stack.push(with(inner)),
            // A group that follows may be broken: the line then ends in it.
            Node::Group(inner) => stack.push(with(inner)),
            Node::Flat(inner) => stack.push(Item { broken: false, ..with(inner) }),
            Node::IfBroken(broken, flat) => stack.push(with(if item.broken { broken } else { flat })),
            Node::Choice(first, second) => stack.push(with(if item.broken { second } else { first })),
        }
    }
}

struct Out {
    text: String,
    column: usize,
    suffix: String,
    /// Indentation that is written when the line gets text.
    due: usize,
}

impl Out {
    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.text.extend(std::iter::repeat_n(' ', std::mem::take(&mut self.due)));
        self.text.push_str(text);
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = last.chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    fn line_break(&mut self, indent: usize, breaks: usize) {
        let suffix = std::mem::take(&mut self.suffix);
        self.push(&suffix);
        for _ in 0..breaks {
            self.text.push('\n');
        }
        self.due = indent;
        self.column = indent;
    }
}

#[cfg(test)]
mod tests {
    use super::Doc;

    fn list(items: &[&str]) -> Doc {
        let mut parts = vec![Doc::soft_line()];
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                parts.extend([Doc::text(","), Doc::line()]);
            }
            parts.push(Doc::text(*item));
        }
        let inside = Doc::concat(parts).nest();
        let comma = Doc::if_broken(Doc::text(","), Doc::nil());
        Doc::concat([Doc::text("["), inside, comma, Doc::soft_line(), Doc::text("]")]).group()
    }

    #[test]
    fn groups_are_flat_where_they_fit() {
        assert_eq!(list(&["one", "two"]).render(10), "[one, two]\n");
        assert_eq!(list(&["one", "two"]).render(9), "[\n    one,\n    two,\n]\n");
    }

    #[test]
    fn what_follows_counts_up_to_the_next_break() {
        let doc = Doc::concat([list(&["one", "two"]), Doc::text("!")]);
        assert_eq!(doc.render(10), "[\n    one,\n    two,\n]!\n");
    }

    #[test]
    fn comments_wait_for_the_end_of_the_line() {
        let doc =
            Doc::concat([Doc::text("a"), Doc::suffix("// why"), Doc::text(","), Doc::hard_line(), Doc::text("b")]);
        assert_eq!(doc.render(10), "a, // why\nb\n");
    }

    #[test]
    fn a_choice_takes_the_first_that_fits() {
        let doc = Doc::choice(Doc::text("a long one"), Doc::concat([Doc::text("a"), Doc::line(), Doc::text("b")]));
        assert_eq!(doc.render(10), "a long one\n");
        assert_eq!(doc.render(9), "a\nb\n");
    }
}
