//! What runs, as data: names resolved to slots, types settled, defaults filled in. A program needs neither its source
//! nor the checker to run, can be stored and read back, and is known by the hash of its content.
//!
//! A **frame** is the row of slots of one flow of control: a flow's body, a branch of `parallel` or `race`, an
//! iteration of `parallel for`, a function's call. Parameters come first. A branch begins with copies of what it
//! captures from the frame around it; lambdas and sequential blocks use slots of the frame they stand in.

mod call;
mod expr;

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::source::{SourceFile, Sources, Span};
use crate::types::{Signature, Text, Type};
use crate::value::{ErrorKind, Shape, Value, exact};

pub use expr::{Expr, Lambda, ListItem, MapEntry, Pattern, RecordPart, TemplatePart};

/// The place of a value in its frame.
pub type Slot = u32;

/// A checked program.
#[derive(Debug, Serialize, Deserialize)]
pub struct Program {
    /// The texts it was made from, for messages; spans point into them by their position here.
    pub sources: Vec<SourceText>,
    /// Every tool it calls or mocks.
    pub tools: Vec<Arc<Signature>>,
    /// Its flows, those of imported files included.
    pub flows: Vec<Flow>,
    /// Its pure functions.
    pub functions: Vec<Function>,
    /// Its tests.
    pub tests: Vec<Test>,
    #[serde(skip)]
    pub(crate) hash: OnceLock<Text>,
}

/// A source text that a program was made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceText {
    /// The file's name.
    pub name: Arc<str>,
    /// Its whole text.
    pub text: Arc<str>,
}

/// A flow.
#[derive(Debug, Serialize, Deserialize)]
pub struct Flow {
    /// Its name.
    pub name: Text,
    /// Its documentation.
    pub doc: String,
    /// Where its name stands.
    pub span: Span,
    /// Whether it stands in the file the program was made of, rather than in an imported one.
    pub exported: bool,
    /// Its parameters; the n-th has slot n.
    pub params: Vec<Param>,
    /// What it gives.
    pub result: Type,
    /// `@trigger` patterns.
    pub triggers: Vec<String>,
    /// `@budget`
    pub budget: Budget,
    /// `@timeout`, in milliseconds.
    pub timeout: Option<u64>,
    /// How many slots its frame has.
    pub slots: u32,
    /// Its statements.
    pub body: Block,
}

/// A parameter of a flow or function.
#[derive(Debug, Serialize, Deserialize)]
pub struct Param {
    /// Its name.
    pub name: Text,
    /// Its documentation.
    pub doc: String,
    /// Its type; one that may be left out without a default allows null.
    pub ty: Type,
    /// Whether a call may leave it out.
    pub optional: bool,
    /// Its default, over the slots of the parameters before it; null where there is none.
    pub default: Option<Expr>,
}

/// Bounds on what a run may spend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// US dollars.
    pub usd: Option<f64>,
    /// Tool calls, attempts included.
    pub calls: Option<u64>,
    /// Tokens.
    pub tokens: Option<u64>,
}

/// A pure function.
#[derive(Debug, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: Text,
    /// Its parameters; the n-th has slot n.
    pub params: Vec<Param>,
    /// How many slots its frame has.
    pub slots: u32,
    /// Its body: statements without effects, of which `Assign If Match Return Fail` occur. `= expr` is one `Return`.
    pub body: Block,
}

/// A test.
#[derive(Debug, Serialize, Deserialize)]
pub struct Test {
    /// Its title.
    pub title: Text,
    /// Where it stands.
    pub span: Span,
    /// How many slots its frame has.
    pub slots: u32,
    /// Its statements.
    pub body: Block,
}

/// Statements one after the other.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Block {
    /// The statements.
    pub stmts: Vec<Stmt>,
}

