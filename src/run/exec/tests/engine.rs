use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::program::{Expr, Param, Stmt};
use crate::run::exec::tests::build::*;
use crate::run::{
    Engine, Event, EventKind, Hook, Journal, JournalError, Lease, Limits, Request, RequestKind, StartError,
    ToolContext, ToolError, tool, tool_in_context,
};
use crate::types::{Signature, Type};
use crate::value::{ErrorKind, Value};

/// A journal that knows what was durable when each event came.
#[derive(Default)]
struct Watched {
    events: Mutex<Vec<(Arc<Event>, usize)>>,
    durable: AtomicUsize,
    broken: AtomicBool,
}

impl Journal for Arc<Watched> {
    fn append(&self, _lease: &Lease, events: &[Arc<Event>]) {
        let durable = self.durable.load(Ordering::SeqCst);
        self.events.lock().unwrap().extend(events.iter().map(|event| (Arc::clone(event), durable)));
    }

    fn commit<'a>(&'a self, _lease: &'a Lease) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async {
            tokio::task::yield_now().await;
            if self.broken.load(Ordering::SeqCst) {
                return Err(JournalError::Broken("the disk is full".to_owned()));
            }
            self.durable.store(self.events.lock().unwrap().len(), Ordering::SeqCst);
            Ok(())
        })
    }
}

