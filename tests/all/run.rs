//! What programs do: every file in `tests/spec/run` is checked, its tests pass, and where a file of events lies beside
//! it the tests' events are those. `FLOW_UPDATE=1` writes the events anew.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flowc::compile::compile;
use flowc::program::Program;
use flowc::run::testing::{TestFailure, TestReport, run_test};
use flowc::run::{EventKind, Limits};
use flowc::source::{DiskLoader, SourceFile};
use flowc::tools::standard;

fn flow_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "flow"))
        .collect();
    files.sort();
    files
}

fn compiled(path: &Path) -> Result<Arc<Program>, String> {
    let source = SourceFile::read(path).unwrap();
    compile(source, &standard::catalog(), &DiskLoader).map(Arc::new).map_err(|diagnostics| format!("{diagnostics}"))
}

#[test]
fn the_tests_of_every_spec_file_pass() {
    all_pass("tests/spec/run");
}

#[test]
fn the_tests_of_every_example_pass() {
    all_pass("examples");
}

fn all_pass(folder: &str) {
    let mut wrong = String::new();
    for path in flow_files(folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let program = match compiled(&path) {
            Ok(program) => program,
            Err(why) => {
                let _ = writeln!(wrong, "{name} does not compile:\n{why}");
                continue;
            }
        };
        assert!(!program.tests.is_empty(), "{name} has no test");
        let mut events = String::new();
        for index in 0..program.tests.len() {
            let report = run_test(&program, index, &Limits::default()).unwrap();
            for failure in &report.failures {
                let _ = writeln!(wrong, "{name}: \"{}\": {}", report.title, explain(&program, failure));
            }
            tell(&mut events, &report);
        }
        let beside = path.with_extension("events");
        if std::env::var_os("FLOW_UPDATE").is_some() && beside.exists() {
            fs::write(&beside, &events).unwrap();
        }
        if let Ok(expected) = fs::read_to_string(&beside)
            && expected != events
        {
            let _ = writeln!(wrong, "{name}: the events differ from {}; they are:\n{events}", beside.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn explain(program: &Program, failure: &TestFailure) -> String {
    let sources = program.source_files();
    match failure {
        TestFailure::Assert { span, sides } => {
            let sides = sides
                .as_ref()
                .map(|(left, right)| format!("\n  left:  {}\n  right: {}", left.to_json_text(), right.to_json_text()));
            format!("{}: `{}` does not hold{}", sources.locate(*span), sources.slice(*span), sides.unwrap_or_default())
        }
        TestFailure::Unmocked { tool, path, args, .. } => {
            format!("`{tool}` is called by `{path}` without a mock, with {}", args.to_json_text())
        }
        TestFailure::Failed(error) => format!("{error}"),
    }
}

/// The events of a test in short: what happened, where, and in virtual time.
fn tell(text: &mut String, report: &TestReport) {
    let _ = writeln!(text, "test \"{}\"", report.title);
    let began = report.events.first().map(|event| event.at);
    for event in &report.events {
        let millis = began.map_or(0, |began| event.at.duration_since(began).as_millis());
        let more = match &event.kind {
            EventKind::StepFailed { error, .. } | EventKind::StepRetrying { error, .. } => format!(" {}", error.kind),
            EventKind::StepCompleted { result, .. } => format!(" {}", result.to_json_text()),
            EventKind::Emitted { value, .. } => format!(" {}", value.to_json_text()),
            EventKind::StepStarted { title: Some(title), .. } => format!(" \"{title}\""),
            _ => String::new(),
        };
        let _ = writeln!(text, "{millis:>8} {:<14} {}{more}", event.kind.name(), event.kind.path().unwrap_or_default());
    }
    text.push('\n');
}
