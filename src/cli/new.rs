//! `flowc new`: a project that checks, tests and runs as it is, without a network.

use std::path::{Path, PathBuf};

use super::output::{Status, misused, out, paint_out};

/// Begin a project: a flow with its tests, and a configuration.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The folder to make
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

/// What a new project holds; `{name}` stands for its name.
const FILES: [(&str, &str); 5] = [
    ("main.flow", include_str!("new/main.flow")),
    ("shared.flow", include_str!("new/shared.flow")),
    ("flow.toml", include_str!("new/flow.toml")),
    ("README.md", include_str!("new/README.md")),
    (".gitignore", include_str!("new/gitignore")),
];

pub(super) fn new(args: &Args) -> Status {
    let folder = &args.name;
    let Some(name) = folder.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return misused(format_args!("`{}` is no name for a folder", folder.display()));
    };
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || folder.is_file() {
        return misused(format_args!("`{}` is there already, and not empty", folder.display()));
    }
    if let Err(why) = write(folder, &name) {
        return misused(format_args!("`{}` cannot be made: {why}", folder.display()));
    }
    let code = paint_out().cyan();
    out(format_args!("made `{}` with {}", folder.display(), FILES.map(|(file, _)| file).join(", ")));
    out("");
    for (command, what) in [
        (format!("cd {}", folder.display()), ""),
        ("flowc check .".to_owned(), "says what is wrong, before anything runs"),
        ("flowc test".to_owned(), "runs the tests, with mocked tools and in virtual time"),
        ("flowc run main.flow --name Ada".to_owned(), "runs it"),
    ] {
        out(format!("  {:<32}{what}", code.apply_to(command)).trim_end());
    }
    Status::Fine
}

fn write(folder: &Path, name: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (file, text) in FILES {
        std::fs::write(folder.join(file), text.replace("{name}", name))?;
    }
    Ok(())
}