/// A statement.
#[derive(Debug, Serialize, Deserialize)]
pub enum Stmt {
    /// `let`, `var`, `set`, and each name of a `let { a, b }`.
    Assign {
        /// Where the value goes.
        slot: Slot,
        /// The value.
        value: Expr,
    },
    /// A step. `yield step` and `return step` are a step and then a [`Stmt::Yield`] or [`Stmt::Return`] of its slot.
    Step(Box<Step>),
    /// A block form as a statement (`for parallel race repeat do`, `parallel for`): it has a path, and no events.
    Block(Box<BlockStmt>),
    /// `if`, transparent: what its blocks yield or return passes through.
    If(Box<If>),
    /// `match`, transparent.
    Match(Box<Match>),
    /// `try`, transparent.
    Try(Box<Try>),
    /// `yield`
    Yield(Expr),
    /// `return`
    Return(Expr),
    /// `fail "why" details d`
    Fail {
        /// The message: a string.
        message: Expr,
        /// What goes with it.
        details: Option<Expr>,
        /// Where it stands.
        span: Span,
    },
    /// `fail err`: the caught error goes on with its kind, step and details.
    Refail {
        /// The `Error` record.
        error: Expr,
        /// Where it stands.
        span: Span,
    },
    /// `emit`
    Emit(Expr),
    /// `break`
    Break,
    /// `continue`
    Continue,
    /// `mock`, in a test.
    Mock(Arc<Mock>),
    /// `assert`, in a test.
    Assert(Box<Assert>),
}

/// A block form as a statement.
#[derive(Debug, Serialize, Deserialize)]
pub struct BlockStmt {
    /// Its path segment: `for@1`.
    pub segment: Text,
    /// What it does.
    pub action: Action,
    /// Where it stands.
    pub span: Span,
}

/// A step.
#[derive(Debug, Serialize, Deserialize)]
pub struct Step {
    /// From `step` to the last clause.
    pub span: Span,
    /// Its path segment: its name, or `callee@n`, `keyword@n`.
    pub segment: Text,
    /// Its name, where it has one.
    pub name: Option<Text>,
    /// Its title: gives a string.
    pub title: Option<Expr>,
    /// Where its value goes, in the frame it runs in.
    pub slot: Option<Slot>,
    /// `when`: if false, the step is skipped and its value null. Evaluated before all else.
    pub when: Option<Expr>,
    /// What it does.
    pub action: Action,
    /// What its action gives, `as` applied: a tool's result is made to fit it, a recorded one is read as it.
    pub result: Type,
    /// `as T`: the action's value is checked against it. Tools' results are always checked against `result`.
    pub checked: bool,
    /// `retry`; without it the default policy, for tool calls.
    pub retry: Option<Retry>,
    /// `timeout` of one attempt: gives a duration.
    pub timeout: Option<Expr>,
    /// `else`: the value if it failed.
    pub otherwise: Option<Expr>,
    /// `undo`
    pub undo: Option<Box<Undo>>,
    /// `key`: gives a string.
    pub key: Option<Expr>,
    /// `try`: around all clauses.
    pub guard: Option<Guard>,
}

impl Step {
    /// A step without a name or clauses, whose value goes nowhere.
    pub fn new(segment: impl Into<Text>, action: Action, result: Type, span: Span) -> Self {
        Self {
            span,
            segment: segment.into(),
            name: None,
            title: None,
            slot: None,
            when: None,
            action,
            result,
            checked: false,
            retry: None,
            timeout: None,
            otherwise: None,
            undo: None,
            key: None,
            guard: None,
        }
    }
}

/// What `try` makes of a step's success or failure.
#[derive(Debug, Serialize, Deserialize)]
pub enum Guard {
    /// `try X`: an outcome.
    Outcome,
    /// `try X catch err { } finally { }`: what X or the catch block yields.
    Catch {
        /// `catch`
        catch: Option<Catch>,
        /// `finally`
        finally: Option<Block>,
    },
}

/// `retry N backoff A..B on …`
#[derive(Debug, Serialize, Deserialize)]
pub struct Retry {
    /// How many more attempts: an int.
    pub count: Expr,
    /// `A` and `B`: durations; without them the default 500ms..10s.
    pub backoff: Option<(Expr, Expr)>,
    /// The kinds to retry on; empty: retryable errors.
    pub on: Vec<ErrorKind>,
}

/// A compensation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Undo {
    /// Where the call's result stands while the arguments are evaluated: the step's name means the bare result there,
    /// whatever `try` makes of it afterwards.
    pub slot: Option<Slot>,
    /// What undoes it: a [`Action::Tool`] or [`Action::Flow`].
    pub call: Action,
    /// Where it stands.
    pub span: Span,
}

