//! `flowc explain`: the page of an error's code.

mod pages;

use super::markdown;
use super::output::{Status, columns, misused, out, out_raw, paint_out};
use crate::diagnostic::{CODES, Code, Severity, nearest};

/// Explain the code of an error or warning.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Such as E0301; without one, all codes are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(super) fn explain(args: &Args) -> Status {
    let Some(wanted) = &args.code else {
        list();
        return Status::Fine;
    };
    let Some(code) = Code::find(wanted.trim()) else {
        let near = nearest(wanted, CODES.iter().map(|code| code.id));
        let hint = near.map_or_else(
            || "`flowc explain` lists them all".to_owned(),
            |near| format!("did you mean `{near}`? `flowc explain` lists them all"),
        );
        return misused(format_args!("there is no code `{wanted}`; {hint}"));
    };
    match pages::page(code.id) {
        Some(page) => out_raw(markdown::draw(page, columns(), &paint_out())),
        None => out(format_args!("{}: {}", code.id, code.title)),
    }
    Status::Fine
}

fn list() {
    for code in CODES {
        let style = match code.severity {
            Severity::Error => paint_out().red(),
            Severity::Warning => paint_out().yellow(),
        };
        out(format_args!("{}  {}", style.apply_to(code.id), code.title));
    }
}
