//! `flowc new`: a project that checks, tests and runs as it is, without a network.

use std::path::{Path, PathBuf};

use super::output::{Status, misused, out, paint_out};
use crate::syntax::is_reserved;

/// Begin a project: a flow with its tests, and a configuration.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The folder to make
    #[arg(value_name = "NAME")]
    name: PathBuf,
}

/// What a new project holds; `%NAME%` stands for its name, `%FLOW%` for its flow's.
const FILES: [(&str, &str); 5] = [
    ("%FLOW%.flow", include_str!("new/flow.flow")),
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
    let flow = flow_name(&name);
    let fill = |text: &str| text.replace("%NAME%", &name).replace("%FLOW%", &flow);
    if let Err(why) = write(folder, &fill) {
        return misused(format_args!("`{}` cannot be made: {why}", folder.display()));
    }
    let code = paint_out().cyan();
    out(format_args!("made `{}` with {}", folder.display(), fill(&FILES.map(|(file, _)| file).join(", "))));
    out("");
    for (command, what) in [
        (format!("cd {}", folder.display()), ""),
        ("flowc check .".to_owned(), "says what is wrong, before anything runs"),
        ("flowc test".to_owned(), "runs the tests, with mocked tools and in virtual time"),
        (format!("flowc run {flow}.flow --name Ada"), "runs it"),
    ] {
        out(format!("  {}  {what}", code.apply_to(format!("{command:<34}"))).trim_end());
    }
    Status::Fine
}

fn write(folder: &Path, fill: &dyn Fn(&str) -> String) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (file, text) in FILES {
        std::fs::write(folder.join(fill(file)), fill(text))?;
    }
    Ok(())
}

/// A name for the flow: the folder's, where that makes one.
fn flow_name(name: &str) -> String {
    let flow: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let flow = flow.trim_matches('_');
    let taken = is_reserved(flow) || ["shared", "numbers", "greet"].contains(&flow);
    let begins = flow.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins && !taken { flow.to_owned() } else { "main".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::flow_name;

    #[test]
    fn flows_are_named_like_the_folder_where_that_is_a_name() {
        assert_eq!(flow_name("Price-Watch"), "price_watch");
        assert_eq!(flow_name("match"), "main");
        assert_eq!(flow_name("2026"), "main");
    }
}
