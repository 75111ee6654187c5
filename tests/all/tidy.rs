//! Holds the rooms' imports to the table in `docs/architecture.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[test]
fn rooms_import_only_what_the_architecture_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = table(&std::fs::read_to_string(root.join("docs/architecture.md")).expect("the map is there"));
    assert!(table.len() > 10, "the table of rooms was not found");
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(root.join("src")).expect("src is there").flatten().filter(|e| e.path().is_dir()) {
        let room = entry.file_name().to_string_lossy().into_owned();
        let Some(allowed) = table.get(&room) else {
            wrong.push(format!("src/{room}: a room that docs/architecture.md does not name"));
            continue;
        };
        // What a test needs is no part of the house.
        let tests = |file: &PathBuf| file.to_string_lossy().ends_with("tests.rs");
        for file in rust_files(&entry.path()).into_iter().filter(|file| !tests(file)) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
            for other in imports(text) {
                let known = table.contains_key(&other) && other != room;
                if known && !allowed.contains(&other) && !allowed.contains(&"*".to_owned()) {
                    wrong.push(format!("{}: `{room}` imports `{other}`", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each room with those it may import; `*` for all. `all the above` is written out.
fn table(map: &str) -> BTreeMap<String, Vec<String>> {
    let mut rooms: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in map.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (Some(room), Some(may)) = (cells.first(), cells.last()) else { continue };
        let allowed = match may.trim() {
            "all" => vec!["*".to_owned()],
            "all the above" => rooms.keys().cloned().collect(),
            names => quoted(names),
        };
        rooms.insert(room.trim_matches('`').to_owned(), allowed);
    }
    rooms
}

fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rooms that a text reaches by `crate::room`.
fn imports(text: &str) -> Vec<String> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    code.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect())
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of src").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}
