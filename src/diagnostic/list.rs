//! Diagnostics together with the sources they point into: the error of [`crate::compile::compile`], which shows itself.

use std::fmt;

use crate::diagnostic::render::{Report, plain};
use crate::diagnostic::{Diagnostic, Severity};
use crate::source::Sources;

/// What is wrong with a program. `Display` gives plain text with the lines in question; turned into a
/// [`miette::Report`], which `?` does, it draws itself with the handler that is installed.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    /// The files they point into.
    pub sources: Sources,
    /// What is wrong, by file and place.
    pub list: Vec<Diagnostic>,
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.list.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&plain(diagnostic, &self.sources))?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl From<Diagnostics> for miette::Report {
    fn from(diagnostics: Diagnostics) -> Self {
        miette::Report::new(Reports::from(diagnostics))
    }
}

/// [`Diagnostics`] as one miette diagnostic: its message counts them, and they are its related diagnostics.
#[derive(Debug)]
pub struct Reports {
    summary: String,
    reports: Vec<Report>,
}

impl From<Diagnostics> for Reports {
    fn from(diagnostics: Diagnostics) -> Self {
        let Diagnostics { sources, list } = diagnostics;
        let summary = summary(&list);
        let reports = list.into_iter().map(|diagnostic| Report::new(diagnostic, &sources)).collect();
        Self { summary, reports }
    }
}

impl fmt::Display for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl std::error::Error for Reports {}

impl miette::Diagnostic for Reports {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        Some(Box::new(self.reports.iter().map(|report| report as &dyn miette::Diagnostic)))
    }
}

/// How many there are: `1 error and 2 warnings`, `no errors`.
pub fn summary(list: &[Diagnostic]) -> String {
    let errors = list.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count();
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    match (errors, list.len() - errors) {
        (0, 0) => "no errors".to_owned(),
        (errors, 0) => count(errors, "error"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => format!("{} and {}", count(errors, "error"), count(warnings, "warning")),
    }
}
