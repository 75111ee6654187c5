//! A program as an engine sees it: its tools found in the registry, and what is known of its flows. Made once for a
//! program, not once for a run.

use std::sync::{Arc, OnceLock};

use crate::program::{Action, Block, Branch, Guard, Program, Step, Stmt};
use crate::run::ports::{Registry, Tool};
use crate::types::Text;

/// A program's tools and flows.
pub(crate) struct Bound {
    /// The tools, by their place in the program; `None` where the registry has none of the name.
    pub(crate) tools: Vec<Option<Arc<dyn Tool>>>,
    flows: Vec<OnceLock<Facts>>,
}

/// What is known of a flow.
pub(crate) struct Facts {
    /// How many named or titled steps stand in its text.
    pub(crate) steps: u32,
    /// The tools that it and the flows it calls may call, and that are not there.
    pub(crate) missing: Vec<Text>,
}

impl Bound {
    pub(crate) fn new(program: &Program, registry: &Registry) -> Self {
        Self {
            tools: program.tools.iter().map(|tool| registry.get(&tool.name).cloned()).collect(),
            flows: program.flows.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// What is known of a flow of the program.
    pub(crate) fn facts(&self, program: &Program, flow: usize) -> Option<&Facts> {
        Some(self.flows.get(flow)?.get_or_init(|| self.look(program, flow)))
    }

    fn look(&self, program: &Program, flow: usize) -> Facts {
        let mut steps = 0;
        let mut missing = Vec::new();
        let mut seen = vec![false; program.flows.len()];
        let mut pending = vec![flow];
        while let Some(at) = pending.pop() {
            let (Some(known), Some(body)) = (seen.get_mut(at), program.flows.get(at).map(|flow| &flow.body)) else {
                continue;
            };
            if std::mem::replace(known, true) {
                continue;
            }
            let mut walk = Walk::default();
            walk.block(body);
            if at == flow {
                steps = walk.steps;
            }
            pending.extend(walk.flows);
            for tool in walk.tools {
                let absent = self.tools.get(tool).is_none_or(Option::is_none);
                if let Some(tool) = program.tools.get(tool).filter(|tool| absent && !missing.contains(&tool.name)) {
                    missing.push(tool.name.clone());
                }
            }
        }
        Facts { steps, missing }
    }
}

/// What stands in a flow's text.
#[derive(Default)]
struct Walk {
    steps: u32,
    tools: Vec<usize>,
    flows: Vec<usize>,
}

impl Walk {
    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            match stmt {
                Stmt::Step(step) => self.step(step),
                Stmt::Block(it) => self.action(&it.action),
                Stmt::If(it) => self.all(it.branches.iter().map(|(_, block)| block).chain(&it.otherwise)),
                Stmt::Match(it) => self.all(it.arms.iter().map(|arm| &arm.body)),
                Stmt::Try(it) => {
                    self.all([&it.body].into_iter().chain(it.catch.iter().map(|catch| &catch.body)).chain(&it.finally));
                }
                _ => {}
            }
        }
    }

    fn all<'a>(&mut self, blocks: impl Iterator<Item = &'a Block>) {
        blocks.for_each(|block| self.block(block));
    }

    fn step(&mut self, step: &Step) {
        self.steps += u32::from(step.name.is_some() || step.title.is_some());
        self.action(&step.action);
        if let Some(undo) = &step.undo {
            self.action(&undo.call);
        }
        if let Some(Guard::Catch { catch, finally }) = &step.guard {
            self.all(catch.iter().map(|catch| &catch.body).chain(finally));
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Tool { tool, .. } => self.tools.push(*tool as usize),
            Action::Flow { flow, .. } => self.flows.push(*flow as usize),
            Action::Parallel(branches) | Action::Race(branches) => {
                for Branch { step, .. } in branches {
                    self.step(step);
                }
            }
            Action::For(it) => self.block(&it.body),
            Action::ParallelFor(it) => self.block(&it.body),
            Action::Repeat(it) => self.block(&it.body),
            Action::Do(body) => self.block(body),
            Action::If(it) => self.all(it.branches.iter().map(|(_, block)| block).chain(&it.otherwise)),
            Action::Match(it) => self.all(it.arms.iter().map(|arm| &arm.body)),
        }
    }
}
