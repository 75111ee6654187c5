//! A backend that embeds the interpreter: its own functions are the tools, a flow chains them, events go to whoever
//! listens, and the result comes back as a Rust type. `cargo run --example embed`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;

use flowc::diagnostic::Diagnostics;
use flowc::program::Program;
use flowc::run::{Engine, EventKind, ToolError, tool};
use flowc::source::SourceFile;
use flowc::value::ErrorKind;
use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `crm.find` takes. The fields are the tool's parameters; their comments are its documentation.
#[derive(Deserialize, JsonSchema)]
struct Find {
    /// The customer's address.
    email: String,
}

/// What `crm.find` gives.
#[derive(Serialize, JsonSchema)]
struct Customer {
    name: String,
    plan: Plan,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Plan {
    Free,
    Business,
}

/// What `tickets.open` takes.
#[derive(Deserialize, JsonSchema)]
struct Open {
    /// The first line.
    subject: String,
    /// Who is served first.
    urgent: bool,
    /// Makes a second delivery harmless.
    request: Option<String>,
}

/// What `tickets.open` gives.
#[derive(Serialize, JsonSchema)]
struct Ticket {
    number: i64,
}

/// The flow. It may as well come from a file, a database or a model: it is checked before it runs.
const SOURCE: &str = r#"
/// Opens a ticket for everyone who wrote, and says which could not be opened.
flow triage(emails: list<string>) -> { opened: list<Opened>, unknown: list<string> } {
    step found "Look {{emails.length}} senders up" = parallel for email in emails limit 4 {
        step customer = try crm.find(email)
        yield { email, customer }
    }
    step opened "Open the tickets" = for sender in found {
        if sender.customer.success {
            let customer = sender.customer.result
            step ticket = tickets.open(
                subject: "{{customer.name}} wrote",
                urgent: customer.plan == "business",
            )
            yield { name: customer.name, ticket: ticket.number }
        }
    }
    return { opened, unknown: found.filter(sender => not sender.customer.success).map(sender => sender.email) }
}

type Opened = { name: string, ticket: int }
"#;

/// What the flow returns, as this program wants it.
#[derive(Debug, Deserialize)]
struct Triage {
    opened: Vec<Opened>,
    unknown: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Opened {
    name: String,
    ticket: i64,
}

async fn find(args: Find) -> Result<Customer, ToolError> {
    match args.email.as_str() {
        "ada@example.com" => Ok(Customer { name: "Ada".into(), plan: Plan::Business }),
        "bob@example.com" => Ok(Customer { name: "Bob".into(), plan: Plan::Free }),
        other => Err(ToolError::new(ErrorKind::Tool, format!("`{other}` is no customer"))),
    }
}

async fn open(args: Open) -> Result<Ticket, ToolError> {
    println!("             opening “{}”{}", args.subject, if args.urgent { ", at once" } else { "" });
    // A real tracker would keep `request` and answer with the same ticket when it comes again.
    let number = args.request.map_or(0, |key| key.bytes().map(i64::from).sum());
    Ok(Ticket { number })
}

/// An engine is put together once and serves every run.
fn engine() -> Result<Engine, flowc::run::BuildError> {
    Engine::builder()
        .tool(tool("crm.find", "Finds a customer by address.", find).read_only())
        .tool(tool("tickets.open", "Opens a ticket.", open).key("request"))
        .build()
}

fn program(engine: &Engine) -> Result<Arc<Program>, Diagnostics> {
    engine.compile(SourceFile::new("triage.flow", SOURCE))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = engine()?;
    let program = program(&engine)?;
    let emails = ["ada@example.com", "bob@example.com", "eve@example.com"];
    let run = engine.start(&program, "triage", serde_json::json!({ "emails": emails }))?;

    // Each event is numbered and serializes to JSON: forward it to a browser as it is.
    let mut events = run.events();
    while let Some(event) = events.next().await {
        match &event.kind {
            EventKind::StepStarted { path, title, action, .. } => {
                println!("{:>4} started   {path}  {}", event.number, title.as_deref().unwrap_or(action));
            }
            EventKind::StepFailed { path, error, .. } => println!("{:>4} failed    {path}  {error}", event.number),
            other => println!("{:>4} {}", event.number, other.name()),
        }
    }

    let triage: Triage = run.output().await?;
    for opened in &triage.opened {
        println!("ticket {} for {}", opened.ticket, opened.name);
    }
    println!("unknown: {}", triage.unknown.join(", "));
    Ok(())
}
