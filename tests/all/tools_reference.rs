//! `docs/reference/tools.md` is what the standard catalog says. `FLOW_UPDATE=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use flowc::tools::standard::{self, Namespace};
use flowc::types::{Annotations, Param, RecordType, Signature, Type, UnionType};

const HEAD: &str = "\
# Tools

<!-- Generated from the standard catalog by tests/all/tools_reference.rs: change it there, then run the tests with
     FLOW_UPDATE=1. -->

What every flow can call without declaring it. A tool that nothing provides here is still checked; calling it fails with
kind `denied` and says how to configure it. `http`, `web`, `time`, `random`, `log`, `human` and `signal` need nothing. The others
want a table in `flow.toml` that says with what key they are reached: [Providers](../providers.md) has one for each. The program that
embeds the interpreter may also register tools of the same names, or a service of yours may stand in for them:

```toml
[secrets]
SEARCH_TOKEN = { env = \"SEARCH_TOKEN\" }

[provide.brave]
endpoint = \"https://tools.example/flow\"   # brave.search is posted to https://tools.example/flow/brave.search
bearer = \"SEARCH_TOKEN\"
```

A call is then a `POST` of the arguments as a JSON object, with the headers `Idempotency-Key`, `Flow-Run`, `Flow-Step` and
`Flow-Attempt`. The body of a 2xx answer is the result as JSON; that of any other may say more as
`{ \"error\": { \"kind\", \"message\", \"retryable\", \"details\" } }`.

Parameters marked `?` may be left out.
";

#[test]
fn the_reference_is_what_the_catalog_says() {
    let mut page = HEAD.to_owned();
    for namespace in standard::namespaces() {
        write_namespace(&mut page, namespace).expect("a String takes everything");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/tools.md");
    if std::env::var_os("FLOW_UPDATE").is_some() {
        std::fs::write(&path, &page).expect("the reference can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/reference/tools.md is out of date: run the tests with FLOW_UPDATE=1");
}

fn write_namespace(page: &mut String, namespace: &Namespace) -> std::fmt::Result {
    writeln!(page, "\n## {}\n\n{}", namespace.name, namespace.doc)?;
    let mut types = BTreeMap::new();
    for tool in &namespace.tools {
        write_tool(page, tool, &mut types)?;
    }
    if !types.is_empty() {
        writeln!(page, "\n### Types of `{}`", namespace.name)?;
    }
    for (name, ty) in types {
        writeln!(page, "\n```text\ntype {name} = {}\n```", body(&ty))?;
    }
    Ok(())
}

fn write_tool(page: &mut String, tool: &Signature, types: &mut BTreeMap<String, Type>) -> std::fmt::Result {
    let generics = if tool.generics.is_empty() { String::new() } else { format!("<{}>", tool.generics.join(", ")) };
    let params: Vec<_> = tool
        .params
        .iter()
        .map(|param| format!("{}{}: {}", param.name, if param.required { "" } else { "?" }, shown(&param.ty)))
        .collect();
    let line = format!("{}{generics}({}) -> {}", tool.name, params.join(", "), tool.result);
    let line = if line.len() <= 100 {
        line
    } else {
        format!("{}{generics}(\n    {},\n) -> {}", tool.name, params.join(",\n    "), tool.result)
    };
    writeln!(page, "\n### {}\n\n```text\n{line}\n```\n\n{}", tool.name, tool.doc)?;
    let facts = facts(&tool.annotations);
    if !facts.is_empty() {
        writeln!(page, "\n*{facts}*")?;
    }
    if !tool.params.is_empty() {
        writeln!(page, "\n| parameter | default | |\n| --- | --- | --- |")?;
    }
    for param in &tool.params {
        writeln!(page, "| `{}` | {} | {} |", param.name, default(param), param.doc)?;
    }
    collect(&tool.result, types);
    for param in &tool.params {
        collect(&param.ty, types);
    }
    let Type::Record(result) = &tool.result else { return Ok(()) };
    if result.fields.values().any(|field| !field.doc.is_empty()) {
        write_fields(page, result)?;
        types.remove(result.name.as_deref().unwrap_or_default());
    }
    Ok(())
}

fn write_fields(page: &mut String, result: &RecordType) -> std::fmt::Result {
    let name = result.name.as_deref().unwrap_or("the result");
    writeln!(page, "\n| field of `{name}` | type | |\n| --- | --- | --- |")?;
    for (name, field) in &result.fields {
        let ty = field.ty.to_string().replace('|', "\\|");
        writeln!(page, "| `{name}` | `{ty}` | {} |", field.doc)?;
    }
    Ok(())
}

fn default(param: &Param) -> String {
    match &param.default {
        Some(default) => format!("`{default}`"),
        None if param.required => "required".to_owned(),
        None => String::new(),
    }
}

fn facts(annotations: &Annotations) -> String {
    let mut facts = Vec::new();
    let mut say = |known: Option<bool>, text: &str| {
        if known == Some(true) {
            facts.push(text.to_owned());
        }
    };
    say(annotations.read_only, "read-only");
    say(annotations.idempotent, "idempotent");
    say(annotations.destructive, "destructive");
    facts.extend(annotations.cost_usd.map(|usd| format!("{usd} USD a call")));
    facts.join(", ")
}

/// A parameter's type: named unions of literals are written out, since their members are what one types.
fn shown(ty: &Type) -> String {
    match ty {
        Type::Union(union) if union.name.is_some() => members(union, " | "),
        other => other.to_string(),
    }
}

fn members(union: &UnionType, between: &str) -> String {
    union.members.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// A named type's own form.
fn body(ty: &Type) -> String {
    match ty {
        Type::Record(record) => {
            let fields = record
                .fields
                .iter()
                .map(|(name, field)| format!("    {name}{}: {},\n", if field.optional { "?" } else { "" }, field.ty));
            format!("{{\n{}}}", fields.collect::<String>())
        }
        Type::Union(union) => members(union, " | "),
        other => other.to_string(),
    }
}

/// The named types inside a type.
fn collect(ty: &Type, into: &mut BTreeMap<String, Type>) {
    match ty {
        Type::List(of) | Type::Map(of) | Type::Schema(of) => collect(of, into),
        Type::Record(record) => {
            if let Some(name) = &record.name {
                into.insert(name.to_string(), ty.clone());
            }
            record.fields.values().for_each(|field| collect(&field.ty, into));
        }
        Type::Union(union) => {
            if let Some(name) = &union.name {
                into.insert(name.to_string(), ty.clone());
            }
            union.members.iter().for_each(|member| collect(member, into));
        }
        _ => {}
    }
}
