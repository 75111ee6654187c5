//! `flowc check`: what is wrong with some files, without running anything.

use std::path::PathBuf;

use super::output::{Status, err, misused, out_raw, paint};
use super::report::{self, Format, Gathered};
use super::{files, host};
use crate::compile::{Analysis, analyze};
use crate::diagnostic::apply::apply;
use crate::source::{DiskLoader, FileId, SourceFile};
use crate::types::Catalog;

/// Check files: syntax, types, effects.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Files and folders to check; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How to write what is found
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Apply the fixes that are surely meant
    #[arg(long)]
    fix: bool,
}

/// How often fixes are applied to one file before it is reported as it is.
const ROUNDS: usize = 20;

pub(super) fn check(args: &Args) -> Status {
    let files = match files::read_all(&args.files) {
        Ok(files) => files,
        Err(why) => return misused(why),
    };
    let mut gathered = Gathered::default();
    let mut fixed = 0;
    for file in &files {
        let catalog = match host::catalog(file) {
            Ok(catalog) => catalog,
            Err(status) => return status,
        };
        let mut analysis = analyze(file.clone(), &catalog, &DiskLoader);
        if args.fix {
            match mend(file, analysis, &catalog) {
                Ok((mended, fixes)) => {
                    analysis = mended;
                    fixed += fixes;
                }
                Err(why) => return misused(why),
            }
        }
        gathered.add(&analysis.sources, &analysis.diagnostics);
    }
    report::diagnostics(&gathered.list, &gathered.sources, args.format);
    if args.format == Format::Human {
        let fixed = if fixed > 0 { format!(", {} applied", count_fixes(fixed)) } else { String::new() };
        let mark = if gathered.list.is_empty() { paint().green().apply_to("✓ ").to_string() } else { String::new() };
        err(format_args!("{mark}{}{fixed}", report::tally(&gathered.list, files.len())));
    }
    if gathered.has_errors() { Status::Failed } else { Status::Fine }
}

fn count_fixes(fixes: usize) -> String {
    if fixes == 1 { "1 fix".to_owned() } else { format!("{fixes} fixes") }
}

/// Applies safe fixes until there is none left, and writes the file: standard input goes to standard output.
fn mend(file: &SourceFile, mut analysis: Analysis, catalog: &Catalog) -> Result<(Analysis, usize), String> {
    let mut fixes = 0;
    let mut text = file.text().to_owned();
    for _ in 0..ROUNDS {
        let applied = apply(&text, FileId(0), &analysis.diagnostics);
        if applied.fixes == 0 {
            break;
        }
        fixes += applied.fixes;
        text = applied.text;
        analysis = analyze(SourceFile::new(file.name(), text.as_str()), catalog, &DiskLoader);
    }
    if file.name() == files::STDIN {
        out_raw(&text);
    } else if fixes > 0 {
        std::fs::write(file.name(), &text).map_err(|why| format!("`{}` cannot be written: {why}", file.name()))?;
    }
    Ok((analysis, fixes))
}
