//! The questions that both databases are asked in the same words. Parameters are `$1`, `$2` and so on, each used once, in
//! order: PostgreSQL counts them, and SQLite takes them for names that it numbers as they come.

use std::collections::HashMap;

use indexmap::IndexMap;
use jiff::Timestamp;

use crate::run::journal::{Failing, Filter, FlowStats, Page, RunStatus};
use crate::types::Text;
use crate::value::ErrorKind;

/// A question and its parameters.
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) params: Vec<Param>,
}

/// A parameter.
#[derive(Clone, Debug)]
pub(super) enum Param {
    Text(Text),
    Time(Timestamp),
    Number(i64),
}

impl Sql {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), params: Vec::new() }
    }

    fn push(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    fn bind(mut self, before: &str, param: Param) -> Self {
        self.params.push(param);
        self.text.push_str(&format!("{before}${}", self.params.len()));
        self
    }

    /// What a filter says of `workflow_runs AS r`, but for the status.
    fn filtered(mut self, filter: &Filter) -> Self {
        let Filter { flow, status: _, user, conversation, since, before } = filter;
        // A conversation has few runs: its index is the one to use, whatever else is asked.
        let column = |name: &str| {
            if conversation.is_some() { format!(" AND coalesce(r.{name}, '') = ") } else { format!(" AND r.{name} = ") }
        };
        if let Some(conversation) = conversation {
            self = self.bind(" AND r.conversation_id = ", Param::Text(conversation.clone()));
        }
        if let Some(user) = user {
            self = self.bind(&column("user_id"), Param::Text(user.clone()));
        }
        if let Some(flow) = flow {
            self = self.bind(&column("workflow_name"), Param::Text(flow.clone()));
        }
        if let Some(since) = since {
            self = self.bind(" AND r.started_at >= ", Param::Time(*since));
        }
        if let Some(before) = before {
            self = self.bind(" AND r.started_at < ", Param::Time(*before));
        }
        self
    }

    /// What a filter says, with any of these statuses.
    fn filtered_to(mut self, filter: &Filter, statuses: &[RunStatus]) -> Self {
        if !statuses.is_empty() {
            let names: Vec<_> = statuses.iter().map(|status| format!("'{status}'")).collect();
            self = self.push(&format!(" AND r.status IN ({})", names.join(", ")));
        }
        self.filtered(filter)
    }
}

/// The columns of a run's summary, of `workflow_runs AS r`.
pub(super) const SUMMARY: &str = "r.id, r.run_id, r.workflow_name, r.program_hash, r.status, r.start_key, r.user_id, r.conversation_id, \
     r.forked_from, r.steps_total, r.steps_completed, r.events, r.error, r.started_at, r.completed_at, r.wakes_at, \
     r.recoveries, r.input_tokens, r.output_tokens, r.usd";

/// A page of runs, the newest first, after the one of this start and key. Each status has its own part of every index, in
/// which runs are in order: the page is put together from the first of each.
pub(super) fn list(filter: &Filter, page: &Page, after: Option<(Timestamp, i64)>) -> Sql {
    let statuses = if filter.status.is_empty() { &RunStatus::ALL[..] } else { &filter.status };
    let most = Param::Number(i64::try_from(page.most).unwrap_or(i64::MAX));
    let mut sql = Sql::new("");
    for (at, status) in statuses.iter().enumerate() {
        let union = if at == 0 { "" } else { " UNION ALL " };
        sql = sql
            .push(union)
            .push(&format!("SELECT * FROM (SELECT {SUMMARY} FROM workflow_runs AS r WHERE r.status = '{status}'"))
            .filtered(filter);
        if let Some((started, key)) = after {
            sql = sql
                .bind(" AND (r.started_at, r.id) < (", Param::Time(started))
                .bind(", ", Param::Number(key))
                .push(")");
        }
        sql = sql.bind(" ORDER BY r.started_at DESC, r.id DESC LIMIT ", most.clone()).push(") AS part");
    }
    sql.bind(" ORDER BY started_at DESC, id DESC LIMIT ", most)
}

