//! A server that does what it should not. It is this test binary itself, started again: what libtest prints before it
//! is noise that a client has to bear anyway.

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

/// The variable that makes the binary a server, and what kind of one.
pub(crate) const MODE: &str = "FLOW_TEST_SERVER";

/// The command that starts it.
pub(crate) fn command() -> Vec<String> {
    let binary = std::env::current_exe().expect("this binary").to_string_lossy().into_owned();
    let arguments =
        ["--exact", "mcp::misbehaving::is_a_server_when_it_is_started_as_one", "--nocapture", "--test-threads=1"];
    std::iter::once(binary).chain(arguments.map(str::to_owned)).collect()
}

#[test]
fn is_a_server_when_it_is_started_as_one() {
    if let Ok(mode) = std::env::var(MODE) {
        serve(&mode);
        std::process::exit(0);
    }
}

fn serve(mode: &str) {
    if mode == "refuses to start" {
        die("the configuration is missing", 3);
    }
    // libtest has begun a line.
    write(b"\n");
    let mut cancelled = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Json>(&line) else { continue };
        if message["method"] == "notifications/cancelled" {
            cancelled.push(message["params"]["requestId"].clone());
        }
        let Some(id) = message.get("id") else { continue };
        match message["method"].as_str().unwrap_or_default() {
            "initialize" => {
                let version = if mode == "speaks the future" { "2031-01-01" } else { "2024-11-05" };
                let server = json!({ "name": "misbehaving", "version": "1" });
                let result =
                    json!({ "protocolVersion": version, "capabilities": { "tools": {} }, "serverInfo": server });
                answer(id, &result);
            }
            "tools/list" => answer(id, &json!({ "tools": tools(mode) })),
            "tools/call" => call(id, message["params"]["name"].as_str().unwrap_or_default(), &cancelled),
            _ => {}
        }
    }
    if mode == "stays when its input ends" {
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
}

fn tools(mode: &str) -> Vec<Json> {
    let names = ["die", "huge", "silent", "garbage", "else", "breed", "cancelled", "fine"];
    let mut input = json!({ "type": "object", "properties": { "limit": { "type": "integer" } } });
    match mode {
        "takes more" => input["properties"]["more"] = json!({ "type": "string" }),
        "takes less" => input["properties"] = json!({}),
        _ => {}
    }
    names.iter().map(|name| json!({ "name": name, "inputSchema": input })).collect()
}

fn answer(id: &Json, result: &Json) {
    write(json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string().as_bytes());
    write(b"\n");
}

fn text(id: &Json, text: &str) {
    answer(id, &json!({ "content": [{ "type": "text", "text": text }] }));
}

fn write(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    // A client that has gone away is no failure of this test.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn call(id: &Json, tool: &str, cancelled: &[Json]) {
    match tool {
        "die" => die("out of cheese", 7),
        "huge" => {
            write(
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"")
                    .as_bytes(),
            );
            let much = vec![b'x'; 1 << 20];
            (0..1024).for_each(|_| write(&much));
            write(b"\"}]}}\n");
        }
        "silent" => {}
        "garbage" => {
            write(b"Starting up...\n\n{\"level\":\"info\"}\n{\"jsonrpc\":\"2.0\",\"id\":\n[]\n\xff\xfe\x00\n");
            text(id, "after all that");
        }
        "else" => answer(id, &json!({ "nonsense": true })),
        "breed" => {
            let sleeper = |command: &mut Command| {
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a child").id()
            };
            let stubborn = sleeper(Command::new("sh").args(["-c", "trap '' INT TERM HUP; sleep 600; sleep 600"]));
            let elsewhere = sleeper(Command::new("setsid").args(["sh", "-c", "sleep 600 & sleep 600"]));
            text(id, &json!([stubborn, elsewhere]).to_string());
        }
        "cancelled" => text(id, &json!(cancelled).to_string()),
        _ => text(id, "fine"),
    }
}

fn die(words: &str, status: i32) -> ! {
    let _ = writeln!(std::io::stderr(), "{words}");
    std::process::exit(status)
}
