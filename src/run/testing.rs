//! Runs the tests of a program: tools are mocks, and time is virtual.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;

use crate::program::{Assert, Mock, MockAnswer, Program, Test};
use crate::run::artifacts::NoArtifacts;
use crate::run::clock::{Sleep, VirtualClock};
use crate::run::engine;
use crate::run::event::{Event, RunError};
use crate::run::exec::{Machine, Stop, Strand, panic_text, run_block};
use crate::run::handle;
use crate::run::journal::Log;
use crate::run::keeper::Keeping;
use crate::run::limits::Limits;
use crate::run::ports::{NoSecrets, Registry, ToolError};
use crate::source::Span;
use crate::types::{Catalog, Text};
use crate::value::{ErrorKind, Value};

/// How a test went.
#[derive(Clone, Debug)]
pub struct TestReport {
    /// Its title.
    pub title: Text,
    /// Where it stands.
    pub span: Span,
    /// What went wrong, in order; nothing where it passed.
    pub failures: Vec<TestFailure>,
    /// The events of its steps.
    pub events: Vec<Arc<Event>>,
    /// How long it took in virtual time.
    pub virtual_time: Duration,
}

/// Why a test failed.
#[derive(Clone, Debug)]
pub enum TestFailure {
    /// An assertion does not hold.
    Assert {
        /// Where its condition stands.
        span: Span,
        /// The values of both sides, where it is a comparison.
        sides: Option<(Value, Value)>,
    },
    /// A tool without a mock that fits was called.
    Unmocked {
        /// The tool.
        tool: Text,
        /// The path of the calling step.
        path: Text,
        /// The arguments: a record.
        args: Value,
        /// Where the calling step stands.
        span: Span,
    },
    /// A step failed and nothing caught it.
    Failed(RunError),
}

impl TestReport {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Runs the test at an index of [`Program::tests`], on this thread. Needs no runtime, and takes no real time for what
/// sleeps. `None` where there is no such test.
pub fn run_test(program: &Arc<Program>, index: usize, limits: &Limits) -> Option<TestReport> {
    let test = program.tests.get(index)?;
    let clock = VirtualClock::default();
    let engine = engine::Shared {
        registry: Registry::default(),
        catalog: Catalog::empty(),
        hooks: Vec::new(),
        journal: None,
        store: None,
        keeping: Keeping::default(),
        day: None,
        day_read: Mutex::default(),
        observers: Vec::new(),
        secrets: Arc::new(NoSecrets),
        artifacts: Arc::new(NoArtifacts),
        clock: Arc::new(clock.clone()),
        limits: limits.clone(),
        bound: Mutex::default(),
    };
    let id = Text::new_static("test");
    let log = Log::new(id.clone(), test.title.clone(), None, Vec::new(), Vec::new());
    let run = handle::Shared::new(id, log, Arc::new(clock.clone()));
    let sleep: Arc<dyn crate::run::ports::Tool> = Arc::new(Sleep::new(Arc::new(clock.clone())));
    // Of all tools, only sleeping is real: in a time that is not.
    let real = |tool: &Arc<crate::types::Signature>| (tool.name == "time.sleep").then(|| Arc::clone(&sleep));
    let tools: Vec<_> = program.tools.iter().map(real).collect();
    let bench = Bench::new(program, test);
    let began = engine.clock.now();
    let machine = Machine::new(program, &tools, &engine, &run, &test.title, began, Some(&bench));
    let body = AssertUnwindSafe(run_block(&machine, &test.body, test.slots)).catch_unwind();
    let broken = |message: String| TestFailure::Failed(RunError::new(ErrorKind::Internal, message));
    let last = match clock.drive(body) {
        Some(Ok(Ok(()))) => None,
        Some(Ok(Err(Stop::Failed(failure)))) => Some(TestFailure::Failed(failure.error)),
        Some(Ok(Err(Stop::Cancelled))) => Some(broken("the test was cancelled".to_owned())),
        Some(Err(panic)) => Some(broken(format!("the engine broke down: {}", panic_text(&*panic)))),
        None => Some(broken("the test waits for something that never comes".to_owned())),
    };
    drop(machine);
    let mut failures = bench.into_failures();
    // A call without a mock fails its step too; that says nothing new.
    let told = failures.iter().any(|failure| matches!(failure, TestFailure::Unmocked { .. }));
    failures.extend(last.filter(|last| !(told && denied(last))));
    Some(TestReport {
        title: test.title.clone(),
        span: test.span,
        failures,
        events: run.log.snapshot(),
        virtual_time: clock.elapsed(),
    })
}

fn denied(failure: &TestFailure) -> bool {
    matches!(failure, TestFailure::Failed(error) if error.kind == ErrorKind::Denied)
}

/// The mocks of a test, the calls they answered, and what went wrong.
pub(crate) struct Bench {
    slots: usize,
    state: Mutex<State>,
}

struct State {
    mocks: Vec<Declared>,
    /// The argument records of each tool's calls.
    calls: Vec<Vec<Value>>,
    failures: Vec<TestFailure>,
}

struct Declared {
    mock: Arc<Mock>,
    after: Option<Duration>,
    answer: Result<Value, ErrorKind>,
}

/// What a mock answers, and when.
pub(crate) struct Answer {
    pub(crate) after: Option<Duration>,
    pub(crate) result: Result<Value, ToolError>,
}

impl Bench {
    fn new(program: &Program, test: &Test) -> Self {
        let state = State { mocks: Vec::new(), calls: vec![Vec::new(); program.tools.len()], failures: Vec::new() };
        Self { slots: test.slots as usize, state: Mutex::new(state) }
    }

