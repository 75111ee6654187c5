//! `flowc tools`: the tools that flows can call here.

mod call;
mod login;
mod sync;

use std::path::PathBuf;

use clap::Subcommand;
use console::Style;

use super::host;
use super::output::{Status, brief, columns, count, misused, out, out_raw, paint_out};
use super::{markdown, report};
use crate::diagnostic::nearest;
use crate::types::{Annotations, Catalog, Signature};

/// List the tools that flows can call, show one, ask servers for theirs, or call one.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// The project's folder
    #[arg(long, global = true, default_value = ".", value_name = "FOLDER")]
    project: PathBuf,
    /// Write JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum What {
    /// List all tools, or those of a namespace
    List {
        /// Such as web
        namespace: Option<String>,
    },
    /// Show a tool's parameters, result and effects
    Show {
        /// Such as web.scrape
        tool: String,
    },
    /// Ask every MCP server and OpenAPI document for its tools, and write them into flow.lock
    Sync {
        /// Write nothing; exit with 1 where flow.lock is out of date
        #[arg(long)]
        check: bool,
    },
    Call(call::Args),
    /// Log in to an MCP server of `flow.toml`, in a browser
    Login {
        /// The namespace of its tools
        namespace: String,
    },
    /// Print the JSON Schema of `flow.toml`, for editors
    Schema,
}

pub(super) fn tools(args: &Args) -> Status {
    match &args.what {
        Some(What::Schema) => {
            out(report::pretty(&crate::project::schema()));
            return Status::Fine;
        }
        Some(What::Sync { check }) => return sync::sync(&args.project, *check),
        Some(What::Call(call)) => return call::call(call, &args.project),
        Some(What::Login { namespace }) => return login::login(namespace, &args.project),
        _ => {}
    }
    let catalog = match host::project_at(&args.project) {
        Ok(project) => host::known(&project),
        Err(status) => return status,
    };
    match &args.what {
        Some(What::Show { tool }) => show(tool, &catalog, args.json),
        Some(What::List { namespace }) => list(namespace.as_deref(), &catalog, args.json),
        _ => list(None, &catalog, args.json),
    }
}

/// Says that there is no such tool.
fn unknown(name: &str, catalog: &Catalog) -> Status {
    let near = nearest(name, catalog.iter().map(|tool| tool.name.as_str()));
    let near = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
    misused(format_args!("there is no tool `{name}`{near}"))
}

fn list(namespace: Option<&str>, catalog: &Catalog, json: bool) -> Status {
    let wanted = |tool: &Signature| namespace.is_none_or(|namespace| tool.namespace() == namespace);
    let tools: Vec<&Signature> = catalog.iter().map(AsRef::as_ref).filter(|tool| wanted(tool)).collect();
    if let (true, Some(namespace)) = (tools.is_empty(), namespace) {
        let near = nearest(namespace, catalog.iter().map(|tool| tool.namespace()));
        let near = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        return misused(format_args!("there is no namespace `{namespace}`{near}"));
    }
    if json {
        out(report::pretty(&serde_json::json!({ "tools": tools })));
        return Status::Fine;
    }
    let widest = tools.iter().map(|tool| tool.name.len()).max().unwrap_or_default();
    for tool in tools {
        let name = paint_out().cyan().apply_to(format!("{:widest$}", tool.name));
        let first = tool.doc.split_inclusive(['.', '\n']).next().unwrap_or_default().trim();
        let room = columns().saturating_sub(widest + 2);
        out(format_args!("{name}  {}", console::truncate_str(first.trim_end_matches('.'), room, "…")));
    }
    Status::Fine
}

fn show(name: &str, catalog: &Catalog, json: bool) -> Status {
    let Some(tool) = catalog.get(name) else { return unknown(name, catalog) };
    if json {
        out(report::pretty(&serde_json::json!(**tool)));
        return Status::Fine;
    }
    let (bold, dim) = (paint_out().bold(), paint_out().dim());
    out(bold.apply_to(&tool.name));
    out("");
    out_raw(markdown::draw(&tool.doc, columns(), &paint_out()));
    out("");
    for param in &tool.params {
        let mark = if param.required { "" } else { "?" };
        let default = param.default.as_ref().map(|default| format!(" = {default}")).unwrap_or_default();
        out(format_args!("  {}{mark}: {}{default}", paint_out().cyan().apply_to(&param.name), param.ty));
        if !param.doc.is_empty() {
            out(format_args!("      {}", dim.apply_to(&param.doc)));
        }
    }
    out(format_args!("  -> {}", result(tool)));
    out("");
    for line in effects(&tool.annotations, &dim) {
        out(line);
    }
    Status::Fine
}

/// The result's type; a record's fields, one a line.
fn result(tool: &Signature) -> String {
    match &tool.result {
        crate::types::Type::Record(record) => {
            let field = |(name, field): (&crate::types::Text, &crate::types::Field)| {
                format!("       {name}{}: {},\n", if field.optional { "?" } else { "" }, field.ty)
            };
            format!("{{\n{}     }}", record.fields.iter().map(field).collect::<String>())
        }
        other => other.to_string(),
    }
}

fn effects(annotations: &Annotations, dim: &Style) -> Vec<String> {
    let mut facts = Vec::new();
    let flags = [
        (annotations.read_only, "read-only", "may change something"),
        (annotations.idempotent, "idempotent: twice is the same as once", ""),
        (annotations.destructive, "destructive", ""),
    ];
    for (flag, yes, no) in flags {
        match flag {
            Some(true) => facts.push(yes.to_owned()),
            Some(false) if !no.is_empty() => facts.push(no.to_owned()),
            _ => {}
        }
    }
    facts.extend(annotations.key.as_ref().map(|key| format!("`{key}` takes the idempotency key")));
    facts.extend(annotations.cost_usd.map(|cost| format!("at most {cost} USD a call")));
    facts.extend(annotations.timeout.map(|timeout| format!("at most {} an attempt", brief(timeout))));
    facts.extend(annotations.retry.map(|retry| format!("tried again {} at most", count(retry.count as usize, "time"))));
    facts.into_iter().map(|fact| dim.apply_to(format!("  {fact}")).to_string()).collect()
}