fn with_journal(journal: &Arc<Watched>) -> Engine {
    let (engine, _) = engine(Limits::default());
    let tools = engine.registry().iter().filter(|tool| tool.signature().namespace() == "test").cloned();
    Engine::builder().tools(tools.collect::<Vec<_>>()).journal(Arc::clone(journal)).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_result_is_durable_before_anything_uses_it() {
    let journal = Arc::new(Watched::default());
    let engine = with_journal(&journal);
    let body = (0..5).map(|at| step(&format!("s{at}"), call(ECHO, int(at))).stmt());
    let program = program([flow("main", body)]);
    engine.start(&program, "main", Value::Null).unwrap().value().await.unwrap();
    let events = journal.events.lock().unwrap();
    for (event, durable) in events.iter() {
        let told = tell(&event.kind);
        if told.starts_with("completed") {
            assert_eq!(*durable as u64, event.number - 1, "`{told}` follows a beginning that is durable");
        }
    }
    assert_eq!(journal.durable.load(Ordering::SeqCst), events.len(), "the end is durable before it is told");
    assert!(serde_json::to_string(&*events[1].0).unwrap().contains("args_hash"));
}

#[tokio::test(start_paused = true)]
async fn what_a_step_waits_for_is_durable_while_it_waits() {
    let journal = Arc::new(Watched::default());
    let ask = tool_in_context("test.ask", "Asks.", |_: std::collections::BTreeMap<String, String>, context| {
        let request = Request::new(RequestKind::Approval, "Sure?", Type::Bool);
        Box::pin(async move { context.desk.wait(request).await.map(|sure| serde_json::Value::from(&sure)) })
    });
    let engine = Engine::builder().tool(ask).journal(Arc::clone(&journal)).build().unwrap();
    let run = engine.call("test.ask", Value::map([])).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let events = run.recorded();
    assert_eq!(events.last().unwrap().kind.name(), "run.waiting");
    assert_eq!(journal.durable.load(Ordering::SeqCst), events.len());
    run.answer(&run.waiting()[0].path, true).unwrap();
    assert_eq!(run.value().await.unwrap(), Value::Bool(true));
}

/// What a call waits for while a person answers is not its time; what it does before and afterwards is.
#[tokio::test(start_paused = true)]
async fn a_call_that_asks_has_its_time_for_itself() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Works {
        before: u64,
        questions: usize,
        after: u64,
    }
    let ask = tool_in_context("test.ask", "Works, asks, and works.", |Works { before, questions, after }, context| {
        let works = |secs| tokio::time::sleep(Duration::from_secs(secs));
        let request = |_| Request::new(RequestKind::Approval, "Sure?", Type::Bool);
        Box::pin(async move {
            works(before).await;
            let asked = (0..questions).map(|at| context.desk.wait(request(at)));
            let answers = futures::future::try_join_all(asked).await?;
            works(after).await;
            Ok(answers.len())
        })
    });
    // It is not called twice.
    let ask = ask.destructive();
    let limits = Limits { tool_timeout: Duration::from_secs(60), ..Limits::default() };
    let engine = Engine::builder().tool(ask).limits(limits).build().unwrap();
    let outcome = async |before: i64, questions: i64, after: i64| {
        let args = [("before", before), ("questions", questions), ("after", after)];
        let run =
            engine.call("test.ask", Value::map(args.map(|(name, secs)| (name.into(), Value::Int(secs))))).unwrap();
        let began = tokio::time::Instant::now();
        // The first is answered after a minute and a half, each of the others as long after the one before.
        let answering = async {
            tokio::time::sleep(Duration::from_secs(before as u64) + Duration::from_millis(1)).await;
            for question in run.waiting() {
                tokio::time::sleep(Duration::from_secs(90)).await;
                run.answer(&question.path, true).unwrap();
            }
        };
        let (value, ()) = tokio::join!(run.value(), answering);
        (value.map_err(|error| error.kind), began.elapsed().as_secs())
    };
    assert_eq!(outcome(59, 0, 2).await, (Err(ErrorKind::Timeout), 60));
    assert_eq!(outcome(29, 1, 30).await, (Ok(Value::Int(1)), 149));
    assert_eq!(outcome(29, 3, 30).await, (Ok(Value::Int(3)), 329));
    assert_eq!(outcome(29, 1, 32).await, (Err(ErrorKind::Timeout), 150));
    assert_eq!(outcome(59, 2, 2).await, (Err(ErrorKind::Timeout), 240));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_stops_the_run() {
    let journal = Arc::new(Watched::default());
    let engine = with_journal(&journal);
    let wait = step("w", call(SLEEP, int(100))).undone_by("w").stmt();
    let program = program([flow("main", [wait, step("never", call(ECHO, int(1))).stmt()])]);
    let run = engine.start(&program, "main", Value::Null).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    journal.broken.store(true, Ordering::SeqCst);
    let error = run.value().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(error.message.contains("the disk is full"));
    let told: Vec<_> = run.recorded().iter().map(|event| tell(&event.kind)).collect();
    assert!(!told.iter().any(|told| told.contains("never")), "{told:?}");
}

struct Doubling(Arc<AtomicUsize>);

impl Hook for Doubling {
    fn before<'a>(&'a self, _tool: &'a Signature, args: &'a Value) -> BoxFuture<'a, Result<(), ToolError>> {
        let refused = args.get("arg").and_then(Value::as_int) == Some(13);
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { if refused { Err(ToolError::new(ErrorKind::Denied, "unlucky")) } else { Ok(()) } })
    }

    fn after<'a>(
        &'a self,
        _tool: &'a Signature,
        result: Result<Value, ToolError>,
        _context: ToolContext<'a>,
    ) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move { Ok(Value::Int(result?.as_int().unwrap_or(0) * 2)) })
    }

    fn output<'a>(&'a self, _tool: &'a Signature, output: Value, _context: ToolContext<'a>) -> BoxFuture<'a, Value> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Value::list([output])
        })
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_stand_around_every_call() {
    let (engine, _) = engine(Limits::default());
    let count = Arc::new(AtomicUsize::new(0));
    let tools = engine.registry().iter().filter(|tool| tool.signature().namespace() == "test").cloned();
    let engine = Engine::builder()
        .tools(tools.collect::<Vec<_>>())
        .hook(Doubling(Arc::clone(&count)))
        .hook(Doubling(Arc::clone(&count)))
        .build()
        .unwrap();
    let body = [step("a", call(ECHO, int(5))).into_slot(0).stmt(), Stmt::Return(Expr::Slot(0))];
    let program = program([flow("main", body), flow("bad", [step("a", call(ECHO, int(13))).stmt()])]);
    assert_eq!(engine.start(&program, "main", Value::Null).unwrap().output::<i64>().await.unwrap(), 20);
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let refused = engine.start(&program, "bad", Value::Null).unwrap().value().await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn hooks_see_partial_output_in_its_order_and_before_the_end() {
    let telling = tool_in_context("test.echo", "Tells.", |given: Given, context: ToolContext<'_>| {
        Box::pin(async move {
            (1..=3).for_each(|at| context.report.output(Value::Int(at)));
            Ok(given.arg)
        })
    });
    let engine = Engine::builder().tool(telling).hook(Doubling(Arc::default())).build().unwrap();
    let program = program([flow("main", [step("a", call(ECHO, int(5))).stmt()])]);
    let run = engine.start(&program, "main", Value::Null).unwrap();
    run.value().await.unwrap();
    let told = run.recorded().iter().map(|event| tell(&event.kind)).collect::<Vec<_>>();
    let outputs: Vec<_> = run
        .recorded()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StepOutput { output, .. } => Some(output.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(outputs, (1..=3).map(|at| Value::list([Value::Int(at)])).collect::<Vec<_>>());
    assert!(told[told.len() - 2].starts_with("completed"), "{told:?}");
}

#[tokio::test]
async fn without_a_store_a_tool_that_makes_files_refuses() {
    let making = tool_in_context("test.echo", "Makes a file.", |_: Given, context: ToolContext<'_>| {
        Box::pin(async move { context.store(b"text".to_vec(), "text/plain", "note.txt").await.map(|_| ()) })
    });
    let engine = Engine::builder().tool(making).build().unwrap();
    let program = program([flow("main", [step("a", call(ECHO, int(5))).stmt()])]);
    let error = engine.start(&program, "main", Value::Null).unwrap().value().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.message.contains("EngineBuilder::artifacts"), "{}", error.message);
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Given {
    arg: i64,
}

