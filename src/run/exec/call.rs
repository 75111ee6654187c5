//! Calls of tools and flows.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, CatchUnwind};
use jiff::Timestamp;
use tracing::{Instrument, Span, info_span};

use crate::program::Block;
use crate::run::budget::Account;
use crate::run::clock;
use crate::run::event::{EventKind, RunError};
use crate::run::exec::block::block;
use crate::run::exec::desk::Questions;
use crate::run::exec::hooks::hooked;
use crate::run::exec::prepared::Prepared;
use crate::run::exec::retry::{Tally, too_long};
use crate::run::exec::step::Job;
use crate::run::exec::{Exit, Failure, Machine, Stop, Strand, resumed, undo};
use crate::run::limits::exceeds;
use crate::run::policy;
use crate::run::ports::{Report, ToolContext, ToolError, Usage};
use crate::run::scope::{Ended, bounded};
use crate::run::testing::Answer;
use crate::types::{Text, Type};
use crate::value::{ErrorKind, Value};

/// Calls a tool once and makes its result fit.
pub(super) fn tool<'m>(
    strand: &Strand<'m>,
    job: &mut Job<'m>,
    tool: u32,
    (label, began): (&Text, Timestamp),
    tally: &mut Tally,
) -> impl Future<Output = Result<Value, Stop>> {
    let machine = strand.machine;
    async move {
        if machine.live().is_err()
            && let Some(recorded) = resumed::called(strand, job, label, tally).await
        {
            return recorded;
        }
        machine.before_call().await;
        let (args, wakes) = taken(machine, job, began)?;
        let job = &*job;
        let attempts = tally.attempts;
        if let Some(account) = &strand.account {
            let entered = account.enter(price(machine, job));
            entered.map_err(|why| failed(job, attempts, ErrorKind::Budget, why))?;
        }
        let timeout = time_left(machine, job, began);
        let report = Progress { machine, path: &job.path, work: work(machine, job, timeout), told: Mutex::default() };
        let _busy = machine.rests.busy();
        let _rest = wakes.map(|wakes| Box::new(machine.rests.rest(Some(wakes))));
        let calling = begin(job, tool, args, Attempt { label, number: attempts, began, timeout }, &report)?;
        let ended = bounded(&strand.scope, &report, timeout, calling).await;
        let mut usage = report.told().usage;
        let price = price(machine, job);
        if let Some(account) = &strand.account {
            account.settle(price, &usage);
        }
        if usage.usd == 0.0 {
            usage.usd = price;
        }
        tally.spend(&usage);
        result_of(machine, job, ended, attempts)
    }
}

/// The arguments of a call, and when it is over where it only sleeps. Only a run that is kept elsewhere may leave memory
/// meanwhile.
fn taken<'m>(
    machine: &Machine<'m>,
    job: &mut Job<'m>,
    began: Timestamp,
) -> Result<(Value, Option<Timestamp>), Box<Failure>> {
    let args = job.take_prepared(machine)?.into_args();
    let sleeps = machine.durable.and(machine.signature(job.action)).is_some_and(|tool| tool.name == "time.sleep");
    let wakes = sleeps.then(|| clock::wakes(&args, began));
    Ok((args, wakes))
}

/// What a call is known to cost, in US dollars.
pub(super) fn price(machine: &Machine<'_>, job: &Job<'_>) -> f64 {
    machine.signature(job.action).and_then(|tool| tool.annotations.cost_usd).unwrap_or(0.0)
}

/// How long an attempt may take: of a wait that began in an earlier life of the run, what is left.
fn time_left(machine: &Machine<'_>, job: &Job<'_>, began: Timestamp) -> Option<Duration> {
    match machine.signature(job.action) {
        Some(tool) if machine.replay.is_some() && policy::waits(tool) => {
            job.timeout.map(|timeout| timeout.saturating_sub(resumed::left(began, machine.now())))
        }
        _ => job.timeout,
    }
}

/// What a call does that may take so long.
fn work(machine: &Machine<'_>, job: &Job<'_>, timeout: Option<Duration>) -> Work {
    match machine.signature(job.action) {
        Some(tool) if policy::waits(tool) => {
            Work::Waits { until: timeout.and_then(|timeout| later(machine.now(), timeout)) }
        }
        _ => Work::Any,
    }
}

/// The moment so much later.
pub(super) fn later(now: Timestamp, by: Duration) -> Option<Timestamp> {
    jiff::SignedDuration::try_from(by).ok().and_then(|by| now.checked_add(by).ok())
}

/// An attempt of a call.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    label: &'a Text,
    number: u32,
    began: Timestamp,
    timeout: Option<Duration>,
}

type Calling<'a> = CatchUnwind<AssertUnwindSafe<BoxFuture<'a, Result<Value, ToolError>>>>;

