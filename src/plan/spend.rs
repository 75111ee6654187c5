//! How often each tool is called at most, and how many calls are in flight at once: a walk over the program that
//! multiplies by the lengths of lists and the bounds of loops.

use indexmap::IndexMap;
use rustc_hash::FxHashMap;

use crate::builtins::Size;
use crate::plan::bound::Bound;
use crate::plan::describe::Names;
use crate::plan::{Safety, ToolUse};
use crate::program::{Action, Block, Branch, Expr, Flow, Guard, ListItem, Program, Slot, Step, Stmt, TemplatePart};
use crate::types::{Annotations, BinaryOp, Text, Type};
use crate::value::Value;

/// What was found.
pub(super) struct Found {
    pub(super) steps: u64,
    pub(super) tools: Vec<ToolUse>,
    pub(super) flows: Vec<Text>,
    pub(super) secrets: Vec<Text>,
    pub(super) hosts: Vec<Text>,
    pub(super) at_once: Bound,
}

/// Attempts of the default policy, and how many branches of `parallel for` run at once without `limit`.
const DEFAULT_ATTEMPTS: u64 = 3;
const DEFAULT_LIMIT: u64 = 16;

/// Walks the last of these flows; each comes after those it calls.
pub(super) fn spend(program: &Program, order: &[u32]) -> Found {
    let mut walk =
        Walk { program, known: FxHashMap::default(), flows: Vec::new(), secrets: Vec::new(), hosts: Vec::new() };
    let mut spent = Spent::default();
    for at in order {
        if let Some(flow) = program.flows.get(*at as usize) {
            spent = walk.flow(flow);
            walk.known.insert(*at, spent.clone());
            walk.flows.push(flow.name.clone());
        }
    }
    // The flow itself is no callee.
    walk.flows.pop();
    let tools = spent.tools.iter().filter_map(|(tool, (calls, attempts))| {
        let signature = program.tools.get(*tool as usize)?;
        Some(ToolUse {
            name: signature.name.clone(),
            calls: calls.clone(),
            attempts: attempts.clone(),
            safety: safety(&signature.annotations),
            usd_per_call: signature.annotations.cost_usd,
        })
    });
    Found {
        steps: spent.steps,
        tools: tools.collect(),
        at_once: spent.at_once,
        flows: walk.flows,
        secrets: walk.secrets,
        hosts: walk.hosts,
    }
}

fn safety(annotations: &Annotations) -> Safety {
    if annotations.read_only == Some(true) {
        Safety::ReadOnly
    } else if annotations.destructive == Some(true) {
        Safety::Destructive
    } else if annotations.repeatable() {
        Safety::Repeatable
    } else {
        Safety::Unknown
    }
}

/// What a part of a program may call: by tool the calls and the attempts, and how many at once.
#[derive(Clone, Default)]
struct Spent {
    steps: u64,
    tools: IndexMap<u32, (Bound, Bound)>,
    at_once: Bound,
}

impl Spent {
    fn merge(mut self, other: Spent, each: fn(Bound, &Bound) -> Bound, at_once: fn(Bound, &Bound) -> Bound) -> Spent {
        for (tool, (calls, attempts)) in other.tools {
            let mine = self.tools.entry(tool).or_default();
            mine.0 = each(std::mem::take(&mut mine.0), &calls);
            mine.1 = each(std::mem::take(&mut mine.1), &attempts);
        }
        self.steps += other.steps;
        self.at_once = at_once(self.at_once, &other.at_once);
        self
    }

    /// One after the other.
    fn then(self, other: Spent) -> Spent {
        self.merge(other, Bound::plus, Bound::or)
    }

    /// Both at once.
    fn beside(self, other: Spent) -> Spent {
        self.merge(other, Bound::plus, Bound::plus)
    }

    /// One or the other.
    fn either(self, other: Spent) -> Spent {
        self.merge(other, Bound::or, Bound::or)
    }

    /// So many times.
    fn times(mut self, n: &Bound) -> Spent {
        for (calls, attempts) in self.tools.values_mut() {
            *calls = calls.times(n);
            *attempts = attempts.times(n);
        }
        self
    }

    /// So many attempts, of which one is planned.
    fn tried(mut self, attempts: &Bound) -> Spent {
        for (_, all) in self.tools.values_mut() {
            *all = all.times(attempts);
        }
        self
    }
}

/// What stands in the slots of a frame.
struct Frame<'p> {
    names: Names<'p>,
    /// How long lists are.
    lengths: FxHashMap<Slot, Bound>,
}

struct Walk<'p> {
    program: &'p Program,
    /// What flows spend in terms of their parameters, by their place.
    known: FxHashMap<u32, Spent>,
    flows: Vec<Text>,
    secrets: Vec<Text>,
    hosts: Vec<Text>,
}