/// What a step does.
#[derive(Debug, Serialize, Deserialize)]
pub enum Action {
    /// A call of a tool.
    Tool {
        /// Its place in [`Program::tools`].
        tool: u32,
        /// The names of the arguments that are given, in the order of the tool's parameters.
        #[serde(with = "expr::shape")]
        shape: Arc<Shape>,
        /// One for each name of the shape. One that turns out null where the parameter may be left out is left out.
        args: Vec<Expr>,
    },
    /// A call of a flow.
    Flow {
        /// Its place in [`Program::flows`].
        flow: u32,
        /// One for each parameter; `None` takes the default.
        args: Vec<Option<Expr>>,
    },
    /// `parallel { }`: the record of the branches' values.
    Parallel(Vec<Branch>),
    /// `race { }`: the first success.
    Race(Vec<Branch>),
    /// `for`
    For(Box<For>),
    /// `parallel for`
    ParallelFor(Box<ParallelFor>),
    /// `repeat`
    Repeat(Box<Repeat>),
    /// `do`
    Do(Block),
    /// `if` as an action.
    If(Box<If>),
    /// `match` as an action.
    Match(Box<Match>),
}

/// A branch of `parallel` or `race`: a step in a frame of its own.
#[derive(Debug, Serialize, Deserialize)]
pub struct Branch {
    /// The step.
    pub step: Step,
    /// Where its value goes in the frame around it, for a `parallel` that is a statement.
    pub bind: Option<Slot>,
    /// Its frame.
    pub frame: Capture,
}

/// The frame of a branch: its size, and what is copied into it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Capture {
    /// How many slots it has.
    pub slots: u32,
    /// Pairs of a slot of the frame around it and the slot it is copied to.
    pub copies: Vec<(Slot, Slot)>,
}

/// `for item, index in list { }`
#[derive(Debug, Serialize, Deserialize)]
pub struct For {
    /// The list.
    pub list: Expr,
    /// The item's slot.
    pub item: Slot,
    /// The index's slot.
    pub index: Option<Slot>,
    /// Its body.
    pub body: Block,
}

/// `parallel for item, index in list limit n { }`
#[derive(Debug, Serialize, Deserialize)]
pub struct ParallelFor {
    /// The list, in the frame around it.
    pub list: Expr,
    /// `limit`, in the frame around it: an int. Without it 16.
    pub limit: Option<Expr>,
    /// Where `limit` or the loop stands, for errors.
    pub span: Span,
    /// The item's slot in the iteration's frame.
    pub item: Slot,
    /// The index's slot there.
    pub index: Option<Slot>,
    /// Each iteration's frame.
    pub frame: Capture,
    /// Its body.
    pub body: Block,
}

/// `repeat max n every a..b { }`
#[derive(Debug, Serialize, Deserialize)]
pub struct Repeat {
    /// `max`: an int.
    pub max: Expr,
    /// `every`: one duration, or a range that grows from the first to the second.
    pub every: Option<(Expr, Option<Expr>)>,
    /// Its body.
    pub body: Block,
    /// Where it stands.
    pub span: Span,
}

/// `if`
#[derive(Debug, Serialize, Deserialize)]
pub struct If {
    /// Conditions with their blocks.
    pub branches: Vec<(Expr, Block)>,
    /// `else`
    pub otherwise: Option<Block>,
}

/// `match`, exhaustive.
#[derive(Debug, Serialize, Deserialize)]
pub struct Match {
    /// What is matched.
    pub value: Expr,
    /// Its arms, tried in order.
    pub arms: Vec<Arm<Block>>,
}

/// An arm of a match.
#[derive(Debug, Serialize, Deserialize)]
pub struct Arm<Body> {
    /// Any of these.
    pub patterns: Vec<Pattern>,
    /// `if cond`
    pub guard: Option<Expr>,
    /// What it gives.
    pub body: Body,
}

/// `try { } catch err { } finally { }` as a statement.
#[derive(Debug, Serialize, Deserialize)]
pub struct Try {
    /// Its body.
    pub body: Block,
    /// `catch`; without it a failure is swallowed unless there is a `finally`, after which it goes on.
    pub catch: Option<Catch>,
    /// `finally`
    pub finally: Option<Block>,
}

