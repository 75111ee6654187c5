//! The least that a flow spends: a lower bound over every path that comes to an end, against its `@budget`.

use crate::check::clause::Clauses;
use crate::check::context::Checker;
use crate::check::{ItemRef, Resolution};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Action, ActionKind, Block, Call, Expr, ExprKind, ListItem, Step, Stmt, StmtKind};

/// Calls of tools and their price.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) calls: u64,
    pub(crate) usd: f64,
}

impl Cost {
    fn plus(self, other: Cost) -> Cost {
        Cost { calls: self.calls.saturating_add(other.calls), usd: self.usd + other.usd }
    }

    fn times(self, n: usize) -> Cost {
        Cost { calls: self.calls.saturating_mul(n as u64), usd: self.usd * n as f64 }
    }

    fn min(self, other: Cost) -> Cost {
        Cost { calls: self.calls.min(other.calls), usd: self.usd.min(other.usd) }
    }
}

/// The least that is spent until each way out of a statement; none for a way there is not. Paths that fail do not
/// count.
#[derive(Clone, Copy, Debug, Default)]
struct Least {
    falls: Option<Cost>,
    yields: Option<Cost>,
    returns: Option<Cost>,
    breaks: Option<Cost>,
    continues: Option<Cost>,
}

impl Least {
    fn falls(cost: Cost) -> Self {
        Least { falls: Some(cost), ..Least::default() }
    }

    /// One or the other.
    fn or(self, other: Least) -> Least {
        Least {
            falls: lesser(self.falls, other.falls),
            yields: lesser(self.yields, other.yields),
            returns: lesser(self.returns, other.returns),
            breaks: lesser(self.breaks, other.breaks),
            continues: lesser(self.continues, other.continues),
        }
    }

    /// This after something that cost so much.
    fn after(self, cost: Cost) -> Least {
        let add = |way: Option<Cost>| way.map(|way| way.plus(cost));
        Least {
            falls: add(self.falls),
            yields: add(self.yields),
            returns: add(self.returns),
            breaks: add(self.breaks),
            continues: add(self.continues),
        }
    }

    /// One and then the other.
    fn then(self, next: impl FnOnce() -> Least) -> Least {
        match self.falls {
            Some(cost) => Least { falls: None, ..self }.or(next().after(cost)),
            None => self,
        }
    }
}

