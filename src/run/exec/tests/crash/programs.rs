//! Programs of random steps, in every form: the same for the same seed.

use std::sync::{Arc, OnceLock};

use crate::program::{Action, Block, Expr, Flow, Guard, ListItem, Program, Step, Stmt, Try};
use crate::run::exec::tests::build::*;
use crate::run::exec::tests::cancel::next;
use crate::types::{Signature, Type};
use crate::value::{ErrorKind, Shape};

/// The tools that wait, after those that every program here has.
pub(in crate::run::exec::tests) const TIME: u32 = 8;
const SIGNAL: u32 = 9;
pub(in crate::run::exec::tests) const NEVER: u32 = 10;
const ASK: u32 = 11;

/// Where the values of the flow's own steps go.
const FIRST_SLOT: u32 = 4;

/// Of what a program is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mix {
    Everything,
    /// What comes to the same however long anything takes, and whatever was begun again.
    Timeless,
}

/// The program of a seed. Its tools may all be called again.
pub(super) fn random(seed: u64, mix: Mix) -> Arc<Program> {
    let mut maker = Maker { seed: seed.wrapping_mul(7919).wrapping_add(1), timeless: mix == Mix::Timeless };
    let inner = flow("inner", maker.block(0).stmts);
    let timeout = (!maker.timeless && maker.one_in(2)).then_some(90);
    let depth = 1 + u32::from(maker.one_in(3));
    let mut body = maker.block(depth).stmts;
    let mut slots = Vec::new();
    for stmt in &mut body {
        if let Stmt::Step(step) = stmt {
            let slot = FIRST_SLOT + slots.len() as u32;
            step.slot = Some(slot);
            slots.push(ListItem::Value(Expr::Slot(slot)));
        }
    }
    body.push(Stmt::Return(Expr::List(slots)));
    let flows = [flow("main", body), Flow { timeout, ..inner }];
    repeatable(program(flows))
}

/// The program, with tools that wait, and all of them such as may be called again.
pub(in crate::run::exec::tests) fn repeatable(program: Arc<Program>) -> Arc<Program> {
    let Program { sources, mut tools, flows, functions, tests, .. } = Arc::into_inner(program).unwrap();
    tools.extend([
        Arc::new(Signature::new("time.sleep", "", Type::Null).param("duration", Type::Duration, "")),
        Arc::new(Signature::new("signal.wait", "", Type::Json)),
        Arc::new(Signature::new("signal.never", "", Type::Json)),
        Arc::new(Signature::new("human.ask", "", Type::Json)),
    ]);
    for tool in &mut tools {
        Arc::make_mut(tool).annotations.idempotent = Some(true);
    }
    Arc::new(Program { sources, tools, flows, functions, tests, hash: OnceLock::new() })
}

struct Maker {
    seed: u64,
    timeless: bool,
}

