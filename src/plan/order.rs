//! The flows that a flow calls, each after those it calls itself: so that what is known of them can be put together
//! without walking a long chain of calls on the stack.

use rustc_hash::FxHashSet;

use crate::program::{Action, Block, Guard, Program, Step, Stmt};

/// The places of all flows that can be reached from one, itself last.
pub(super) fn callees_first(program: &Program, start: u32) -> Vec<u32> {
    let mut order = Vec::new();
    let mut seen = FxHashSet::from_iter([start]);
    let mut stack = vec![(start, calls(program, start), 0)];
    while let Some((at, calls_of, next)) = stack.last_mut() {
        match calls_of.get(*next).copied() {
            Some(callee) => {
                *next += 1;
                if seen.insert(callee) {
                    stack.push((callee, calls(program, callee), 0));
                }
            }
            None => {
                order.push(*at);
                stack.pop();
            }
        }
    }
    order
}

/// The flows that a flow calls, in the order of the text.
fn calls(program: &Program, flow: u32) -> Vec<u32> {
    let mut found = Vec::new();
    if let Some(flow) = program.flows.get(flow as usize) {
        block(&flow.body, &mut found);
    }
    found
}

fn block(block: &Block, found: &mut Vec<u32>) {
    for stmt in &block.stmts {
        match stmt {
            Stmt::Step(step) => self::step(step, found),
            Stmt::Block(block) => action(&block.action, found),
            Stmt::If(form) => {
                let bodies = form.branches.iter().map(|(_, body)| body).chain(&form.otherwise);
                bodies.for_each(|body| self::block(body, found));
            }
            Stmt::Match(form) => form.arms.iter().for_each(|arm| self::block(&arm.body, found)),
            Stmt::Try(form) => {
                let caught = form.catch.iter().map(|catch| &catch.body);
                std::iter::once(&form.body)
                    .chain(caught)
                    .chain(&form.finally)
                    .for_each(|body| self::block(body, found));
            }
            _ => {}
        }
    }
}

fn step(step: &Step, found: &mut Vec<u32>) {
    action(&step.action, found);
    if let Some(undo) = &step.undo {
        action(&undo.call, found);
    }
    if let Some(Guard::Catch { catch, finally }) = &step.guard {
        catch.iter().map(|catch| &catch.body).chain(finally).for_each(|body| block(body, found));
    }
}

fn action(action: &Action, found: &mut Vec<u32>) {
    match action {
        Action::Tool { .. } => {}
        Action::Flow { flow, .. } => found.push(*flow),
        Action::Parallel(branches) | Action::Race(branches) => {
            branches.iter().for_each(|branch| step(&branch.step, found));
        }
        Action::For(form) => block(&form.body, found),
        Action::ParallelFor(form) => block(&form.body, found),
        Action::Repeat(form) => block(&form.body, found),
        Action::Do(body) => block(body, found),
        Action::If(form) => {
            form.branches.iter().map(|(_, body)| body).chain(&form.otherwise).for_each(|body| block(body, found));
        }
        Action::Match(form) => form.arms.iter().for_each(|arm| block(&arm.body, found)),
    }
}
