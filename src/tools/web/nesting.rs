//! How deeply a page's elements are nested, seen before it is parsed: parsers and converters of HTML take time with
//! the square of the depth, and some take stack with the depth itself. Pages that people wrote stay far below the bound.

/// The depth that is read. Pages nest some dozens deep; browsers flatten what is deeper than 512.
pub(super) const MAX_DEPTH: usize = 256;

/// Elements that hold nothing.
const VOID: [&str; 15] = [
    "area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];

/// Elements whose end may be left out; they nest only inside others that count.
const IMPLIED: [&str; 19] = [
    "html", "head", "body", "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot",
    "colgroup", "caption", "rp", "rt",
];

/// Elements whose content is text.
const RAW: [&str; 7] = ["script", "style", "textarea", "title", "noscript", "iframe", "xmp"];

/// The deepest nesting, roughly: open elements less closed ones, going through the text once.
pub(super) fn depth(html: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").and_then(|end| comment.get(end..)).unwrap_or_default();
            continue;
        }
        let closing = rest.starts_with('/');
        let name: String = rest
            .chars()
            .skip(usize::from(closing))
            .take(24)
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ':'))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        if closing {
            if !IMPLIED.contains(&name.as_str()) {
                open = open.saturating_sub(1);
            }
        } else if RAW.contains(&name.as_str()) {
            rest = after_raw(rest, &name);
        } else if !VOID.contains(&name.as_str()) && !IMPLIED.contains(&name.as_str()) {
            open += 1;
            deepest = deepest.max(open);
        }
    }
    deepest
}

/// What follows the end tag of an element that holds text.
fn after_raw<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        rest = rest.get(at + 2..).unwrap_or_default();
        if rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest;
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn counts_what_nests() {
        assert_eq!(depth("plain"), 0);
        assert_eq!(depth("<div><p>one<p>two<br><img src=x></div><div><b>x</b></div>"), 2);
        assert_eq!(depth("<script>if (a<b) { '<div><div><div>' }</SCRIPT><i>x</i>"), 1);
        assert_eq!(depth("<!-- <div><div> --><i>x</i>"), 1);
        assert_eq!(depth("a < b <- c <3 </> <"), 0);
        assert_eq!(depth(&"<x-y>".repeat(5000)), 5000);
        assert_eq!(depth(&"<ul><li>".repeat(10)), 10);
    }
}
