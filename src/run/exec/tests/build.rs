//! Small programs, scripted tools, and runs in virtual time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::program::{
    Action, Block, BlockStmt, Branch, Budget, Capture, Catch, Constant, Expr, Flow, For, ParallelFor, Program, Repeat,
    Retry, Step, Stmt, Undo,
};
use crate::run::{Engine, Event, EventKind, Limits, Run, RunError, Tool, ToolContext, ToolError};
use crate::source::Span;
use crate::types::{Annotations, Signature, Text, Type};
use crate::value::{ErrorKind, Shape, Value};

/// The tools every program here has, by their place in it.
pub(super) const ECHO: u32 = 0;
pub(super) const FLAKY: u32 = 1;
pub(super) const SLEEP: u32 = 2;
pub(super) const FAIL: u32 = 3;
pub(super) const DESTROY: u32 = 4;
pub(super) const HANG: u32 = 5;
pub(super) const PANIC: u32 = 6;
pub(super) const COMPENSATE: u32 = 7;

/// What the tools saw.
#[derive(Default)]
pub(super) struct World {
    pub(super) calls: Mutex<Vec<String>>,
    /// Calls in flight.
    pub(super) in_flight: AtomicU32,
    pub(super) most_in_flight: AtomicU32,
    /// How often `test.flaky` fails yet.
    pub(super) flaky: AtomicU32,
}

/// Counts a call for as long as it lives.
struct InFlight<'a>(&'a World);

impl<'a> InFlight<'a> {
    fn new(world: &'a World) -> Self {
        let now = world.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        world.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Self(world)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Scripted {
    signature: Arc<Signature>,
    world: Arc<World>,
}

impl Tool for Scripted {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async move {
            let _in_flight = InFlight::new(&self.world);
            let arg = args.get("arg").cloned().unwrap_or(Value::Null);
            let name = self.signature.name.trim_start_matches("test.");
            self.world.calls.lock().unwrap().push(format!("{name} {} {}", context.path, arg.to_json_text()));
            match name {
                "flaky" => {
                    let left = &self.world.flaky;
                    match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
                        Ok(_) => Err(ToolError::new(ErrorKind::Network, "no route")),
                        Err(_) => Ok(arg),
                    }
                }
                "sleep" => {
                    let millis = arg.as_int().unwrap_or(0);
                    tokio::time::sleep(Duration::from_millis(millis as u64)).await;
                    Ok(arg)
                }
                "fail" => Err(ToolError::new(ErrorKind::Tool, "it says no")),
                "destroy" => Err(ToolError::new(ErrorKind::Network, "cut off")),
                "hang" => std::future::pending().await,
                "panic" => panic!("it broke"),
                _ => Ok(arg),
            }
        })
    }
}

fn signatures() -> Vec<Arc<Signature>> {
    let of = |name: &str, annotations: Annotations| {
        let mut signature = Signature::new(name, "", Type::Json).optional("arg", Type::Json, None, "");
        signature.annotations = annotations;
        Arc::new(signature)
    };
    let silent = Annotations::default;
    let destructive = Annotations { destructive: Some(true), ..silent() };
    vec![
        of("test.echo", silent()),
        of("test.flaky", silent()),
        of("test.sleep", silent()),
        of("test.fail", silent()),
        of("test.destroy", destructive),
        of("test.hang", silent()),
        of("test.panic", silent()),
        of("test.compensate", silent()),
    ]
}

pub(super) fn konst(value: impl Into<Value>) -> Expr {
    Expr::Const(Constant(value.into()))
}

pub(super) fn int(int: i64) -> Expr {
    konst(Value::Int(int))
}

pub(super) fn millis(millis: i64) -> Expr {
    konst(Value::Duration(millis))
}

pub(super) fn ints(upto: i64) -> Expr {
    konst(Value::list((0..upto).map(Value::Int)))
}

pub(super) fn call(tool: u32, arg: Expr) -> Action {
    Action::Tool { tool, shape: Arc::new(Shape::new([Text::new_static("arg")])), args: vec![arg] }
}

pub(super) fn step(name: &str, action: Action) -> Step {
    Step { name: Some(name.into()), ..Step::new(name, action, Type::Json, Span::default()) }
}

impl Step {
    pub(super) fn into_slot(mut self, slot: u32) -> Self {
        self.slot = Some(slot);
        self
    }

    pub(super) fn retried(mut self, count: i64) -> Self {
        let backoff = Some((millis(100), millis(1000)));
        self.retry = Some(Retry { count: int(count), backoff, on: Vec::new() });
        self
    }

    pub(super) fn timed(mut self, limit: i64) -> Self {
        self.timeout = Some(millis(limit));
        self
    }

