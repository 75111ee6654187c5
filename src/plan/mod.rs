//! What a program may do, told before it runs: which tools a flow calls, how often at most, how many at once, what it
//! may cost, which secrets and hosts it names; and its drawing.

mod bound;
mod describe;
mod graph;
mod least;
mod order;
mod spend;
mod svg;
mod text;

use serde::Serialize;

use crate::program::{Budget, Flow, Program};
use crate::types::Text;

pub use bound::Bound;
pub use graph::{Graph, Lane, Node, NodeKind, graph};

/// What a flow may do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The flow's name.
    pub flow: Text,
    /// Its documentation.
    pub doc: String,
    /// How many steps its text has, those of the flows it calls included.
    pub steps: u64,
    /// The tools it may call, in the order of the text.
    pub tools: Vec<ToolUse>,
    /// The flows it may call, each after those it calls itself.
    pub flows: Vec<Text>,
    /// The secrets it hands to tools, by name.
    pub secrets: Vec<Text>,
    /// The hosts that its text names in arguments of tools. Others may come from its input.
    pub hosts: Vec<Text>,
    /// How many calls of tools a run that succeeds makes at least.
    pub calls_at_least: u64,
    /// How many calls of tools it makes at most, when every call succeeds at once.
    pub calls: Bound,
    /// How many with all retries.
    pub attempts: Bound,
    /// How many calls are in flight at once at most. The host's cap bounds it further.
    pub at_once: Bound,
    /// What it costs at most in USD with all retries, where that is a number. Tools that do not say what they cost
    /// count as nothing.
    pub usd: Option<f64>,
    /// The tools that do not say what they cost.
    pub unpriced: Vec<Text>,
    /// `@budget`
    pub budget: PlannedBudget,
    /// `@timeout`, in milliseconds.
    pub timeout: Option<u64>,
}

/// A tool that a flow may call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolUse {
    /// Its dotted name.
    pub name: Text,
    /// How often at most, when every call succeeds at once.
    pub calls: Bound,
    /// How often with all retries.
    pub attempts: Bound,
    /// What is known of its effect.
    pub safety: Safety,
    /// What one call costs at most in USD.
    pub usd_per_call: Option<f64>,
}

/// What is known of a tool's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// It changes nothing.
    ReadOnly,
    /// It may change something; twice is the same as once, or it takes a key.
    Repeatable,
    /// It may destroy.
    Destructive,
    /// It says nothing.
    Unknown,
}

/// The bounds that a flow sets itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PlannedBudget {
    /// US dollars.
    pub usd: Option<f64>,
    /// Tool calls, attempts included.
    pub calls: Option<u64>,
    /// Tokens.
    pub tokens: Option<u64>,
}

impl From<Budget> for PlannedBudget {
    fn from(budget: Budget) -> Self {
        Self { usd: budget.usd, calls: budget.calls, tokens: budget.tokens }
    }
}

/// What a flow may do; it is one of the program's own ([`Program::flow`]).
pub fn plan(program: &Program, flow: &Flow) -> Plan {
    let at = program.flows.iter().position(|other| std::ptr::eq(other, flow)).unwrap_or(program.flows.len());
    let order = order::callees_first(program, at as u32);
    let found = spend::spend(program, &order);
    let price = |tool: &ToolUse| Some(tool.usd_per_call? * tool.attempts.number()? as f64);
    let priced: Vec<&ToolUse> = found.tools.iter().filter(|tool| tool.usd_per_call.is_some()).collect();
    Plan {
        flow: flow.name.clone(),
        doc: flow.doc.clone(),
        steps: found.steps,
        usd: priced.iter().map(|tool| price(tool)).sum(),
        unpriced: found.tools.iter().filter(|tool| tool.usd_per_call.is_none()).map(|tool| tool.name.clone()).collect(),
        calls: found.tools.iter().fold(Bound::default(), |sum, tool| sum.plus(&tool.calls)),
        attempts: found.tools.iter().fold(Bound::default(), |sum, tool| sum.plus(&tool.attempts)),
        tools: found.tools,
        flows: found.flows,
        secrets: found.secrets,
        hosts: found.hosts,
        calls_at_least: least::calls(program, &order),
        at_once: found.at_once,
        budget: flow.budget.into(),
        timeout: flow.timeout,
    }
}
