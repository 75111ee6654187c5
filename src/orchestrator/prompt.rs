//! What a model is told of the workflows and tools there are: a section of its system prompt. Short, since every turn of a
//! conversation pays for it; the same text for the same workflows and tools, so that it can be cached.

use std::fmt::Write;

use super::{Orchestrator, Workflow};
use crate::program::Expr;
use crate::types::{Signature, Type};
use crate::value::Value;

/// How to write a flow, in as few words as do.
const WRITING: &str = include_str!("writing.md");

impl Orchestrator {
    /// The section: the workflows, the tools that `include` wants with their signatures, what becomes of pictures, and how to
    /// write a flow. Markdown.
    pub fn prompt(&self, include: impl Fn(&Signature) -> bool) -> String {
        let mut text = String::new();
        if self.workflows().len() > 0 {
            text.push_str(
                "## Workflows\n\nA workflow does in one call what would take many, and returns only what matters. Where one fits \
                 the request, call it instead of single tools; do not call the tools again to check its result.\n\n",
            );
            for workflow in self.workflows() {
                describe(&mut text, workflow);
            }
            text.push('\n');
        }
        let mut tools = self.engine.catalog().iter().filter(|tool| include(tool)).peekable();
        if tools.peek().is_some() {
            text.push_str("## Tools\n\n");
            for tool in tools {
                let _ = writeln!(text, "- `{}`: {}", signature(tool), first_sentence(&tool.doc));
            }
            text.push_str(
                "\nPictures and files are stored when a tool returns them; you get `{ url, mime_type, size }`, of pictures \
                 `width` and `height` too. Show the `url`; never ask for the bytes, and upload nothing yourself.\n\n",
            );
        }
        text.push_str(WRITING);
        text
    }
}

fn describe(text: &mut String, workflow: &Workflow) {
    let flow = workflow.flow();
    let _ = write!(text, "- `{}(", flow.name);
    for (at, param) in flow.params.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let _ = match &param.default {
            Some(Expr::Const(constant)) => write!(text, "{comma}{}: {} = {}", param.name, param.ty, shown(&constant.0)),
            _ if param.optional => write!(text, "{comma}{}?: {}", param.name, param.ty.without_null()),
            _ => write!(text, "{comma}{}: {}", param.name, param.ty),
        };
    }
    let _ = write!(text, ") -> {}`: {}", fields(&flow.result), flow.doc.trim().replace('\n', " "));
    if !flow.triggers.is_empty() {
        let triggers: Vec<_> = flow.triggers.iter().map(|trigger| format!("\"{trigger}\"")).collect();
        let _ = write!(text, " For requests like {}.", triggers.join(", "));
    }
    text.push('\n');
}

fn signature(tool: &Signature) -> String {
    let generics = if tool.generics.is_empty() { String::new() } else { format!("<{}>", tool.generics.join(", ")) };
    let params = tool.params.iter().map(|param| match (&param.default, param.required) {
        (Some(default), _) => format!("{}: {} = {default}", param.name, param.ty),
        (None, true) => format!("{}: {}", param.name, param.ty),
        (None, false) => format!("{}?: {}", param.name, param.ty.without_null()),
    });
    format!("{}{generics}({}) -> {}", tool.name, params.collect::<Vec<_>>().join(", "), fields(&tool.result))
}

/// A type with the fields of the record that it is, or lists, written out.
fn fields(ty: &Type) -> String {
    match ty {
        Type::Record(record) => record.to_string(),
        Type::List(of) => format!("list<{}>", fields(of)),
        Type::Union(_) if ty.allows_null() && ty.members().len() == 2 => format!("{}?", fields(&ty.without_null())),
        other => other.to_string(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Duration(_) => value.to_json_text().trim_matches('"').to_owned(),
        other => other.to_json_text(),
    }
}

fn first_sentence(doc: &str) -> &str {
    let doc = doc.trim();
    doc.find(". ").map_or(doc, |end| doc.get(..=end).unwrap_or(doc)).lines().next().unwrap_or_default()
}
