//! Disks that fail: `tests/faults/disk.c`, which says how they are named, compiled and preloaded into a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the folder of all disks stands in the environment of a process.
const UNDER: &str = "FAULTS_UNDER";

/// A folder whose folders are disks, for the processes that it is given to.
pub(crate) struct Disks {
    folder: tempfile::TempDir,
}

impl Disks {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/disk.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut compile = Command::new(compiler);
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.path().join("disk.so")).arg(source).arg("-ldl");
        let compiled = compile.output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { folder }
    }

    /// The folder, by the name that processes see.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// Has a process keep its files on these disks.
    pub(crate) fn under(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.root().join("disk.so")).env(UNDER, self.root());
    }
}

/// Runs a test again in a process of its own, in which the folders of a folder are disks that fail. Gives what that
/// process wrote.
pub(crate) fn alone(test: &str, work: impl FnOnce(&Path)) {
    if let Some(under) = std::env::var_os(UNDER) {
        return work(Path::new(&under));
    }
    let disks = Disks::new();
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", test, "--nocapture"]);
    disks.under(&mut again);
    let ended = again.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    if full() {
        tell(&said);
    }
}

/// Says how much was tried.
#[allow(clippy::print_stdout, reason = "tests say it where they are asked to show what they say")]
pub(crate) fn tell(text: &str) {
    println!("{text}");
}

/// Whether all is to be tried, and not only as much as there is always time for: `FLOW_FAULTS=full`, or `FLOW_FAULTS=eio`
/// for one fault alone.
pub(crate) fn full() -> bool {
    std::env::var_os("FLOW_FAULTS").is_some()
}

/// Whether a fault is to be tried.
pub(crate) fn wanted(fault: &str) -> bool {
    std::env::var("FLOW_FAULTS").map_or(true, |only| only == "full" || only == fault)
}

/// A disk with these faults.
pub(crate) fn disk(under: &Path, faults: &str) -> PathBuf {
    let disk = under.join(faults);
    std::fs::create_dir_all(&disk).unwrap();
    disk
}

/// Whether a fault has come.
pub(crate) fn hit(disk: &Path) -> bool {
    beside(disk, "hit").exists()
}

/// Ends a fault that lasts.
pub(crate) fn mend(disk: &Path) {
    std::fs::write(beside(disk, "mended"), "").unwrap();
}

/// Forgets a disk.
pub(crate) fn clear(disk: &Path) {
    for folder in [disk.to_owned(), beside(disk, "left")] {
        let _ = std::fs::remove_dir_all(folder);
    }
    for mark in ["hit", "mended"] {
        let _ = std::fs::remove_file(beside(disk, mark));
    }
}

/// What the disk may hold after the power failed: where there are several states, their folders.
pub(crate) fn left(disk: &Path) -> PathBuf {
    beside(disk, "left")
}

/// What the disk held, or may hold after the power failed, on another one.
pub(crate) fn renamed(disk: &Path, faults: &str) -> PathBuf {
    let (left, next) = (left(disk), disk.with_file_name(faults));
    if left.exists() {
        std::fs::remove_dir_all(disk).unwrap();
        std::fs::rename(left, &next).unwrap();
    } else {
        std::fs::rename(disk, &next).unwrap();
    }
    next
}

fn beside(disk: &Path, what: &str) -> PathBuf {
    disk.with_file_name(format!("{}.{what}", disk.file_name().unwrap().to_str().unwrap()))
}