/// How many runs have not ended: flow, status, how many.
pub(super) fn standing() -> Sql {
    let open: Vec<_> = RunStatus::ALL.into_iter().filter(|status| !status.ended()).collect();
    Sql::new("SELECT r.workflow_name, r.status, count(*) FROM workflow_runs AS r WHERE true")
        .filtered_to(&Filter::default(), &open)
        .push(" GROUP BY r.workflow_name, r.status ORDER BY 1, 2")
}

/// The next runs that have ended and are to be forgotten: key, and how many events.
pub(super) fn prunable(filter: &Filter, most: i64) -> Option<Sql> {
    let asked = |status: &RunStatus| filter.status.is_empty() || filter.status.contains(status);
    let ended: Vec<_> = RunStatus::ALL.into_iter().filter(|status| status.ended() && asked(status)).collect();
    let sql = || Sql::new("SELECT r.id, r.events FROM workflow_runs AS r WHERE true").filtered_to(filter, &ended);
    (!ended.is_empty()).then(|| sql().bind(" LIMIT ", Param::Number(most)))
}

/// What came of runs, one by one: [`Outcome`].
pub(super) fn outcomes(filter: &Filter) -> Sql {
    Sql::new(
        "SELECT r.workflow_name, r.status, r.duration_ms, r.input_tokens + r.output_tokens, r.usd \
         FROM workflow_runs AS r WHERE true",
    )
    .filtered_to(filter, &filter.status)
}

/// Which steps failed: flow, step, kind of error, how often.
pub(super) fn failures(filter: &Filter) -> Sql {
    Sql::new(
        "SELECT r.workflow_name, s.step_name, s.error_kind, count(*) \
         FROM workflow_steps AS s JOIN workflow_runs AS r ON r.id = s.workflow_run_id WHERE s.status = 'failed'",
    )
    .filtered_to(filter, &filter.status)
    .push(" GROUP BY r.workflow_name, s.step_name, s.error_kind ORDER BY 1, 2, 3")
}

/// What came of a run.
pub(super) struct Outcome {
    pub(super) flow: Text,
    pub(super) status: RunStatus,
    pub(super) duration_ms: Option<i64>,
    pub(super) tokens: i64,
    pub(super) usd: f64,
}

/// A step that failed so often with an error of this kind.
pub(super) struct Failure {
    pub(super) flow: Text,
    pub(super) step: Text,
    pub(super) kind: ErrorKind,
    pub(super) count: u64,
}

/// The figures of all flows, by name.
pub(super) struct Tally(IndexMap<Text, (FlowStats, Vec<u64>)>);

impl Tally {
    pub(super) fn new() -> Self {
        Self(IndexMap::new())
    }

    pub(super) fn count(&mut self, run: Outcome) {
        let fresh = || (FlowStats { flow: run.flow.clone(), ..FlowStats::default() }, Vec::new());
        let (stats, durations) = match self.0.get_mut(&run.flow) {
            Some(known) => known,
            None => self.0.entry(run.flow.clone()).or_insert_with(fresh),
        };
        stats.runs += 1;
        stats.completed += u64::from(run.status == RunStatus::Completed);
        stats.failed += u64::from(run.status == RunStatus::Failed);
        stats.cancelled += u64::from(run.status == RunStatus::Cancelled);
        stats.tokens += run.tokens as u64;
        stats.usd += run.usd;
        durations.extend(run.duration_ms.and_then(|millis| u64::try_from(millis).ok()));
    }

    pub(super) fn finish(self, failures: Vec<Failure>) -> Vec<FlowStats> {
        // Flow and step → how often in all, and the kind that was most often.
        let mut failing: HashMap<Text, IndexMap<Text, (u64, u64, ErrorKind)>> = HashMap::new();
        for Failure { flow, step, kind, count } in failures {
            let known = failing.entry(flow).or_default().entry(step).or_insert((0, 0, kind));
            known.0 += count;
            if count > known.1 {
                (known.1, known.2) = (count, kind);
            }
        }
        let mut all: Vec<_> = self
            .0
            .into_values()
            .map(|(stats, durations)| {
                let failing = failing.remove(&stats.flow).unwrap_or_default();
                let failing = failing.into_iter().map(|(step, (count, _, kind))| Failing { step, kind, count });
                stats.with_durations(durations).with_failing(failing.collect())
            })
            .collect();
        all.sort_by(|one, other| one.flow.cmp(&other.flow));
        all
    }
}