impl Maker {
    fn below(&mut self, most: u64) -> u64 {
        next(&mut self.seed) % most
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn block(&mut self, depth: u32) -> Block {
        block((0..=self.below(3)).map(|at| self.stmt(at, depth)))
    }

    fn stmt(&mut self, at: u64, depth: u32) -> Stmt {
        match self.below(if depth == 0 { 16 } else { 24 }) {
            0 => Stmt::Emit(int(7)),
            // Long enough that others get a share.
            1 => statement(&format!("for@{at}"), each(ints(150), block([]))),
            16 | 17 => self.guarded(at, depth),
            18 => statement(&format!("for@{at}"), each(ints(2), self.block(depth - 1))),
            kind => self.step(&format!("s{at}"), if kind < 12 { 0 } else { depth }).stmt(),
        }
    }

    /// A `try` statement with `finally`, whose body may fail where something catches it.
    fn guarded(&mut self, at: u64, depth: u32) -> Stmt {
        let finally = Some(block([step(&format!("f{at}"), call(SLEEP, int(5))).stmt()]));
        let handler = self.one_in(2).then(|| catch([self.step(&format!("c{at}"), depth - 1).stmt()]));
        let mut body = self.block(depth - 1);
        if (handler.is_some() || !self.timeless) && self.one_in(2) {
            body.stmts.push(fail("it is the end"));
        }
        let tried = Stmt::Try(Box::new(Try { body, catch: handler, finally }));
        statement(&format!("do@{at}"), Action::Do(block([tried])))
    }

    fn step(&mut self, name: &str, depth: u32) -> Step {
        let made = if depth == 0 { self.leaf(name) } else { self.form(name, depth - 1) };
        let made = if self.one_in(3) { made.undone_by(name) } else { made };
        let made = if self.one_in(4) {
            made.retried(1).with(|step| step.retry.as_mut().unwrap().on = vec![ErrorKind::Tool, ErrorKind::Timeout])
        } else {
            made
        };
        let made = if !self.timeless && self.one_in(5) { made.timed(30) } else { made };
        if made.guard.is_some() || !self.one_in(3) {
            return made;
        }
        let guard = if self.one_in(2) {
            Guard::Outcome
        } else {
            let finally = self.one_in(2).then(|| block([step("fin", call(SLEEP, int(3))).stmt()]));
            Guard::Catch { catch: Some(catch([step("oops", call(ECHO, int(3))).stmt()])), finally }
        };
        made.with(|step| step.guard = Some(guard))
    }

    /// A step that surely fails says what becomes of that where nothing but its value may depend on time.
    fn failing(&mut self, made: Step) -> Step {
        if !self.timeless && self.one_in(2) {
            return made;
        }
        let handler = || Guard::Catch { catch: Some(catch([step("oops", call(ECHO, int(3))).stmt()])), finally: None };
        let guard = if self.one_in(2) { Guard::Outcome } else { handler() };
        made.with(|step| step.guard = Some(guard))
    }

    fn leaf(&mut self, name: &str) -> Step {
        let pause = i64::try_from(self.below(40)).unwrap();
        match self.below(16) {
            0 => self.failing(step(name, call(FAIL, int(1)))),
            1 if !self.timeless => step(name, call(FLAKY, int(1))),
            1 | 2 => self.failing(step(name, call(HANG, int(1))).timed(30)),
            3 => self.failing(step(name, waiting(NEVER)).timed(50)),
            4 | 5 => step(name, waiting(SIGNAL)),
            6 => step(name, waiting(ASK)),
            7 | 8 => {
                let shape = Arc::new(Shape::new(["duration".into()]));
                step(name, Action::Tool { tool: TIME, shape, args: vec![millis(pause)] })
            }
            9 | 10 => step(name, call(ECHO, int(pause))),
            _ => step(name, call(SLEEP, int(pause))),
        }
    }

    fn form(&mut self, name: &str, depth: u32) -> Step {
        match self.below(9) {
            0 => step(name, Action::Do(self.block(depth))),
            1 => step(name, each(ints(2), self.block(depth))),
            2 => step(name, parallel_each(ints(3), Some(2), self.block(depth))),
            3 => {
                let left = step("l", Action::Do(self.block(depth))).branch();
                let right = step("r", Action::Do(self.block(depth))).undone_by("r").branch();
                step(name, Action::Parallel(vec![left, right]))
            }
            4 => self.race(name, depth),
            5 => {
                let rounds = step(name, repeat(2, Some((20, None)), self.block(depth)));
                self.failing(rounds)
            }
            6 => step(name, Action::Flow { flow: 1, args: Vec::new() }),
            // Something to undo.
            7 => {
                let mut body = self.block(depth);
                body.stmts.push(fail("not so"));
                self.failing(step(name, Action::Do(body)))
            }
            _ => {
                let done = step("a", call(ECHO, int(1))).undone_by("a").stmt();
                let hangs = step("h", call(HANG, int(1))).stmt();
                self.failing(step(name, Action::Do(block([done, hangs]))).timed(60))
            }
        }
    }

    /// A race; the right branch never wins where it is to be known who does.
    fn race(&mut self, name: &str, depth: u32) -> Step {
        let mut left = vec![step("first", call(SLEEP, int(2))).stmt()];
        left.extend(self.block(depth).stmts);
        let left = step("l", Action::Do(block(left))).branch();
        let right = if self.timeless {
            let done = step("a", call(ECHO, int(1))).undone_by("a").stmt();
            block([done, step("h", call(HANG, int(1))).stmt()])
        } else {
            self.block(depth)
        };
        step(name, Action::Race(vec![left, step("r", Action::Do(right)).undone_by("r").branch()]))
    }
}

/// The call of a tool that waits, which takes nothing.
pub(in crate::run::exec::tests) fn waiting(tool: u32) -> Action {
    Action::Tool { tool, shape: Arc::new(Shape::new([])), args: Vec::new() }
}