impl Walk<'_> {
    fn flow(&mut self, flow: &Flow) -> Spent {
        let mut frame = Frame { names: Names::of(flow, self.program), lengths: FxHashMap::default() };
        self.block(&flow.body, &mut frame)
    }

    fn block(&mut self, block: &Block, frame: &mut Frame<'_>) -> Spent {
        let mut spent = Spent::default();
        for stmt in &block.stmts {
            let next = self.stmt(stmt, frame);
            spent = spent.then(next);
        }
        spent
    }

    fn stmt(&mut self, stmt: &Stmt, frame: &mut Frame<'_>) -> Spent {
        match stmt {
            Stmt::Assign { slot, value } => {
                let length = length(value, frame);
                let name = frame.names.describe(value);
                frame.names.set(*slot, name);
                frame.lengths.insert(*slot, length);
                Spent::default()
            }
            Stmt::Step(step) => self.step(step, frame),
            Stmt::Block(block) => self.action(&block.action, frame),
            Stmt::If(form) => {
                let otherwise = form.otherwise.as_ref().map(|body| self.block(body, frame)).unwrap_or_default();
                form.branches.iter().fold(otherwise, |spent, (_, body)| spent.either(self.block(body, frame)))
            }
            Stmt::Match(form) => {
                form.arms.iter().fold(Spent::default(), |spent, arm| spent.either(self.block(&arm.body, frame)))
            }
            Stmt::Try(form) => {
                let mut spent = self.block(&form.body, frame);
                if let Some(catch) = &form.catch {
                    spent = spent.then(self.block(&catch.body, frame));
                }
                match &form.finally {
                    Some(finally) => spent.then(self.block(finally, frame)),
                    None => spent,
                }
            }
            _ => Spent::default(),
        }
    }

    fn step(&mut self, step: &Step, frame: &mut Frame<'_>) -> Spent {
        let mut spent = self.action(&step.action, frame);
        let attempts = match &step.retry {
            Some(retry) => count(&retry.count, frame).plus(&Bound::exactly(1)),
            None if matches!(step.action, Action::Tool { .. }) => Bound::exactly(DEFAULT_ATTEMPTS),
            None => Bound::exactly(1),
        };
        spent = spent.tried(&attempts);
        spent.steps += 1;
        if let Some(undo) = &step.undo {
            spent = spent.then(self.action(&undo.call, frame).tried(&Bound::exactly(DEFAULT_ATTEMPTS)));
        }
        if let Some(Guard::Catch { catch, finally }) = &step.guard {
            for body in catch.iter().map(|catch| &catch.body).chain(finally) {
                spent = spent.then(self.block(body, frame));
            }
        }
        if let Some(slot) = step.slot {
            frame.lengths.remove(&slot);
            match &step.name {
                Some(name) => frame.names.set(slot, name.clone()),
                None => frame.names.forget(slot),
            }
            if let Action::For(form) = &step.action {
                let length = length(&form.list, frame);
                frame.lengths.insert(slot, length);
            }
        }
        spent
    }

    fn action(&mut self, action: &Action, frame: &mut Frame<'_>) -> Spent {
        match action {
            Action::Tool { tool, args, .. } => {
                args.iter().for_each(|arg| self.edge(arg));
                let once = Bound::exactly(1);
                Spent { steps: 0, at_once: once.clone(), tools: IndexMap::from([(*tool, (once.clone(), once))]) }
            }
            Action::Flow { flow, args } => self.called(*flow, args, frame),
            Action::Parallel(branches) | Action::Race(branches) => {
                let mut spent = Spent::default();
                for branch in branches {
                    spent = spent.beside(self.branch(branch, frame));
                }
                for branch in branches {
                    if let (Some(slot), Some(name)) = (branch.bind, &branch.step.name) {
                        frame.names.set(slot, name.clone());
                    }
                }
                spent
            }
            Action::For(form) => {
                let rounds = length(&form.list, frame);
                frame.names.forget(form.item);
                self.block(&form.body, frame).times(&rounds)
            }
            Action::ParallelFor(form) => {
                let rounds = length(&form.list, frame);
                let limit = form.limit.as_ref().map_or(Bound::exactly(DEFAULT_LIMIT), |limit| count(limit, frame));
                let mut inner = Frame { names: frame.names.captured(&form.frame), lengths: captured(frame, form) };
                let spent = self.block(&form.body, &mut inner);
                let wide = match (rounds.number(), limit.number()) {
                    (Some(rounds), Some(limit)) => Bound::exactly(rounds.min(limit)),
                    (Some(rounds), None) => Bound::exactly(rounds),
                    _ => limit,
                };
                let at_once = spent.at_once.times(&wide);
                Spent { at_once, ..spent.times(&rounds) }
            }
            Action::Repeat(form) => {
                let rounds = count(&form.max, frame);
                self.block(&form.body, frame).times(&rounds)
            }
            Action::Do(body) => self.block(body, frame),
            Action::If(form) => {
                let otherwise = form.otherwise.as_ref().map(|body| self.block(body, frame)).unwrap_or_default();
                form.branches.iter().fold(otherwise, |spent, (_, body)| spent.either(self.block(body, frame)))
            }
            Action::Match(form) => {
                form.arms.iter().fold(Spent::default(), |spent, arm| spent.either(self.block(&arm.body, frame)))
            }
        }
    }

    fn branch(&mut self, branch: &Branch, frame: &Frame<'_>) -> Spent {
        let copies = branch.frame.copies.iter();
        let lengths = copies.filter_map(|(from, to)| Some((*to, frame.lengths.get(from)?.clone()))).collect();
        let mut inner = Frame { names: frame.names.captured(&branch.frame), lengths };
        self.step(&branch.step, &mut inner)
    }

    /// A call of a flow: what it spends in terms of what it is given.
    fn called(&self, at: u32, args: &[Option<Expr>], frame: &Frame<'_>) -> Spent {
        let (Some(flow), Some(known)) = (self.program.flows.get(at as usize), self.known.get(&at)) else {
            return Spent::default();
        };
        let meaning = |name: &str| {
            let place = flow.params.iter().position(|param| param.name == name)?;
            let param = flow.params.get(place)?;
            // A default may speak of the flow's own parameters: only a plain one means the same here.
            let default = param.default.as_ref().filter(|default| matches!(default, Expr::Const(_)));
            let arg = args.get(place)?.as_ref().or(default)?;
            let list = matches!(param.ty, Type::List(_));
            Some(if list { length(arg, frame) } else { count(arg, frame) })
        };
        let mut spent = known.clone();
        for (calls, attempts) in spent.tools.values_mut() {
            *calls = calls.given(&meaning);
            *attempts = attempts.given(&meaning);
        }
        spent.at_once = spent.at_once.given(&meaning);
        spent
    }

    /// What an argument of a tool names: a secret, a host.
    fn edge(&mut self, arg: &Expr) {
        let text = match arg {
            Expr::Const(constant) => match &constant.0 {
                Value::Secret(name) => {
                    let name = Text::new(name);
                    if !self.secrets.contains(&name) {
                        self.secrets.push(name);
                    }
                    return;
                }
                Value::String(text) => text.as_str(),
                _ => return,
            },
            Expr::Template(parts) => match parts.first() {
                Some(TemplatePart::Text(text)) => text.as_str(),
                _ => return,
            },
            _ => return,
        };
        let Some((scheme, rest)) = text.split_once("://") else { return };
        let (host, whole) = match rest.find(['/', '?', '#']) {
            Some(end) => (rest.get(..end).unwrap_or_default(), true),
            None => (rest, matches!(arg, Expr::Const(_))),
        };
        let host = host.rsplit('@').next().unwrap_or_default();
        if whole && matches!(scheme, "http" | "https") && !host.is_empty() && !self.hosts.iter().any(|h| h == host) {
            self.hosts.push(host.into());
        }
    }
}

