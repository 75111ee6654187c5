//! From what the user named to source files: folders are walked, `-` is standard input.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::source::SourceFile;

/// The name under which standard input is shown.
pub(super) const STDIN: &str = "<stdin>";

/// Folders that hold no sources of the project's own.
const PASSED_OVER: [&str; 3] = ["target", "node_modules", "vendor"];

/// Reads what was named, each file once, in the order named; a folder's files by name.
///
/// # Errors
/// A sentence that says which one cannot be read, and why.
pub(super) fn read_all(named: &[PathBuf]) -> Result<Vec<SourceFile>, String> {
    let mut paths = Vec::new();
    for path in named {
        if path.is_dir() {
            walk(path, &mut paths).map_err(|why| unreadable(path, &why))?;
        } else {
            paths.push(path.clone());
        }
    }
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    if paths.is_empty() {
        let places: Vec<String> = named.iter().map(|path| format!("`{}`", path.display())).collect();
        return Err(format!("there is no `.flow` file in {}", places.join(", ")));
    }
    paths.iter().map(|path| read(path)).collect()
}

/// Reads one file, or standard input for `-`.
///
/// # Errors
/// A sentence that says why it cannot be read.
pub(super) fn read(path: &Path) -> Result<SourceFile, String> {
    if path != Path::new("-") {
        return SourceFile::read(path).map_err(|why| unreadable(path, &why));
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|why| unreadable(Path::new(STDIN), &why))?;
    Ok(SourceFile::new(STDIN, text))
}

/// Finds the `.flow` files under a folder; hidden folders and those of other tools are passed over, links are not
/// followed.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (kind, path) = (entry.file_type()?, entry.path());
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if kind.is_dir() && !name.starts_with('.') && !PASSED_OVER.contains(&name.as_ref()) {
            walk(&path, found)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "flow") {
            found.push(path.strip_prefix("./").map_or_else(|_| path.clone(), Path::to_path_buf));
        }
    }
    Ok(())
}

fn unreadable(path: &Path, why: &std::io::Error) -> String {
    let why = match why.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => why.to_string(),
    };
    format!("`{}` cannot be read: {why}", path.display())
}
