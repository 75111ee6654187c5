//! Every tool that real servers listed maps to types, and little of it is `json`.

use std::path::Path;

use flowc::types::{Signature, Type};
use serde_json::Value as Json;

/// Nodes of a type, and how many of them are `json`.
fn count(ty: &Type) -> (usize, usize) {
    let inner: Vec<(usize, usize)> = match ty {
        Type::Json => return (1, 1),
        Type::List(of) | Type::Map(of) | Type::Schema(of) => vec![count(of)],
        Type::Record(record) => record.fields.values().map(|field| count(&field.ty)).collect(),
        Type::Union(union) => union.members.iter().map(count).collect(),
        _ => Vec::new(),
    };
    inner.into_iter().fold((1, 0), |(nodes, json), (n, j)| (nodes + n, json + j))
}

#[test]
fn captured_servers_have_precise_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mcp/tools");
    let mut total = (0, 0, 0);
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the fixtures are there").flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    for file in files {
        let text = std::fs::read_to_string(file.path()).expect("a fixture");
        let list: Json = serde_json::from_str(&text).expect("JSON");
        let (mut tools, mut nodes, mut jsons) = (0, 0, 0);
        for tool in list["tools"].as_array().expect("a list of tools") {
            let output = tool.get("outputSchema").filter(|schema| schema.is_object());
            let name = tool["name"].as_str().expect("a name");
            let signature = Signature::from_json_schemas(name, "", &tool["inputSchema"], output);
            let declared = tool["inputSchema"]["properties"].as_object().map_or(0, serde_json::Map::len);
            assert!(signature.params.len() >= declared, "{name} lost a parameter");
            let result = output.map(|_| &signature.result);
            for ty in signature.params.iter().map(|param| &param.ty).chain(result) {
                let (n, j) = count(ty);
                nodes += n;
                jsons += j;
            }
            tools += 1;
        }
        println!("{:20} {tools:3} tools {nodes:5} nodes {jsons:3} json", file.file_name().to_string_lossy());
        total = (total.0 + tools, total.1 + nodes, total.2 + jsons);
    }
    let (tools, nodes, jsons) = total;
    println!("{tools} tools, {nodes} nodes, {jsons} json: {:.2} %", 100.0 * jsons as f64 / nodes as f64);
    assert!(tools > 90 && jsons * 50 < nodes, "more than 2 % of the nodes are json");
}