/// The lengths that an iteration of `parallel for` sees.
fn captured(frame: &Frame<'_>, form: &crate::program::ParallelFor) -> FxHashMap<Slot, Bound> {
    let copies = form.frame.copies.iter();
    copies.filter_map(|(from, to)| Some((*to, frame.lengths.get(from)?.clone()))).collect()
}

/// How long a list is at most.
fn length(list: &Expr, frame: &Frame<'_>) -> Bound {
    match list {
        Expr::Const(constant) => match &constant.0 {
            Value::List(items) => Bound::exactly(items.len() as u64),
            _ => Bound::unknown(frame.names.describe(list)),
        },
        Expr::List(items) => items.iter().fold(Bound::default(), |sum, item| match item {
            ListItem::Value(_) => sum.plus(&Bound::exactly(1)),
            ListItem::Spread(inner) => sum.plus(&length(inner, frame)),
        }),
        Expr::Coerce(inner, _) => length(inner, frame),
        Expr::Slot(slot) => match frame.lengths.get(slot) {
            Some(known) => known.clone(),
            None => Bound::unknown(frame.names.describe(list)),
        },
        Expr::Method { method, receiver, args, .. } => match method.size {
            Size::Any => Bound::unknown(frame.names.describe(list)),
            Size::Kept => length(receiver, frame),
            Size::UpTo(at) => match args.get(at) {
                Some(most) => up_to(most, length(receiver, frame), frame),
                None => length(receiver, frame),
            },
        },
        _ => Bound::unknown(frame.names.describe(list)),
    }
}

/// The smaller of what an argument says and of how many there were.
fn up_to(most: &Expr, had: Bound, frame: &Frame<'_>) -> Bound {
    if matches!(most, Expr::Const(constant) if constant.0.as_int().is_none_or(|most| most < 0)) {
        return had;
    }
    let most = count(most, frame);
    match (most.number(), had.number()) {
        (Some(a), Some(b)) => Bound::exactly(a.min(b)),
        (None, Some(_)) => had,
        _ => most,
    }
}

/// A number, where the text says it.
fn count(number: &Expr, frame: &Frame<'_>) -> Bound {
    match number {
        Expr::Const(constant) => match constant.0.as_int() {
            Some(n) => Bound::exactly(n.max(0) as u64),
            None => Bound::unknown(frame.names.describe(number)),
        },
        Expr::Binary { op: BinaryOp::Mul, sides, .. } => count(&sides.0, frame).times(&count(&sides.1, frame)),
        Expr::Binary { op: BinaryOp::Add, sides, .. } => count(&sides.0, frame).plus(&count(&sides.1, frame)),
        _ => Bound::unknown(frame.names.describe(number)),
    }
}
