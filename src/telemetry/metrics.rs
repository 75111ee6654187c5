//! Figures of runs and steps for Prometheus. Their labels are the names of flows and tools, and statuses: nothing that
//! grows with the runs.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexSet;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::run::journal::Standing;
use crate::run::{Event, EventKind, Observer, RunStatus, Usage, step_of};
use crate::telemetry::{is_tool, without_attempt};
use crate::types::Text;

/// Upper bounds of durations of runs and steps, in seconds: from a lookup to an hour's work.
const DURATIONS: [f64; 14] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
/// Upper bounds of the time a commit takes, in seconds: from a fast disk to one in trouble.
const COMMITS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The figures of one process. An engine that is given them as an observer tells them its runs' events; serve what
/// [`Metrics::render`] gives.
pub struct Metrics {
    registry: Registry,
    started: Family<FlowLabel, Counter>,
    ended: Family<RunLabels, Counter>,
    parked: Family<FlowLabel, Counter>,
    running: Family<FlowLabel, Gauge>,
    kept: Family<RunLabels, Gauge>,
    waiting: Family<FlowLabel, Gauge>,
    run_duration: Durations<FlowLabel>,
    steps: Family<StepLabels, Counter>,
    retries: Family<ToolLabels, Counter>,
    step_duration: Durations<ToolLabel>,
    tokens: Family<TokenLabels, Counter>,
    cost: Family<FlowLabel, Counter<f64, AtomicU64>>,
    database_errors: Counter,
    commits: Histogram,
    /// The runs that this process carries on.
    open: Mutex<HashMap<Text, Open>>,
    /// What was said of the runs that are kept.
    told: Mutex<IndexSet<RunLabels>>,
}

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// What has begun in a run and not ended.
#[derive(Default)]
struct Open {
    flow: Text,
    /// The tools of steps, by their paths without their attempts.
    tools: HashMap<Text, Text>,
    /// The paths of the steps that wait for a person or a signal, without their attempts.
    waiting: HashSet<Text>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowLabel {
    flow: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabel {
    tool: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    flow: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    flow: String,
    tool: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabels {
    flow: String,
    tool: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    flow: String,
    direction: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All figures at zero.
    pub fn new() -> Self {
        let durations = || Histogram::new(DURATIONS);
        let metrics = Self {
            registry: Registry::default(),
            started: Family::default(),
            ended: Family::default(),
            parked: Family::default(),
            running: Family::default(),
            kept: Family::default(),
            waiting: Family::default(),
            run_duration: Family::new_with_constructor(durations),
            steps: Family::default(),
            retries: Family::default(),
            step_duration: Family::new_with_constructor(durations),
            tokens: Family::default(),
            cost: Family::default(),
            database_errors: Counter::default(),
            commits: Histogram::new(COMMITS),
            open: Mutex::default(),
            told: Mutex::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let of = &mut self.registry;
        of.register("flow_runs_started", "Runs that began", self.started.clone());
        of.register("flow_runs", "Runs that ended, by how", self.ended.clone());
        of.register("flow_runs_parked", "Times that a run was left for somebody to look at", self.parked.clone());
        of.register("flow_runs_running", "Runs that this process carries on", self.running.clone());
        let help = "Runs that are kept and have not ended, whoever carries them on, by how they stand";
        of.register("flow_runs_kept", help, self.kept.clone());
        let help = "Steps of these runs that wait for a person or a signal";
        of.register("flow_steps_waiting", help, self.waiting.clone());
        let help = "From a run's start to its end";
        of.register_with_unit("flow_run_duration", help, Unit::Seconds, self.run_duration.clone());
        let help = "Steps that ended, by how; the tool is empty for blocks and calls of flows";
        of.register("flow_steps", help, self.steps.clone());
        of.register("flow_step_retries", "Attempts that failed and were followed by another", self.retries.clone());
        let help = "From the start of a tool step's first attempt to its end";
        of.register_with_unit("flow_step_duration", help, Unit::Seconds, self.step_duration.clone());
        of.register("flow_tokens", "Tokens of language models", self.tokens.clone());
        of.register("flow_cost_usd", "US dollars that steps reported to have spent", self.cost.clone());
        let help = "Operations of the database of runs that failed";
        of.register("flow_database_errors", help, self.database_errors.clone());
        let help = "How long it took to make events durable";
        of.register_with_unit("flow_journal_commit_duration", help, Unit::Seconds, self.commits.clone());
        self
    }

    fn observe(&self, run: &str, flow: &str, event: &Event) {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.entry(run.into()).or_insert_with(|| {
            self.running.get_or_create(&of_flow(flow)).inc();
            Open { flow: flow.into(), ..Open::default() }
        });
        match &event.kind {
            EventKind::RunStarted { .. } => {
                self.started.get_or_create(&of_flow(flow)).inc();
            }
            EventKind::StepStarted { path, action, attempt, .. } if is_tool(action) => {
                open.tools.insert(without_attempt(path, *attempt).into(), action.clone());
            }
            // What an attempt spent is in the step's sum.
            EventKind::StepRetrying { path, attempt, .. } => {
                let tool =
                    open.tools.get(without_attempt(path, *attempt)).map_or_else(String::new, ToString::to_string);
                self.retries.get_or_create(&ToolLabels { flow: flow.into(), tool }).inc();
            }
            EventKind::StepCompleted { path, duration_ms, usage, .. } => {
                self.step(flow, path, "completed", Some(*duration_ms), open);
                self.spent(flow, usage.as_deref());
            }
            EventKind::StepFailed { path, duration_ms, usage, .. } => {
                self.step(flow, path, "failed", Some(*duration_ms), open);
                self.spent(flow, usage.as_deref());
            }
            EventKind::StepCancelled { path, duration_ms } => {
                self.step(flow, path, "cancelled", Some(*duration_ms), open);
            }
            EventKind::StepSkipped { path } => self.step(flow, path, "skipped", None, open),
            EventKind::RunWaiting { path, .. } if open.waiting.insert(step_of(path).into()) => {
                self.waiting.get_or_create(&of_flow(flow)).inc();
            }
            EventKind::RunReceived { path, .. } => self.waits_no_more(flow, path, open),
            EventKind::RunCompleted { duration_ms, .. }
            | EventKind::RunFailed { duration_ms, .. }
            | EventKind::RunCancelled { duration_ms } => {
                let status = RunStatus::after(&event.kind).map_or("", RunStatus::name);
                self.ended.get_or_create(&RunLabels { flow: flow.into(), status }).inc();
                self.run_duration.get_or_create(&of_flow(flow)).observe(seconds(*duration_ms));
                let open = all.remove(run);
                self.left(open);
            }
            _ => {}
        }
    }

    /// This process carries a run on no longer, though it has not ended: it waits, or is left for somebody to look at.
    pub fn released(&self, run: &str, parked: bool) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        if let (Some(open), true) = (&open, parked) {
            self.parked.get_or_create(&of_flow(&open.flow)).inc();
        }
        self.left(open);
    }

    /// The journal took this long to make events durable.
    pub fn commit(&self, took: Duration) {
        self.commits.observe(took.as_secs_f64());
    }

    /// So many runs are kept that have not ended, of all flows that have such.
    pub fn standing(&self, standing: &[Standing]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = std::mem::take(&mut *told);
        for Standing { flow, status, runs } in standing {
            let labels = RunLabels { flow: flow.to_string(), status: status.name() };
            self.kept.get_or_create(&labels).set(i64::try_from(*runs).unwrap_or(i64::MAX));
            gone.swap_remove(&labels);
            told.insert(labels);
        }
        for labels in gone {
            self.kept.get_or_create(&labels).set(0);
        }
    }

    /// The database of runs did not do what it was asked.
    pub fn database_error(&self) {
        self.database_errors.inc();
    }

    /// All figures, in the text format of `OpenMetrics`, which Prometheus reads: serve it as
    /// `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    pub fn render(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }

    fn step(&self, flow: &str, path: &str, status: &'static str, duration_ms: Option<u64>, open: &mut Open) {
        self.waits_no_more(flow, path, open);
        let tool = open.tools.remove(path).map_or_else(String::new, |tool| tool.to_string());
        if let (Some(millis), false) = (duration_ms, tool.is_empty()) {
            self.step_duration.get_or_create(&ToolLabel { tool: tool.clone() }).observe(seconds(millis));
        }
        self.steps.get_or_create(&StepLabels { flow: flow.into(), tool, status }).inc();
    }

    fn spent(&self, flow: &str, usage: Option<&Usage>) {
        let Some(usage) = usage else { return };
        for (direction, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
            self.tokens.get_or_create(&TokenLabels { flow: flow.into(), direction }).inc_by(tokens);
        }
        self.cost.get_or_create(&of_flow(flow)).inc_by(usage.usd);
    }

    fn waits_no_more(&self, flow: &str, path: &str, open: &mut Open) {
        if open.waiting.remove(step_of(path)) {
            self.waiting.get_or_create(&of_flow(flow)).dec();
        }
    }

    /// Takes what a run had open off the gauges.
    fn left(&self, open: Option<Open>) {
        let Some(open) = open else { return };
        self.running.get_or_create(&of_flow(&open.flow)).dec();
        self.waiting.get_or_create(&of_flow(&open.flow)).dec_by(open.waiting.len() as i64);
    }
}

impl Observer for Arc<Metrics> {
    fn event(&self, run: &str, flow: &str, event: &Event) {
        self.observe(run, flow, event);
    }
}

fn of_flow(flow: &str) -> FlowLabel {
    FlowLabel { flow: flow.to_owned() }
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}