#[tokio::test(start_paused = true)]
async fn a_typed_function_is_called_with_its_type() {
    let double = tool("test.echo", "Doubles.", |given: Given| async move { Ok(given.arg * 2) });
    let telling = tool_in_context("test.sleep", "Tells.", |given: Given, context: ToolContext<'_>| {
        Box::pin(async move {
            context.report.output(Value::Int(given.arg));
            Ok(format!("{} {}", context.path, context.idempotency_key().len()))
        })
    });
    let engine = Engine::builder().tool(double).tool(telling).build().unwrap();
    let program = program([
        flow(
            "main",
            [
                step("a", call(ECHO, int(21))).into_slot(0).stmt(),
                step("b", call(SLEEP, int(7))).into_slot(1).stmt(),
                Stmt::Return(Expr::Slot(1)),
            ],
        ),
        flow("bad", [step("a", call(ECHO, konst("x"))).stmt()]),
    ]);
    let run = engine.start(&program, "main", Value::Null).unwrap();
    assert_eq!(run.output::<String>().await.unwrap(), "b 64");
    assert!(run.recorded().iter().any(|event| tell(&event.kind) == "output b"));
    let error = engine.start(&program, "bad", Value::Null).unwrap().value().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(run.output::<u8>().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_input_is_checked_field_by_field() {
    let mut main = flow("main", [Stmt::Return(Expr::Slot(1))]);
    let param = |name: &str, ty: Type, default: Option<Expr>| Param {
        name: name.into(),
        doc: String::new(),
        ty,
        optional: default.is_some(),
        default,
    };
    main.params = vec![param("query", Type::String, None), param("limit", Type::Int, Some(int(3)))];
    let program = program([main]);
    let (engine, _) = engine(Limits::default());
    let start = |input: serde_json::Value| engine.start(&program, "main", input);
    assert_eq!(start(serde_json::json!({ "query": "x" })).unwrap().output::<i64>().await.unwrap(), 3);
    assert_eq!(start(serde_json::json!({ "query": "x", "limit": 5 })).unwrap().output::<i64>().await.unwrap(), 5);
    let wrong = start(serde_json::json!({ "limit": "many", "qury": "x" })).unwrap_err();
    let StartError::Input(wrong) = wrong else { panic!("{wrong}") };
    let fields: Vec<_> = wrong.fields.iter().map(|field| (field.field.as_str(), field.message.as_str())).collect();
    assert_eq!(fields[0], ("query", "missing; expected string"));
    assert_eq!(fields[1].0, "limit");
    assert_eq!(fields[2], ("qury", "`main` has no such parameter; did you mean `query`?"));
    assert!(matches!(engine.start(&program, "other", Value::Null), Err(StartError::UnknownFlow { .. })));
    assert!(matches!(start(serde_json::json!([1])), Err(StartError::Input(_))));
}

#[tokio::test(start_paused = true)]
async fn a_flow_whose_tools_are_not_there_does_not_start() {
    let engine = Engine::builder().build().unwrap();
    let program = program([
        flow("main", [step("a", call(ECHO, int(1))).undone_by("u").stmt()]),
        flow("alone", [Stmt::Return(int(1))]),
    ]);
    let Err(StartError::MissingTools(missing)) = engine.start(&program, "main", Value::Null) else { panic!() };
    assert_eq!(missing, ["test.echo", "test.compensate"]);
    assert_eq!(engine.start(&program, "alone", Value::Null).unwrap().output::<i64>().await.unwrap(), 1);
}