    pub(super) fn undone_by(mut self, arg: &str) -> Self {
        let call = call(COMPENSATE, konst(arg));
        self.undo = Some(Box::new(Undo { slot: None, call, span: Span::default() }));
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn branch(self) -> Branch {
        Branch { step: self, bind: None, frame: Capture::default() }
    }

    pub(super) fn stmt(self) -> Stmt {
        Stmt::Step(Box::new(self))
    }
}

pub(super) fn block(stmts: impl IntoIterator<Item = Stmt>) -> Block {
    Block { stmts: stmts.into_iter().collect() }
}

pub(super) fn statement(segment: &str, action: Action) -> Stmt {
    Stmt::Block(Box::new(BlockStmt { segment: segment.into(), action, span: Span::default() }))
}

pub(super) fn each(list: Expr, body: Block) -> Action {
    Action::For(Box::new(For { list, item: 0, index: None, body }))
}

pub(super) fn parallel_each(list: Expr, limit: Option<i64>, body: Block) -> Action {
    Action::ParallelFor(Box::new(ParallelFor {
        list,
        limit: limit.map(int),
        span: Span::default(),
        item: 0,
        index: None,
        frame: Capture { slots: 2, copies: Vec::new() },
        body,
    }))
}

pub(super) fn repeat(max: i64, every: Option<(i64, Option<i64>)>, body: Block) -> Action {
    let every = every.map(|(first, longest)| (millis(first), longest.map(millis)));
    Action::Repeat(Box::new(Repeat { max: int(max), every, body, span: Span::default() }))
}

pub(super) fn catch(stmts: impl IntoIterator<Item = Stmt>) -> Catch {
    Catch { slot: Some(3), body: block(stmts) }
}

pub(super) fn fail(message: &str) -> Stmt {
    Stmt::Fail { message: konst(message), details: None, span: Span::default() }
}

pub(super) fn flow(name: &str, body: impl IntoIterator<Item = Stmt>) -> Flow {
    Flow {
        name: name.into(),
        doc: String::new(),
        span: Span::default(),
        exported: true,
        params: Vec::new(),
        result: Type::Json,
        triggers: Vec::new(),
        budget: Budget::default(),
        timeout: None,
        slots: 8,
        body: block(body),
    }
}

pub(super) fn program(flows: impl IntoIterator<Item = Flow>) -> Arc<Program> {
    Arc::new(Program {
        sources: Vec::new(),
        tools: signatures(),
        flows: flows.into_iter().collect(),
        functions: Vec::new(),
        tests: Vec::new(),
        hash: OnceLock::new(),
    })
}

pub(super) fn engine(limits: Limits) -> (Engine, Arc<World>) {
    let world = Arc::new(World::default());
    let tool = |signature: Arc<Signature>| Arc::new(Scripted { signature, world: Arc::clone(&world) }) as Arc<dyn Tool>;
    let engine = Engine::builder().tools(signatures().into_iter().map(tool)).limits(limits).build().unwrap();
    (engine, world)
}

/// A program's tools, in a world.
pub(super) fn tools(program: &Program, world: &Arc<World>) -> Vec<Arc<dyn Tool>> {
    let tool = |signature: &Arc<Signature>| Scripted { signature: Arc::clone(signature), world: Arc::clone(world) };
    program.tools.iter().map(|signature| Arc::new(tool(signature)) as Arc<dyn Tool>).collect()
}

/// What became of a run of the flow `main`.
pub(super) struct Ended {
    pub(super) value: Result<Value, RunError>,
    pub(super) events: Vec<Arc<Event>>,
    pub(super) world: Arc<World>,
}

pub(super) fn start(program: &Arc<Program>) -> (Run, Arc<World>) {
    let (engine, world) = engine(Limits::default());
    (engine.start(program, "main", Value::Null).unwrap(), world)
}

pub(super) async fn finish(run: Run, world: Arc<World>) -> Ended {
    let value = run.value().await;
    let ended = Ended { value, events: run.recorded(), world };
    ended.check();
    ended
}

pub(super) async fn run(body: impl IntoIterator<Item = Stmt>) -> Ended {
    run_program(program([flow("main", body)])).await
}

pub(super) async fn run_program(program: Arc<Program>) -> Ended {
    let (run, world) = start(&program);
    finish(run, world).await
}

impl Ended {
    /// What holds of every run: see [`super::super::tests`].
    pub(super) fn check(&self) {
        check_events(&self.events);
        assert_eq!(self.world.in_flight.load(Ordering::SeqCst), 0, "no call outlives its run");
    }

    /// The events in short.
    pub(super) fn told(&self) -> Vec<String> {
        self.events.iter().map(|event| tell(&event.kind)).collect()
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.world.calls.lock().unwrap().clone()
    }

    pub(super) fn error(&self) -> &RunError {
        self.value.as_ref().unwrap_err()
    }

    pub(super) fn json(&self) -> String {
        self.value.as_ref().unwrap().to_json_text()
    }
}

/// Numbers without gaps, one beginning and one end of the run, exactly one end for each step that began.
pub(super) fn check_events(events: &[Arc<Event>]) {
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event.number, at as u64 + 1);
        assert_eq!(event.kind.ends_run(), at + 1 == events.len(), "{}", tell(&event.kind));
        assert!(events.get(at + 1).is_none_or(|next| event.at <= next.at));
    }
    let mut open = std::collections::BTreeMap::new();
    for event in events {
        let path = event.kind.path().unwrap_or_default().to_owned();
        match &event.kind {
            EventKind::StepStarted { attempt: 1, .. } => {
                assert_eq!(open.insert(path.clone(), false), None, "`{path}` began twice");
            }
            EventKind::StepSkipped { .. } => assert_eq!(open.insert(path.clone(), true), None, "`{path}`"),
            kind if kind.ends_step() => {
                assert_eq!(
                    open.insert(path.clone(), true),
                    Some(false),
                    "`{path}` ended without a beginning, or twice"
                );
            }
            _ => {}
        }
    }
    let left: Vec<_> = open.iter().filter(|(_, ended)| !**ended).collect();
    assert!(left.is_empty(), "these have no end: {left:?}");
}

pub(super) fn tell(kind: &EventKind) -> String {
    let name = kind.name().trim_start_matches("step.");
    let path = kind.path().unwrap_or_default();
    match kind {
        EventKind::StepRetrying { error, .. } | EventKind::StepFailed { error, .. } => {
            format!("{name} {path} {}", error.kind)
        }
        EventKind::RunFailed { error, .. } => format!("{name} {}", error.kind),
        EventKind::Emitted { value, .. } => format!("{name} {path} {}", value.to_json_text()),
        _ if path.is_empty() => name.to_owned(),
        _ => format!("{name} {path}"),
    }
}
