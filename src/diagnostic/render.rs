//! Diagnostics for people: plain text, and the adapter to miette, whose graphical handler (feature `cli`) draws them
//! for a terminal.

use std::fmt::{self, Write};

use crate::diagnostic::{Diagnostic, Severity};
use crate::source::{SourceFile, Sources, Span};

/// A diagnostic as plain text: kind, code and message, the place, the line with the characters marked, further places,
/// and how to mend it. Ends with a line break.
pub fn plain(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut out = format!("{}[{}]: {}\n", severity_word(diagnostic), diagnostic.code.id, diagnostic.message);
    let width = widest_line_number(diagnostic, sources);
    excerpt(&mut out, sources, diagnostic.span, &diagnostic.label, '^', "-->", width);
    for label in &diagnostic.labels {
        excerpt(&mut out, sources, label.span, &label.message, '-', ":::", width);
    }
    for line in notes(diagnostic) {
        let _ = writeln!(out, "{:width$} = {line}", "");
    }
    out
}

fn severity_word(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn widest_line_number(diagnostic: &Diagnostic, sources: &Sources) -> usize {
    let spans = std::iter::once(diagnostic.span).chain(diagnostic.labels.iter().map(|label| label.span));
    let lines = spans.filter_map(|span| Some(sources.get(span.file)?.position(span.start).line));
    lines.max().unwrap_or(1).to_string().len()
}

fn excerpt(out: &mut String, sources: &Sources, span: Span, label: &str, mark: char, arrow: &str, width: usize) {
    let Some(file) = sources.get(span.file) else { return };
    let (start, end) = (file.position(span.start), file.position(span.end));
    let _ = writeln!(out, "{:width$}{arrow} {}:{}:{}", "", file.name(), start.line, start.column);
    let line = file.line(start.line);
    let column = start.column as usize - 1;
    let to = if end.line == start.line { end.column as usize - 1 } else { line.chars().count() };
    // Tabs stay tabs above the marks, so that the marks stand where the characters do.
    let indent: String = line.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let marks: String = std::iter::repeat_n(mark, to.saturating_sub(column).max(1)).collect();
    let _ = writeln!(out, "{:width$} |", "");
    let _ = writeln!(out, "{:>width$} | {line}", start.line);
    let _ = writeln!(out, "{}", format!("{:width$} | {indent}{marks} {label}", "").trim_end());
}

/// The help and the titles of the fixes, one line each.
fn notes(diagnostic: &Diagnostic) -> Vec<String> {
    let help = diagnostic.help.iter().map(|help| format!("help: {help}"));
    help.chain(diagnostic.fixes.iter().map(|fix| format!("fix: {}", fix.title))).collect()
}

/// A diagnostic with its source, as miette takes it.
#[derive(Clone, Debug)]
pub struct Report {
    diagnostic: Diagnostic,
    source: Option<Source>,
    /// Places in other files, which miette shows as reports of their own.
    elsewhere: Vec<Elsewhere>,
}

impl Report {
    /// A diagnostic of these sources.
    pub fn new(diagnostic: Diagnostic, sources: &Sources) -> Self {
        let find = |span: Span| sources.get(span.file).cloned().map(Source);
        let others = diagnostic.labels.iter().filter(|label| label.span.file != diagnostic.span.file);
        let elsewhere = others
            .map(|label| Elsewhere { message: label.message.clone(), span: label.span, source: find(label.span) })
            .collect();
        Self { source: find(diagnostic.span), elsewhere, diagnostic }
    }

    /// What it reports.
    pub fn diagnostic(&self) -> &Diagnostic {
        &self.diagnostic
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code.id))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let Diagnostic { help, fixes, .. } = &self.diagnostic;
        // Miette writes `help:` before it: a fix alone needs no word of its own.
        let mut lines: Vec<String> = help.iter().cloned().collect();
        let word = if lines.is_empty() { "" } else { "fix: " };
        lines.extend(fixes.iter().map(|fix| format!("{word}{}", fix.title)));
        if lines.is_empty() { None } else { Some(Box::new(lines.join("\n"))) }
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        let here = (!self.diagnostic.label.is_empty()).then(|| self.diagnostic.label.clone());
        let primary = miette::LabeledSpan::new_primary_with_span(here, self.diagnostic.span.range());
        let labels = self.diagnostic.labels.iter().filter(|label| label.span.file == self.diagnostic.span.file);
        let further =
            labels.map(|label| miette::LabeledSpan::new_with_span(Some(label.message.clone()), label.span.range()));
        Some(Box::new(std::iter::once(primary).chain(further)))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.elsewhere.is_empty() {
            return None;
        }
        Some(Box::new(self.elsewhere.iter().map(|place| place as &dyn miette::Diagnostic)))
    }
}

/// A second place in another file than the first.
#[derive(Clone, Debug)]
struct Elsewhere {
    message: String,
    span: Span,
    source: Option<Source>,
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Elsewhere {}

impl miette::Diagnostic for Elsewhere {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(miette::LabeledSpan::new_primary_with_span(None, self.span.range()))))
    }
}

/// A file as miette reads it. Uses the file's line index: miette's own reading walks the text from its beginning for
/// every label.
#[derive(Clone, Debug)]
struct Source(SourceFile);

impl miette::SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let file = &self.0;
        let end = span.offset() + span.len();
        if end > file.text().len() {
            return Err(miette::MietteError::OutOfBounds);
        }
        let from = file.position(span.offset() as u32);
        let to = file.position(end as u32);
        let first = from.line.saturating_sub(lines_before as u32).max(1);
        let last = to.line.saturating_add(lines_after as u32).min(file.line_count());
        // Miette counts the column from the context's start unless there is no context.
        let start = if lines_before == 0 { from.offset } else { file.line_start(first) };
        let column = if lines_before == 0 { from.column as usize - 1 } else { 0 };
        let stop = if lines_after == 0 { end as u32 } else { file.line_start(last + 1) };
        let data = file.text().get(start as usize..stop as usize).unwrap_or_default();
        Ok(Box::new(miette::MietteSpanContents::new_named(
            file.name().to_owned(),
            data.as_bytes(),
            (start as usize, data.len()).into(),
            first as usize - 1,
            column,
            (last - first + 1) as usize,
        )))
    }
}

/// How the graphical rendering looks.
#[cfg(feature = "cli")]
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether it may use colours.
    pub color: bool,
    /// Whether it may draw with more than ASCII.
    pub unicode: bool,
}

/// A diagnostic drawn for a terminal. Ends with a line break.
#[cfg(feature = "cli")]
pub fn graphical(diagnostic: &Diagnostic, sources: &Sources, look: Look) -> String {
    use miette::{GraphicalReportHandler, GraphicalTheme, ThemeCharacters, ThemeStyles};
    let theme = GraphicalTheme {
        characters: if look.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() },
        styles: if look.color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(look.width).with_links(false);
    let mut out = String::new();
    match handler.render_report(&mut out, &Report::new(diagnostic.clone(), sources)) {
        Ok(()) => out,
        Err(_) => plain(diagnostic, sources),
    }
}