/// Begins an attempt's call. In a box, since a future that is handed on is held by each hand: this one is two words
/// wherever it goes.
fn begin<'a>(
    job: &'a Job<'_>,
    tool: u32,
    args: Value,
    attempt: Attempt<'a>,
    report: &'a Progress<'a>,
) -> Result<Calling<'a>, Stop> {
    let machine = report.machine;
    let context = ToolContext {
        run: &machine.run.id,
        path: attempt.label,
        attempt: attempt.number,
        began: attempt.began,
        key: job.key.as_deref(),
        timeout: attempt.timeout,
        report,
        secrets: &*machine.engine.secrets,
        artifacts: &*machine.engine.artifacts,
        desk: report,
    };
    let span = info_span!(
        "step",
        flow.step.path = attempt.label.as_str(),
        flow.step.attempt = attempt.number,
        gen_ai.tool.name = job.name(machine).as_str(),
    );
    match catch_unwind(AssertUnwindSafe(|| within(span, || invoke(machine, job, tool, args, context)))) {
        Ok(calling) => Ok(AssertUnwindSafe(calling).catch_unwind()),
        Err(panic) => Err(broke_down(job, attempt.number, &*panic)),
    }
}

/// A call in its span, so that what a tool logs stands under its step. Where nobody listens it is the call alone: the span
/// would be held by every branch that waits.
fn within<'a, T>(span: Span, call: impl FnOnce() -> BoxFuture<'a, T>) -> BoxFuture<'a, T>
where
    T: 'a,
{
    if span.is_disabled() {
        return call();
    }
    let calling = span.in_scope(call);
    Box::pin(calling.instrument(span))
}

/// What came of a call, made to fit.
fn result_of(
    machine: &Machine<'_>,
    job: &Job<'_>,
    ended: Ended<Result<Result<Value, ToolError>, Box<dyn Any + Send>>>,
    attempts: u32,
) -> Result<Value, Stop> {
    let result = match ended {
        Ended::Done(Ok(Ok(value))) => value,
        Ended::Done(Ok(Err(error))) => return Err(said(job, attempts, error)),
        Ended::Done(Err(panic)) => return Err(broke_down(job, attempts, &*panic)),
        Ended::TimedOut => {
            let error = too_long(job.timeout.unwrap_or_default());
            let error = RunError { step: job.path.clone(), attempts, span: Some(job.span), ..error };
            return Err(Stop::Failed(Failure::of(error)));
        }
        Ended::Cancelled => return Err(Stop::Cancelled),
    };
    let most = machine.engine.limits.tool_output_bytes;
    if exceeds(&result, most) {
        let message = format!("the tool's result is larger than {most} bytes");
        return Err(failed(job, attempts, ErrorKind::Exhausted, message));
    }
    match job.result {
        Some(ty) => fitting(job, result, ty, attempts),
        None => Ok(result),
    }
}

/// The call itself: the mock of a test, or the tool with its hooks.
fn invoke<'a>(
    machine: &'a Machine<'a>,
    job: &'a Job<'_>,
    tool: u32,
    args: Value,
    context: ToolContext<'a>,
) -> BoxFuture<'a, Result<Value, ToolError>> {
    let clock = &*machine.engine.clock;
    if let Some(bench) = machine.bench
        && let Some(Answer { after, result }) = bench.answer(machine, tool, &args, context.path, job.span)
    {
        return match after {
            Some(after) => Box::pin(clock.sleep(after).map(|()| result)),
            None => Box::pin(std::future::ready(result)),
        };
    }
    let Some(Some(bound)) = machine.tools.get(tool as usize) else {
        return Box::pin(std::future::ready(Err(ToolError::new(ErrorKind::Denied, "the tool is not there"))));
    };
    match machine.signature(job.action) {
        Some(signature) if !machine.engine.hooks.is_empty() => {
            Box::pin(hooked(&machine.engine.hooks, &**bound, signature, args, context))
        }
        _ => bound.call(args, context),
    }
}

/// Makes what an action gave fit the step's type.
pub(super) fn fitting(job: &Job<'_>, value: Value, ty: &Type, attempts: u32) -> Result<Value, Stop> {
    value
        .conform(ty)
        .map_err(|misfit| failed(job, attempts, ErrorKind::Invalid, format!("the result does not fit: {misfit}")))
}

