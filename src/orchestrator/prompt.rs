//! What a model is told of the workflows and tools there are: a section of its system prompt. Short, since every turn of a
//! conversation pays for it; the same text for the same workflows and tools, so that it can be cached.

use std::fmt::Write;

use super::{Orchestrator, Workflow};
use crate::program::Expr;
use crate::types::{Field, Signature, Text, Type};
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
        (Some(default), _) if !default.is_null() => format!("{}: {} = {default}", param.name, param.ty),
        (_, true) => format!("{}: {}", param.name, param.ty),
        (_, false) => format!("{}?: {}", param.name, param.ty.without_null()),
    });
    format!("{}{generics}({}) -> {}", tool.name, params.collect::<Vec<_>>().join(", "), fields(&tool.result))
}

/// A type with the fields of the records in it written out, named ones too: to a model a name alone says nothing.
fn fields(ty: &Type) -> String {
    match ty {
        Type::Record(record) => {
            let field = |(name, field): (&Text, &Field)| {
                format!("{name}{}: {}", if field.optional { "?" } else { "" }, fields(&field.ty))
            };
            format!("{{ {} }}", record.fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Type::List(of) => format!("list<{}>", fields(of)),
        Type::Map(of) => format!("map<{}>", fields(of)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::analyze;
    use crate::run::{Engine, ToolError, tool};
    use crate::source::{NoLoader, SourceFile};

    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Lookup {
        word: String,
        #[serde(default)]
        limit: Option<i64>,
    }

    #[test]
    fn what_a_model_reads() {
        let lookup = tool("dictionary.lookup", "Looks a word up. It is slow.", |args: Lookup| async move {
            Ok::<_, ToolError>(vec![args.word; args.limit.unwrap_or(1) as usize])
        });
        let engine = Engine::builder().tool(lookup).build().expect("an engine");
        let mut orchestrator = Orchestrator::new(engine);
        let source = "/// Finds words.\n@trigger(\"words like {word}\")\nflow words(word: string, most: int = 3, wait?: duration) -> Found {\n    \
                      return { all: [{ word, most }], wait: wait }\n}\ntype Found = { all: list<Row>, wait: duration? }\n\
                      type Row = { word: string, most: int }";
        orchestrator.add(SourceFile::new("a.flow", source), &NoLoader).expect("a clean source");
        let prompt = orchestrator.prompt(|tool| tool.namespace() == "dictionary");
        let told = prompt.split("## Writing a flow").next().expect("what comes before");
        insta::assert_snapshot!(told, @r#"
        ## Workflows

        A workflow does in one call what would take many, and returns only what matters. Where one fits the request, call it instead of single tools; do not call the tools again to check its result.

        - `words(word: string, most: int = 3, wait?: duration) -> { all: list<{ word: string, most: int }>, wait: duration? }`: Finds words. For requests like "words like {word}".

        ## Tools

        - `dictionary.lookup(word: string, limit?: int) -> list<string>`: Looks a word up.

        Pictures and files are stored when a tool returns them; you get `{ url, mime_type, size }`, of pictures `width` and `height` too. Show the `url`; never ask for the bytes, and upload nothing yourself.
        "#);
    }

    #[test]
    fn what_it_says_of_writing_flows_is_true() {
        let block = WRITING.split("```flow\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let source = SourceFile::new("writing.flow", block);
        let analysis = analyze(source.clone(), &crate::tools::standard::catalog(), &NoLoader);
        assert!(analysis.diagnostics.is_empty(), "{:?}", analysis.diagnostics);
        assert_eq!(crate::format::format(&source).ok().as_deref(), Some(block));
    }
}
