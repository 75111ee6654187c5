//! How many calls of tools a run that succeeds makes at least: over all paths that come to an end.

use rustc_hash::FxHashMap;

use crate::program::{Action, Block, Guard, Program, Step, Stmt};

/// The least until a block's end is reached, and until it is left before (`yield return break continue`); none for a
/// way there is not.
#[derive(Clone, Copy, Default)]
struct Ways {
    falls: Option<u64>,
    leaves: Option<u64>,
}

impl Ways {
    fn end(self) -> Option<u64> {
        lesser(self.falls, self.leaves)
    }
}

fn lesser(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The least number of calls of the last of these flows, which come after those they call.
pub(super) fn calls(program: &Program, order: &[u32]) -> u64 {
    let mut least = Least { flows: FxHashMap::default() };
    let mut last = 0;
    for at in order {
        let flow = program.flows.get(*at as usize);
        last = flow.and_then(|flow| least.block(&flow.body).end()).unwrap_or(0);
        least.flows.insert(*at, last);
    }
    last
}

struct Least {
    /// What is known of flows, by their place.
    flows: FxHashMap<u32, u64>,
}

impl Least {
    fn block(&self, block: &Block) -> Ways {
        let mut spent = 0u64;
        let mut leaves = None;
        for stmt in &block.stmts {
            let ways = self.stmt(stmt);
            leaves = lesser(leaves, ways.leaves.map(|least| least.saturating_add(spent)));
            match ways.falls {
                Some(least) => spent = spent.saturating_add(least),
                None => return Ways { falls: None, leaves },
            }
        }
        Ways { falls: Some(spent), leaves }
    }

    fn stmt(&self, stmt: &Stmt) -> Ways {
        let through = Ways { falls: Some(0), leaves: None };
        match stmt {
            Stmt::Step(step) => Ways { falls: Some(self.step(step)), leaves: None },
            Stmt::Block(block) => match &block.action {
                Action::Do(body) => self.block(body),
                action => Ways { falls: Some(self.action(action)), leaves: Some(0) },
            },
            Stmt::If(form) => {
                let otherwise = form.otherwise.as_ref().map_or(through, |body| self.block(body));
                form.branches.iter().fold(otherwise, |ways, (_, body)| or(ways, self.block(body)))
            }
            Stmt::Match(form) => form.arms.iter().fold(Ways::default(), |ways, arm| or(ways, self.block(&arm.body))),
            Stmt::Try(form) => {
                let body = self.block(&form.body);
                let caught = match &form.catch {
                    Some(catch) => self.block(&catch.body),
                    None if form.finally.is_none() => through,
                    None => Ways::default(),
                };
                or(body, caught)
            }
            Stmt::Yield(_) | Stmt::Return(_) | Stmt::Break | Stmt::Continue => Ways { falls: None, leaves: Some(0) },
            Stmt::Fail { .. } | Stmt::Refail { .. } => Ways::default(),
            Stmt::Assign { .. } | Stmt::Emit(_) | Stmt::Mock(_) | Stmt::Assert(_) => through,
        }
    }

    fn step(&self, step: &Step) -> u64 {
        let call = matches!(step.action, Action::Tool { .. } | Action::Flow { .. });
        let may_fail = step.otherwise.is_some() || step.guard.is_some();
        if step.when.is_some() || (may_fail && !call) {
            return 0;
        }
        let least = self.action(&step.action);
        match &step.guard {
            // A flow that fails may have called nothing.
            Some(Guard::Outcome | Guard::Catch { catch: Some(_), .. })
                if !matches!(step.action, Action::Tool { .. }) =>
            {
                0
            }
            _ if step.otherwise.is_some() && !matches!(step.action, Action::Tool { .. }) => 0,
            _ => least,
        }
    }

    fn action(&self, action: &Action) -> u64 {
        match action {
            Action::Tool { .. } => 1,
            Action::Flow { flow, .. } => self.flows.get(flow).copied().unwrap_or(0),
            Action::Parallel(branches) => branches.iter().map(|branch| self.step(&branch.step)).sum(),
            Action::Race(branches) => branches.iter().map(|branch| self.step(&branch.step)).min().unwrap_or(0),
            Action::For(_) | Action::ParallelFor(_) => 0,
            Action::Repeat(form) => self.block(&form.body).end().unwrap_or(0),
            Action::Do(body) => self.block(body).end().unwrap_or(0),
            Action::If(form) => {
                let otherwise = form.otherwise.as_ref().map_or(Some(0), |body| self.block(body).end());
                let least =
                    form.branches.iter().fold(otherwise, |least, (_, body)| lesser(least, self.block(body).end()));
                least.unwrap_or(0)
            }
            Action::Match(form) => {
                form.arms.iter().fold(None, |least, arm| lesser(least, self.block(&arm.body).end())).unwrap_or(0)
            }
        }
    }
}

fn or(a: Ways, b: Ways) -> Ways {
    Ways { falls: lesser(a.falls, b.falls), leaves: lesser(a.leaves, b.leaves) }
}
