//! `flowc test`: runs the test blocks of some files. Tools are mocks, time is virtual, nothing outside is touched.

mod failure;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::output::{Status, brief, count, misused, out, paint_out};
use super::report::{self, Format, Gathered};
use super::{files, host};
use crate::compile::compile;
use crate::program::Program;
use crate::run::Limits;
use crate::run::testing::{TestReport, run_test};
use crate::source::{DiskLoader, SourceFile};

/// Run the `test` blocks of files.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Files and folders with tests
    #[arg(value_name = "FILE", default_value = ".")]
    files: Vec<PathBuf>,
    /// Run only tests whose title, or file's name, holds this text
    #[arg(long, short, value_name = "TEXT")]
    filter: Option<String>,
}

/// How all tests went.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    filtered: usize,
    broken: usize,
}

pub(super) fn test(args: &Args) -> Status {
    let files = match files::read_all(&args.files) {
        Ok(files) => files,
        Err(why) => return misused(why),
    };
    // Tests run in virtual time; how long that took is measured against the wall.
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut broken = Gathered::default();
    for file in &files {
        if let Err(status) = test_file(file, args.filter.as_deref(), &mut tally, &mut broken) {
            return status;
        }
    }
    report::diagnostics(&broken.list, &broken.sources, Format::Human);
    out(closing(tally, &brief(start.elapsed())));
    if tally.failed + tally.broken > 0 { Status::Failed } else { Status::Fine }
}

fn test_file(file: &SourceFile, filter: Option<&str>, tally: &mut Tally, broken: &mut Gathered) -> Result<(), Status> {
    let catalog = host::catalog(file)?;
    let program = match compile(file.clone(), &catalog, &DiskLoader) {
        Ok(program) => Arc::new(program),
        Err(found) => {
            broken.add(&found.sources, &found.list);
            tally.broken += 1;
            return Ok(());
        }
    };
    let wanted = |title: &str| filter.is_none_or(|text| title.contains(text) || file.name().contains(text));
    let chosen: Vec<usize> =
        (0..).zip(&program.tests).filter(|(_, test)| wanted(&test.title)).map(|(at, _)| at).collect();
    tally.filtered += program.tests.len() - chosen.len();
    if chosen.is_empty() {
        return Ok(());
    }
    out(paint_out().bold().apply_to(file.name()));
    for at in chosen {
        let start = Instant::now();
        let Some(report) = run_test(&program, at, &Limits::default()) else { continue };
        show(&report, &brief(start.elapsed()), &program);
        if report.passed() {
            tally.passed += 1;
        } else {
            tally.failed += 1;
        }
    }
    out("");
    Ok(())
}

fn show(report: &TestReport, took: &str, program: &Program) {
    let dim = paint_out().dim();
    let virtual_time = match report.virtual_time.as_secs() {
        0 => String::new(),
        _ => format!(", {} of virtual time", brief(report.virtual_time)),
    };
    let mark = if report.passed() { paint_out().green().apply_to("✓") } else { paint_out().red().apply_to("✗") };
    out(format_args!("  {mark} {} {}", report.title, dim.apply_to(format!("({took}{virtual_time})"))));
    for failure in &report.failures {
        out(failure::show(failure, program));
    }
}

/// `3 passed, 1 failed` and what else there is to say.
fn closing(tally: Tally, took: &str) -> String {
    let failed = format!("{} failed", tally.failed);
    let failed = if tally.failed > 0 { paint_out().red().bold().apply_to(failed).to_string() } else { failed };
    let passed = format!("{} passed", tally.passed);
    let passed =
        if tally.failed == 0 && tally.passed > 0 { paint_out().green().apply_to(passed).to_string() } else { passed };
    let mut said = format!("{passed}, {failed}");
    if tally.broken > 0 {
        said = format!("{said}, {} that cannot run", count(tally.broken, "file"));
    }
    if tally.filtered > 0 {
        said = format!("{said}, {} filtered out", tally.filtered);
    }
    format!("{said} {}", paint_out().dim().apply_to(format!("in {took}")))
}