/// `catch err { }`
#[derive(Debug, Serialize, Deserialize)]
pub struct Catch {
    /// The error's slot.
    pub slot: Option<Slot>,
    /// Its body.
    pub body: Block,
}

/// A mock of a tool.
#[derive(Debug, Serialize, Deserialize)]
pub struct Mock {
    /// Its place in [`Program::tools`].
    pub tool: u32,
    /// The frame in which it answers: made when the mock is declared, copied for each call.
    pub frame: Capture,
    /// Which calls it answers, by argument; empty: all. What they bind goes into the frame.
    pub args: Vec<(Text, Pattern)>,
    /// `after`: a duration, over the frame.
    pub after: Option<Expr>,
    /// What it answers.
    pub answer: MockAnswer,
    /// Where it stands.
    pub span: Span,
}

/// What a mock answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum MockAnswer {
    /// A value over the frame, evaluated for each call. What `...` leaves to it is filled by lowering.
    Value(Expr),
    /// A failure.
    Fails(ErrorKind),
}

/// An assertion.
#[derive(Debug, Serialize, Deserialize)]
pub struct Assert {
    /// What must hold.
    pub condition: Expr,
    /// The two sides of a comparison, for the report.
    pub sides: Option<(Expr, Expr)>,
    /// Where the condition stands.
    pub span: Span,
}

impl Program {
    /// A program of its parts.
    pub fn new(
        sources: Vec<SourceText>,
        tools: Vec<Arc<Signature>>,
        flows: Vec<Flow>,
        functions: Vec<Function>,
        tests: Vec<Test>,
    ) -> Self {
        Self { sources, tools, flows, functions, tests, hash: OnceLock::new() }
    }

    /// A flow by its name; those of the program's own file come before imported ones.
    pub fn flow(&self, name: &str) -> Option<&Flow> {
        self.flows.iter().filter(|flow| flow.name == name).max_by_key(|flow| flow.exported)
    }

    /// A flow by its name, as [`Program::flow`] has it, with its place.
    pub fn find_flow(&self, name: &str) -> Option<(usize, &Flow)> {
        self.flows.iter().enumerate().filter(|(_, flow)| flow.name == name).max_by_key(|(_, flow)| flow.exported)
    }

    /// Reads a program that was written with [`Program::to_json`]. The text must come from a store that is trusted: it is
    /// not checked, and nests as deep as it says.
    ///
    /// # Errors
    /// Where the text is no program.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        let mut reader = serde_json::Deserializer::from_str(text);
        // A program nests deeper than the 128 levels that serde_json allows strangers; the parser has bounded it.
        reader.disable_recursion_limit();
        let program = Self::deserialize(&mut reader)?;
        reader.end()?;
        Ok(program)
    }

    /// The program as JSON, to be stored.
    ///
    /// # Errors
    /// Never in practice: a program is plain data.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The texts as sources, for rendering errors.
    pub fn source_files(&self) -> Sources {
        let mut sources = Sources::default();
        for text in &self.sources {
            sources.add(SourceFile::new(Arc::clone(&text.name), Arc::clone(&text.text)));
        }
        sources
    }

    /// The SHA-256 of its texts and its tools' signatures, in hex: the same program has the same hash.
    pub fn hash(&self) -> &Text {
        self.hash.get_or_init(|| {
            use sha2::{Digest, Sha256};
            use std::fmt::Write;
            let mut sha = Sha256::new();
            let mut part = |bytes: &[u8]| {
                sha.update((bytes.len() as u64).to_le_bytes());
                sha.update(bytes);
            };
            part(env!("CARGO_PKG_VERSION").as_bytes());
            for source in &self.sources {
                part(source.name.as_bytes());
                part(source.text.as_bytes());
            }
            for tool in &self.tools {
                part(&serde_json::to_vec(tool).unwrap_or_default());
            }
            let mut hex = String::with_capacity(64);
            for byte in sha.finalize() {
                let _ = write!(hex, "{byte:02x}");
            }
            Text::from(hex)
        })
    }
}

/// A constant, written so that it is read back as the very same value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Constant(#[serde(with = "exact")] pub Value);
