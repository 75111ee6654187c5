//! Markdown for a terminal: the little of it that our own pages use: headings, paragraphs, lists, fenced code, tables,
//! `code` and **strong** words, and links, of which only the text is shown.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use console::{Style, measure_text_width};
use regex::Regex;

/// Stands for a bar that is no border while a row is taken apart; no text holds it.
const BAR: &str = "\u{1}";

/// Draws a page in so many columns. `style` is the one to begin from: it knows whether colours are wanted.
pub(super) fn draw(page: &str, columns: usize, style: &Style) -> String {
    let mut out = String::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        let bare = line.trim();
        if let Some(fence) = bare.strip_prefix("```") {
            let code = std::iter::from_fn(|| lines.next_if(|line| line.trim() != "```")).collect::<Vec<_>>();
            lines.next();
            draw_code(&mut out, &code, fence, style);
        } else if let Some(heading) = bare.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim();
            let _ = writeln!(out, "{}", style.clone().bold().underlined().apply_to(heading));
        } else if bare.starts_with('|') {
            let mut rows = vec![bare];
            rows.extend(std::iter::from_fn(|| lines.next_if(|line| line.trim().starts_with('|'))).map(str::trim));
            out.push_str(&table(&rows.join("\n"), columns).unwrap_or_default());
            out.push('\n');
        } else if bare.is_empty() {
            out.push('\n');
        } else if let Some(item) = bare.strip_prefix("- ").or_else(|| bare.strip_prefix("* ")) {
            let mut text = item.to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with("  ") && !line.trim().is_empty()) {
                text.push(' ');
                text.push_str(more.trim());
            }
            wrap(&mut out, &text, columns, ("• ", "  "), style);
        } else {
            let mut text = bare.to_owned();
            while let Some(more) = lines.next_if(|line| continues(line)) {
                text.push(' ');
                text.push_str(more.trim());
            }
            wrap(&mut out, &text, columns, ("", ""), style);
        }
    }
    out
}

/// A Markdown table drawn with lines; none where the text is no table.
pub(super) fn table(text: &str, columns: usize) -> Option<String> {
    let mut rows = text.lines().filter(|line| line.trim_start().starts_with('|')).map(cells);
    let (head, rule) = (rows.next()?, rows.next()?);
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(columns).unwrap_or(120));
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for (column, mark) in table.column_iter_mut().zip(rule) {
        let alignment = match (mark.starts_with(':'), mark.ends_with(':')) {
            (true, true) => CellAlignment::Center,
            (false, true) => CellAlignment::Right,
            _ => CellAlignment::Left,
        };
        column.set_cell_alignment(alignment);
    }
    Some(table.to_string())
}

/// The cells of a row; `\\|` is a bar within one.
fn cells(row: &str) -> Vec<String> {
    let row = row.replace("\\|", BAR);
    let row = row.trim().trim_start_matches('|').trim_end_matches('|');
    row.split('|').map(|cell| cell.trim().replace(BAR, "|")).collect()
}

fn continues(line: &str) -> bool {
    let bare = line.trim();
    !bare.is_empty() && !["```", "#", "|", "- ", "* "].iter().any(|mark| bare.starts_with(mark))
}

fn draw_code(out: &mut String, code: &[&str], fence: &str, style: &Style) {
    let (bar, word) = match fence {
        _ if fence.contains(",wrong") => (style.clone().red(), "wrong"),
        "flow" => (style.clone().green(), ""),
        _ => (style.clone().dim(), ""),
    };
    if !word.is_empty() {
        let _ = writeln!(out, "  {} {}", bar.apply_to("┃"), bar.apply_to(word));
    }
    for line in code {
        out.push_str(format!("  {} {line}", bar.apply_to("┃")).trim_end());
        out.push('\n');
    }
}

/// Breaks a text into lines, the first and the others after their marks.
fn wrap(out: &mut String, text: &str, columns: usize, marks: (&str, &str), style: &Style) {
    let (mut line, mut used) = (marks.0.to_owned(), measure_text_width(marks.0));
    let mut fresh = true;
    let words = words(text, style);
    for word in &words {
        let width = measure_text_width(word);
        if !fresh && used + 1 + width > columns {
            out.push_str(&line);
            out.push('\n');
            (line, used, fresh) = (marks.1.to_owned(), measure_text_width(marks.1), true);
        }
        if !fresh {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += width;
        fresh = false;
    }
    out.push_str(&line);
    out.push('\n');
}

/// The words of a text, styled; what stands between backticks is one word.
fn words(text: &str, style: &Style) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut strong = false;
    for (at, piece) in text.split('`').enumerate() {
        if at % 2 == 1 {
            let code = style.clone().cyan().apply_to(piece).to_string();
            // Without colours the backticks stay: they say where the code begins and ends.
            let code = if code == piece { format!("`{piece}`") } else { code };
            if let Some(last) = words.last_mut() {
                last.push_str(&code);
            }
            continue;
        }
        for (at, run) in unlinked(piece).split("**").enumerate() {
            strong ^= at > 0;
            for (at, word) in run.split(' ').enumerate() {
                if at > 0 {
                    words.push(String::new());
                }
                let word = if strong { style.clone().bold().apply_to(word).to_string() } else { word.to_owned() };
                if let Some(last) = words.last_mut() {
                    last.push_str(&word);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A text with each `[text](address)` as its text.
fn unlinked(text: &str) -> Cow<'_, str> {
    static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\[([^\[\]]*)\]\([^()\s]*\)").ok());
    LINK.as_ref().map_or(Cow::Borrowed(text), |link| link.replace_all(text, "$1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(page: &str, columns: usize) -> String {
        draw(page, columns, &Style::new().force_styling(false))
    }

    #[test]
    fn paragraphs_are_wrapped_and_code_is_kept() {
        let page = "# E0301: a title\n\nOne two three\nfour `five six` seven.\n\n```flow\nlet a  = 1\n```\n";
        let drawn = "E0301: a title\n\nOne two three four\n`five six` seven.\n\n  ┃ let a  = 1\n";
        assert_eq!(plain(page, 20), drawn);
    }

    #[test]
    fn links_are_their_text() {
        assert_eq!(plain("See [a page](b.md), `x[0](y)` and [c].", 80), "See a page, `x[0](y)` and [c].\n");
    }

    #[test]
    fn tables_keep_their_alignment() {
        let drawn = plain("| Page | Words |\n| --- | ---: |\n| a | 1 |\n| bb | 200 |", 40);
        assert!(drawn.contains("a    ┆     1"), "{drawn}");
        assert!(drawn.contains("bb   ┆   200"), "{drawn}");
    }
}