/// Calls a flow in a frame that holds its arguments.
pub(super) async fn flow(strand: &mut Strand<'_>, index: u32, mut frame: Vec<Value>) -> Result<Value, Stop> {
    let machine = strand.machine;
    let Some(flow) = machine.program.flows.get(index as usize) else { return Ok(Value::Null) };
    let deepest = machine.engine.limits.depth;
    if strand.depth >= deepest {
        let message = format!("flows call flows more than {deepest} deep");
        return Err(strand.failure(ErrorKind::Exhausted, message, Some(flow.span)));
    }
    let inner = Account::open(&flow.name, &flow.budget, strand.account.as_ref());
    let account = std::mem::replace(&mut strand.account, inner);
    strand.depth += 1;
    let held = strand.undos.len();
    let flowing = match flow.timeout {
        None => block(strand, &mut frame, &flow.body).await,
        Some(millis) => {
            let limit = Duration::from_millis(millis);
            let path = Text::from(strand.path.as_str());
            let recorded = machine.replay.as_ref().and_then(|replay| replay.started(path.trim_end_matches('/')));
            let since = if path.is_empty() { machine.began } else { recorded.unwrap_or_else(|| machine.now()) };
            let scope = strand.scope.child();
            let around = std::mem::replace(&mut strand.scope, scope.clone());
            let body = block(strand, &mut frame, &flow.body);
            let (flowing, late) = resumed::limited(machine, path, since, limit, &scope, body).await;
            strand.scope = around;
            match flowing {
                Err(Stop::Cancelled) if late && !strand.scope.is_cancelled() => {
                    let error = RunError { step: strand.here(), span: Some(flow.span), ..too_long(limit) };
                    Err(Stop::Failed(Failure::of(error)))
                }
                flowing => flowing,
            }
        }
    };
    if flowing.is_err() {
        undo::down_to(strand, held).await;
    }
    strand.depth -= 1;
    strand.account = account;
    flowing.map(Exit::value)
}

/// Runs a program's flow from the top.
pub(crate) async fn run_flow(machine: &Machine<'_>, index: u32, frame: Vec<Value>) -> Result<Value, Stop> {
    let mut strand = machine.strand();
    let ended = flow(&mut strand, index, frame).await;
    resumed::at_the_end(&mut strand, ended).await
}

/// Runs a test's statements.
pub(crate) async fn run_block(machine: &Machine<'_>, body: &Block, slots: u32) -> Result<(), Stop> {
    let mut strand = machine.strand();
    let mut frame = vec![Value::Null; slots as usize];
    let flowing = block(&mut strand, &mut frame, body).await;
    if flowing.is_err() {
        undo::down_to(&mut strand, 0).await;
    }
    flowing.map(|_| ())
}

/// The SHA-256 of a tool's arguments, secrets by name: only a durable journal compares them.
pub(super) fn args_hash(machine: &Machine<'_>, job: &Job<'_>) -> Option<Text> {
    machine.durable?;
    let Ok(Prepared::Args(Value::Record(args))) = &job.prepared else { return None };
    // A copy of the run has another key.
    let key = machine.signature(job.action).and_then(|tool| tool.annotations.key.as_ref());
    let given = args.iter().filter(|(name, _)| key != Some(*name));
    let given = Value::record(given.map(|(name, value)| (name.clone(), value.clone())));
    Some(crate::run::ports::hex_sha256(&[given.to_json_text().as_bytes()]))
}

fn failed(job: &Job<'_>, attempts: u32, kind: ErrorKind, message: impl Into<String>) -> Stop {
    let error = RunError { step: job.path.clone(), attempts, span: Some(job.span), ..RunError::new(kind, message) };
    Stop::Failed(Failure::of(error))
}

fn broke_down(job: &Job<'_>, attempts: u32, panic: &(dyn Any + Send)) -> Stop {
    failed(job, attempts, ErrorKind::Internal, format!("the tool broke down: {}", panic_text(panic)))
}

/// A tool's own error.
fn said(job: &Job<'_>, attempts: u32, error: ToolError) -> Stop {
    let ToolError { kind, message, retryable, retry_after, undelivered, details } = error;
    let error = RunError { kind, message, step: job.path.clone(), attempts, retryable, details, span: Some(job.span) };
    Stop::Failed(Box::new(Failure { error, retry_after, undelivered, doomed: false }))
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it does not say why")
}

/// Where a tool's progress goes.
pub(super) struct Progress<'a> {
    pub(super) machine: &'a Machine<'a>,
    pub(super) path: &'a Text,
    pub(super) work: Work,
    told: Mutex<Told>,
}

/// What a call does.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// It waits and does nothing else, until its time is up.
    Waits { until: Option<Timestamp> },
    /// Whatever else.
    Any,
}

/// What a call has told.
#[derive(Default)]
pub(super) struct Told {
    usage: Usage,
    /// What it asked at the desk. Most calls ask nothing.
    pub(super) questions: Option<Box<Questions>>,
}

impl Progress<'_> {
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report for Progress<'_> {
    fn output(&self, value: Value) {
        if !self.machine.events_spent() {
            self.machine.push(EventKind::StepOutput { path: self.path.clone(), output: value });
        }
    }

    fn usage(&self, usage: Usage) {
        self.told().usage.add(&usage);
    }
}
