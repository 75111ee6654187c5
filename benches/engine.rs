//! How fast steps run, how wide a fan-out can be, and how many runs fit side by side; each beside plain tokio doing
//! the same work in the same process. `cargo bench --bench engine`.
//!
//! Each case runs in a process of its own, so that its peak of memory is its own; what the process takes before the
//! case begins is not counted.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowc::program::{Action, Block, Budget, Capture, Constant, Expr, Flow, ParallelFor, Program, Step, Stmt};
use flowc::run::{Clock, Engine, Limits, TokioClock, Tool, ToolContext, ToolError};
use flowc::source::Span;
use flowc::types::{Annotations, Signature, Type};
use flowc::value::{Shape, Value};
use futures::future::BoxFuture;

struct NoOp(Arc<Signature>);

impl Tool for NoOp {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.0)
    }

    fn call<'a>(&'a self, _args: Value, _context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        Box::pin(async { Ok(Value::Null) })
    }
}

fn no_op() -> Arc<Signature> {
    let mut signature = Signature::new("bench.no_op", "Does nothing.", Type::Null);
    signature.annotations = Annotations::read_only();
    Arc::new(signature)
}

fn sleep() -> Arc<Signature> {
    let signature = Signature::new("time.sleep", "Waits.", Type::Null);
    Arc::new(signature.param("duration", Type::Duration, "How long."))
}

fn step(segment: &str, action: Action) -> Stmt {
    let step = Step::new(segment, action, Type::Null, Span::default());
    Stmt::Step(Box::new(Step { name: Some(segment.into()), slot: Some(0), ..step }))
}

fn program(body: Vec<Stmt>) -> Arc<Program> {
    let flow = Flow {
        name: "main".into(),
        doc: String::new(),
        span: Span::default(),
        exported: true,
        params: Vec::new(),
        result: Type::Null,
        triggers: Vec::new(),
        budget: Budget::default(),
        timeout: None,
        slots: 1,
        body: Block { stmts: body },
    };
    Arc::new(Program::new(Vec::new(), vec![no_op(), sleep()], vec![flow], Vec::new(), Vec::new()))
}

fn chain(steps: usize) -> Arc<Program> {
    let call = || Action::Tool { tool: 0, shape: Arc::new(Shape::default()), args: Vec::new() };
    program((0..steps).map(|at| step(&format!("step_{at}"), call())).collect())
}

fn fan_out(width: i64, millis: i64) -> Arc<Program> {
    let constant = |value| Expr::Const(Constant(value));
    let call = Action::Tool {
        tool: 1,
        shape: Arc::new(Shape::new(["duration".into()])),
        args: vec![constant(Value::Duration(millis))],
    };
    let action = Action::ParallelFor(Box::new(ParallelFor {
        list: constant(Value::list((0..width).map(Value::Int))),
        limit: Some(constant(Value::Int(width))),
        span: Span::default(),
        item: 0,
        index: None,
        frame: Capture { slots: 2, copies: Vec::new() },
        body: Block { stmts: vec![step("wait", call)] },
    }));
    program(vec![step("all", action)])
}

fn engine() -> Engine {
    let limits = Limits { fan_out: 1_000_000, in_flight: 1_000_000, events: 10_000_000, ..Limits::default() };
    Engine::builder().tool(NoOp(no_op())).limits(limits).build().unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Runs a case some times and gives the median.
async fn measure<F: Future<Output = ()>>(times: usize, case: impl Fn() -> F) -> Duration {
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        case().await;
        taken.push(began.elapsed());
    }
    median(taken)
}

async fn chain_of(steps: usize) -> Duration {
    let (engine, program) = (engine(), chain(steps));
    measure(400_000 / steps, || async {
        engine.start(&program, "main", Value::Null).unwrap().value().await.unwrap();
    })
    .await
}

async fn fan_out_of(width: i64) -> Duration {
    let (engine, program) = (engine(), fan_out(width, 100));
    measure(3, || async {
        engine.start(&program, "main", Value::Null).unwrap().value().await.unwrap();
    })
    .await
}

async fn runs_of(count: usize) -> Duration {
    let (engine, program) = (engine(), chain(5));
    measure(3, || async {
        let runs: Vec<_> = (0..count).map(|_| engine.start(&program, "main", Value::Null).unwrap()).collect();
        for run in runs {
            run.value().await.unwrap();
        }
    })
    .await
}

async fn spawned(tasks: usize, each: usize) -> Duration {
    measure(50, || async move {
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                tokio::spawn(async move {
                    for _ in 0..each {
                        tokio::spawn(async {}).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    })
    .await
}

async fn sleeping(width: usize) -> Duration {
    measure(3, || async move {
        let clock = TokioClock::default();
        let tasks: Vec<_> = (0..width).map(|_| tokio::spawn(clock.sleep(Duration::from_millis(100)))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    })
    .await
}

/// The cases by name: what is measured, and per how many units.
async fn case(name: &str) -> (Duration, usize) {
    match name {
        "chain of 1,000 steps" => (chain_of(1_000).await, 1_000),
        "chain of 10,000 steps" => (chain_of(10_000).await, 10_000),
        "  tokio: 1,000 spawns in a row" => (spawned(1, 1_000).await, 1_000),
        "10,000 branches sleeping 100 ms" => (fan_out_of(10_000).await, 10_000),
        "  tokio: 10,000 tasks sleeping" => (sleeping(10_000).await, 10_000),
        "100,000 branches sleeping 100 ms" => (fan_out_of(100_000).await, 100_000),
        "  tokio: 100,000 tasks sleeping" => (sleeping(100_000).await, 100_000),
        "10,000 runs of 5 steps" => (runs_of(10_000).await, 50_000),
        "  tokio: 10,000 tasks of 5 spawns" => (spawned(10_000, 5).await, 50_000),
        _ => (Duration::ZERO, 1),
    }
}

const CASES: [&str; 9] = [
    "chain of 1,000 steps",
    "chain of 10,000 steps",
    "  tokio: 1,000 spawns in a row",
    "10,000 branches sleeping 100 ms",
    "  tokio: 10,000 tasks sleeping",
    "100,000 branches sleeping 100 ms",
    "  tokio: 100,000 tasks sleeping",
    "10,000 runs of 5 steps",
    "  tokio: 10,000 tasks of 5 spawns",
];

/// A line of `/proc/self/status` in KiB.
fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn main() {
    if let Some(name) = std::env::args().skip(1).find(|arg| CASES.contains(&arg.as_str())) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let before = status("VmRSS");
        let (taken, units) = runtime.block_on(case(&name));
        let peak = status("VmHWM").saturating_sub(before);
        let each = taken.as_secs_f64() * 1e6 / units as f64;
        println!(
            "{name:<36} {:>9.2} ms {each:>8.2} µs each {:>7.1} MB",
            taken.as_secs_f64() * 1e3,
            peak as f64 / 1024.0
        );
        return;
    }
    let filter = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')).unwrap_or_default();
    for name in CASES.iter().filter(|name| name.contains(&filter)) {
        let status = std::process::Command::new(std::env::current_exe().unwrap()).arg(name).status().unwrap();
        assert!(status.success());
    }
}