    /// Declares a mock; those declared before it are asked first.
    pub(crate) fn declare(&self, strand: &Strand<'_>, frame: &mut [Value], mock: &Arc<Mock>) -> Result<(), Stop> {
        let after = mock.after.as_ref().map(|after| strand.duration(frame, after)).transpose()?;
        let answer = match &mock.answer {
            MockAnswer::Value(value) => Ok(strand.eval(frame, value)?),
            MockAnswer::Fails(kind) => Err(*kind),
        };
        self.lock().mocks.push(Declared { mock: Arc::clone(mock), after, answer });
        Ok(())
    }

    /// Checks an assertion; the test goes on where it does not hold.
    pub(crate) fn check(&self, strand: &Strand<'_>, frame: &mut [Value], assert: &Assert) -> Result<(), Stop> {
        if strand.holds(frame, &assert.condition)? {
            return Ok(());
        }
        let sides = match &assert.sides {
            Some((left, right)) => Some((strand.eval(frame, left)?, strand.eval(frame, right)?)),
            None => None,
        };
        self.lock().failures.push(TestFailure::Assert { span: assert.span, sides });
        Ok(())
    }

    /// The answer of the first mock that fits a call; `None` for what is not mocked but real.
    pub(crate) fn answer(
        &self,
        machine: &Machine<'_>,
        tool: u32,
        args: &Value,
        path: &str,
        span: Span,
    ) -> Option<Answer> {
        let mut state = self.lock();
        if let Some(calls) = state.calls.get_mut(tool as usize) {
            calls.push(args.clone());
        }
        // What a pattern binds goes nowhere: its answer was evaluated when it was declared.
        let mut scratch = vec![Value::Null; self.slots];
        let mut fits = |mock: &Mock| {
            mock.tool == tool
                && mock
                    .args
                    .iter()
                    .all(|(name, pattern)| machine.fits(&mut scratch, pattern, args.get(name).unwrap_or(&Value::Null)))
        };
        if let Some(found) = state.mocks.iter().find(|declared| fits(&declared.mock)) {
            let result =
                found.answer.clone().map_err(|kind| ToolError::new(kind, format!("the mock fails with `{kind}`")));
            return Some(Answer { after: found.after, result });
        }
        if machine.tools.get(tool as usize).is_some_and(Option::is_some) {
            return None;
        }
        let tool = machine.program.tools.get(tool as usize).map(|tool| tool.name.clone()).unwrap_or_default();
        let message = format!("no mock of `{tool}` fits this call");
        state.failures.push(TestFailure::Unmocked { tool, path: Text::new(path), args: args.clone(), span });
        Some(Answer { after: None, result: Err(ToolError::new(ErrorKind::Denied, message)) })
    }

    /// `calls(tool)`
    pub(crate) fn calls(&self, tool: u32) -> Value {
        Value::list(self.lock().calls.get(tool as usize).into_iter().flatten().cloned())
    }

    fn into_failures(self) -> Vec<TestFailure> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).failures
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