fn lesser(a: Option<Cost>, b: Option<Cost>) -> Option<Cost> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl Checker<'_> {
    /// Reports a bound on calls that the flow exceeds on every path.
    pub(crate) fn least_calls(&mut self, at: ItemRef, span: Span, allowed: u64) {
        let least = self.least_of(at).calls;
        if least > allowed {
            let message = format!("the flow makes at least {least} calls, and its budget allows {allowed}");
            self.report(
                Diagnostic::new(Code::BUDGET, span, message)
                    .here(format!("every path makes {least} or more"))
                    .help("allow more, or call less"),
            );
        }
    }

    /// Reports a bound on price that the flow exceeds on every path.
    pub(crate) fn least_usd(&mut self, at: ItemRef, span: Span, allowed: f64) {
        let least = self.least_of(at).usd;
        if least > allowed + 1e-9 {
            let message = format!("the flow spends at least {least:.4} USD, and its budget allows {allowed}");
            self.report(
                Diagnostic::new(Code::BUDGET, span, message)
                    .here("by what its tools say they cost")
                    .help("allow more, or call less"),
            );
        }
    }

    /// Remembers the least a flow spends. Those it calls have been there before.
    pub(crate) fn note_least(&mut self, at: ItemRef, body: &Block) {
        let least = self.least_block(body);
        self.body.least.insert(at, lesser(least.falls, least.returns).unwrap_or_default());
    }

    fn least_of(&self, at: ItemRef) -> Cost {
        self.body.least.get(&at).copied().unwrap_or_default()
    }

    fn least_block(&self, block: &Block) -> Least {
        let mut least = Least::falls(Cost::default());
        for stmt in &block.stmts {
            least = least.then(|| self.least_statement(stmt));
        }
        least
    }

    fn least_statement(&self, stmt: &Stmt) -> Least {
        let nothing = Some(Cost::default());
        match &stmt.kind {
            StmtKind::Step(step) => self.least_step(step),
            StmtKind::YieldStep(step) => {
                let step = self.least_step(step);
                Least { falls: None, yields: lesser(step.yields, step.falls), ..step }
            }
            StmtKind::ReturnStep(step) => {
                let step = self.least_step(step);
                Least { falls: None, returns: lesser(step.returns, step.falls), ..step }
            }
            StmtKind::Block(action) => self.least_action(action, false),
            StmtKind::Yield(_) => Least { yields: nothing, ..Least::default() },
            StmtKind::Return(_) => Least { returns: nothing, ..Least::default() },
            StmtKind::Break => Least { breaks: nothing, ..Least::default() },
            StmtKind::Continue => Least { continues: nothing, ..Least::default() },
            StmtKind::Fail { .. } => Least::default(),
            _ => Least::falls(Cost::default()),
        }
    }

    fn least_step(&self, step: &Step) -> Least {
        let clauses = Clauses::of(step);
        let mut least = self.least_action(&step.action, true);
        let call = matches!(&step.action.kind, ActionKind::Call(_));
        if clauses.otherwise.is_some() && !call {
            least = least.or(Least::falls(Cost::default()));
        }
        if clauses.when.is_some() { least.or(Least::falls(Cost::default())) } else { least }
    }

    /// The least an action spends; as one with a value, what it yields ends it.
    fn least_action(&self, action: &Action, value: bool) -> Least {
        let ended = |least: Least| {
            if value { Least { falls: lesser(least.falls, least.yields), yields: None, ..least } } else { least }
        };
        match &action.kind {
            ActionKind::Call(call) => Least::falls(self.least_call(call)),
            ActionKind::Do(body) => ended(self.least_block(body)),
            ActionKind::Parallel(body) => {
                let mut least = Least::falls(Cost::default());
                for stmt in &body.stmts {
                    least = least.then(|| self.least_statement(stmt));
                }
                least
            }
            ActionKind::Race(body) => {
                let branches = body.stmts.iter().map(|stmt| self.least_statement(stmt));
                branches.reduce(Least::or).unwrap_or(Least::falls(Cost::default()))
            }
            ActionKind::For(form) => {
                let body = self.least_block(&form.body);
                let round = lesser(lesser(body.falls, body.continues), if value { body.yields } else { None });
                let rounds = literal_length(&form.list);
                let falls = match (body.breaks, round) {
                    (None, Some(round)) => Some(round.times(rounds)),
                    (None, None) if rounds > 0 => None,
                    _ => Some(Cost::default()),
                };
                Least {
                    falls,
                    yields: if value { None } else { body.yields },
                    returns: body.returns,
                    ..Least::default()
                }
            }
            ActionKind::Repeat(form) => {
                let body = self.least_block(&form.body);
                let falls = if value { body.yields } else { body.breaks };
                Least { falls, returns: body.returns, ..Least::default() }
            }
            ActionKind::If(form) => {
                let mut least = match &form.otherwise {
                    Some(body) => self.least_block(body),
                    None => Least::falls(Cost::default()),
                };
                for (_, body) in &form.branches {
                    least = least.or(self.least_block(body));
                }
                ended(least)
            }
            ActionKind::Match(form) => {
                let arms = form.arms.iter().map(|arm| self.least_block(&arm.body));
                ended(arms.reduce(Least::or).unwrap_or_default())
            }
            ActionKind::Try(form) => {
                let mut least = self.least_action(&form.action, value);
                // What fails inside may fail before anything is spent; a call is made all the same.
                if !matches!(form.action.kind, ActionKind::Call(_)) || form.catch.is_some() {
                    let caught = match &form.catch {
                        Some(catch) => ended(self.least_block(&catch.body)),
                        None if form.finally.is_none() => Least::falls(Cost::default()),
                        None => Least::default(),
                    };
                    least = least.or(caught);
                }
                least
            }
            ActionKind::Error => Least::falls(Cost::default()),
        }
    }

    fn least_call(&self, call: &Call) -> Cost {
        match self.out.resolutions.get(call.id) {
            Some(Resolution::Tool(tool)) => Cost { calls: 1, usd: tool.annotations.cost_usd.unwrap_or(0.0) },
            Some(Resolution::Flow(flow)) => self.least_of(*flow),
            _ => Cost::default(),
        }
    }
}

/// How many items a list surely has.
fn literal_length(list: &Expr) -> usize {
    match &list.kind {
        ExprKind::List(items) => items.iter().filter(|item| matches!(item, ListItem::Value(_))).count(),
        ExprKind::Paren(inner) => literal_length(inner),
        _ => 0,
    }
}
