//! The binary itself, as a person or a script uses it.

mod basics;
mod check;
#[cfg(target_os = "linux")]
mod faults;
mod killed;
mod log;
mod rest;
mod run;
mod runs;
#[cfg(target_os = "linux")]
mod screenshot;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of its own for one test, and the binary run in it.
struct Bench {
    folder: tempfile::TempDir,
}

/// What a command left behind.
struct Ended {
    status: i32,
    out: String,
    err: String,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A bench that holds one file.
    fn with(name: &str, text: &str) -> Self {
        Self::new().file(name, text)
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The binary in this folder, with nothing of the outer environment that changes how it writes.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowc"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FLOW_LOG"] {
            command.env_remove(name);
        }
        command
    }

    fn flowc(&self, args: &[&str]) -> Ended {
        Ended::from(self.command(args).output().unwrap())
    }

    /// With this text on standard input.
    fn fed(&self, args: &[&str], text: &str) -> Ended {
        use std::io::Write;
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        Ended::from(child.wait_with_output().unwrap())
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Fails the test with everything that was written unless the status is this one.
    #[track_caller]
    fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {}", self.out))
    }

    /// Fails the test unless standard error holds each of these.
    #[track_caller]
    fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "`{text}` is not in:\n{}", self.err);
        }
        self
    }
}

/// The folder of the package.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A flow that needs no tool.
const DOUBLE: &str = "\
/// Doubles a number.
flow double(
    /// The number.
    n: int,
    labels: list<string> = [],
    loud: bool = false,
) -> { n: int, labels: list<string>, loud: bool } {
    return { n: n * 2, labels, loud }
}
";
