//! A batch as six statements, which write all of its runs: new runs, changed runs, events, new steps, changed steps, and
//! steps that were cut off.

use crate::run::journal::RunStatus;
use crate::store::head::{Changes, Head};
use crate::store::postgres::rows::{Cell, Column, Rows, clean, json, maybe, names, number, set, text, unnest};
use crate::store::queue::{Line, Part};
use crate::store::text::{input, json as to_json};

/// What is to be written of a part.
pub(super) struct Plan {
    pub(super) at: usize,
    pub(super) head: Head,
    /// The number of its last event so far.
    pub(super) before: u64,
    /// The number of its last event after this.
    pub(super) after: u64,
    pub(super) changes: Changes,
    pub(super) opens: bool,
}

impl Plan {
    /// Whether nothing is to be written, but only to be seen whether the lease holds.
    pub(super) fn holds(&self, parts: &[Part]) -> bool {
        !self.opens && self.before == self.after && parts.get(self.at).is_some_and(|part| part.rest.is_none())
    }

    /// The run and epoch.
    pub(super) fn key(&self, parts: &[Part]) -> (String, i64) {
        let run = parts.get(self.at).map(|part| clean(&part.lease.run)).unwrap_or_default();
        (run, self.head.epoch as i64)
    }
}

/// What a run's row says of its state.
const STATE: [Column; 18] = [
    ("status", "text"),
    ("steps_total", "bigint"),
    ("steps_completed", "bigint"),
    ("steps_begun", "bigint"),
    ("events", "bigint"),
    ("input_tokens", "bigint"),
    ("output_tokens", "bigint"),
    ("usd", "float8"),
    ("completed_at", "timestamptz"),
    ("duration_ms", "bigint"),
    ("wakes_at", "timestamptz"),
    ("owner", "bigint"),
    ("recoveries", "bigint"),
    ("message_read", "bigint"),
    ("error_kind", "text"),
    ("error_message", "text"),
    ("error", "text"),
    ("output_data", "text"),
];

/// What a run's row says from its start.
const START: [Column; 11] = [
    ("run_id", "text"),
    ("workflow_name", "text"),
    ("program_hash", "text"),
    ("user_id", "text"),
    ("conversation_id", "text"),
    ("start_key", "text"),
    ("forked_from", "text"),
    ("started_at", "timestamptz"),
    ("epoch", "bigint"),
    ("input_data", "text"),
    ("input_exact", "text"),
];

/// Which run, in which epoch, and how many events it has now.
const RUN: [Column; 3] = [("run_id", "text"), ("epoch", "bigint"), ("after", "bigint")];

const EVENT: [Column; 3] = [("number", "bigint"), ("event", "text"), ("data", "text")];

/// What a step's row says from its start.
const BEGUN: [Column; 7] = [
    ("path", "text"),
    ("step_number", "bigint"),
    ("step_name", "text"),
    ("title", "text"),
    ("tool_name", "text"),
    ("tool_args_hash", "text"),
    ("started_at", "timestamptz"),
];

/// What a step's row says of its state.
const STEP: [Column; 10] = [
    ("status", "text"),
    ("attempt", "bigint"),
    ("error_kind", "text"),
    ("error_message", "text"),
    ("completed_at", "timestamptz"),
    ("duration_ms", "bigint"),
    ("input_tokens", "bigint"),
    ("output_tokens", "bigint"),
    ("usd", "float8"),
    ("result", "text"),
];

const SWEPT: [Column; 1] = [("ended_at", "timestamptz")];

/// The run of a row, where this batch has written it.
const WRITTEN: &str =
    "r.run_id = u.run_id AND r.epoch = u.epoch AND r.events = u.after AND (r.owner IS NULL OR r.owner = $0)";

/// The statements of a transaction, in their order.
pub(super) fn statements() -> [(Vec<Column>, String); 6] {
    let of = |columns: &[&[Column]], sql: &dyn Fn(&[Column]) -> String| {
        let columns = columns.concat();
        // `$0` stands for the owner, after the columns.
        let sql = sql(&columns).replace("$0", &format!("${}", columns.len() + 1));
        (columns, sql)
    };
    [
        of(&[&START, &STATE], &|all| {
            let (names, rows) = (names(all, ""), unnest(all));
            format!(
                "INSERT INTO workflow_runs ({names}) SELECT {names} FROM {rows} WHERE $0::bigint IS NOT NULL
                 ON CONFLICT DO NOTHING RETURNING run_id"
            )
        }),
        of(&[&RUN[..2], &[("before", "bigint")], &STATE], &|all| {
            format!(
                "UPDATE workflow_runs AS r SET {} FROM {} WHERE r.run_id = u.run_id AND r.epoch = u.epoch
                     AND r.events = u.before AND r.owner = $0 RETURNING r.run_id",
                set(&STATE),
                unnest(all)
            )
        }),
        of(&[&RUN, &EVENT], &|all| {
            format!(
                "INSERT INTO workflow_events (workflow_run_id, number, event, data)
                 SELECT r.id, u.number, u.event, u.data FROM {} JOIN workflow_runs AS r ON {WRITTEN}",
                unnest(all)
            )
        }),
        of(&[&RUN, &BEGUN, &STEP], &|all| {
            let replaced = STEP.map(|(name, _)| format!("{name} = excluded.{name}")).join(", ");
            // A step whose start is told twice keeps its number and its start.
            format!(
                "INSERT INTO workflow_steps (workflow_run_id, {}, {}) SELECT r.id, {}, {}
                 FROM {} JOIN workflow_runs AS r ON {WRITTEN}
                 ON CONFLICT (workflow_run_id, path) DO UPDATE SET {replaced}",
                names(&BEGUN, ""),
                names(&STEP, ""),
                names(&BEGUN, "u."),
                names(&STEP, "u."),
                unnest(all)
            )
        }),
        of(&[&RUN, &BEGUN[..1], &STEP], &|all| {
            let set = set(&STEP).replace("attempt = u.attempt", "attempt = coalesce(u.attempt, s.attempt)");
            format!(
                "UPDATE workflow_steps AS s SET {set} FROM {} JOIN workflow_runs AS r ON {WRITTEN}
                 WHERE s.workflow_run_id = r.id AND s.path = u.path",
                unnest(all)
            )
        }),
        of(&[&RUN, &SWEPT], &|all| {
            format!(
                "UPDATE workflow_steps AS s SET status = 'cancelled', completed_at = u.ended_at
                 FROM {} JOIN workflow_runs AS r ON {WRITTEN}
                 WHERE s.workflow_run_id = r.id AND s.status IN ('running', 'retrying')",
                unnest(all)
            )
        }),
    ]
}

/// The rows of each statement.
pub(super) fn rows(plans: &[Plan], parts: &[Part], me: i64) -> [Rows; 6] {
    let mut all = statements().map(|(columns, _)| Rows::new(&columns));
    let [opened, changed, events, begun, steps, swept] = &mut all;
    for plan in plans {
        let Some(part) = parts.get(plan.at) else { continue };
        let summary = &plan.head.summary;
        let run = || [text(&summary.run), number(plan.head.epoch), number(plan.after)];
        match &part.opening {
            Some(opening) if plan.opens => {
                let labels = &summary.labels;
                let (plain, exact) = input(&opening.input);
                let start = [
                    text(&summary.run),
                    text(&summary.flow),
                    text(&summary.program),
                    maybe(labels.user.as_deref()),
                    maybe(labels.conversation.as_deref()),
                    maybe(labels.key.as_deref()),
                    maybe(labels.forked_from.as_deref()),
                    Cell::Time(Some(summary.started_at)),
                    number(1),
                    json(Some(plain)),
                    json(exact),
                ];
                opened.push(start.into_iter().chain(state(plan, part, me)));
            }
            _ if plan.holds(parts) => continue,
            _ => {
                let lease = [text(&summary.run), number(plan.head.epoch), number(plan.before)];
                changed.push(lease.into_iter().chain(state(plan, part, me)));
            }
        }
        for Line { event, json: data } in part.events.iter().filter(|line| line.event.number > plan.before) {
            let data = json(Some(data.clone()));
            events.push(run().into_iter().chain([number(event.number), text(event.kind.name()), data]));
        }
        for (path, step) in &plan.changes.steps {
            let now = [
                text(step.status),
                Cell::Number(step.attempt.map(i64::from).or(step.begun.as_ref().map(|_| 1))),
                maybe(step.error.as_ref().map(|error| error.kind.name())),
                maybe(step.error.as_ref().map(|error| error.message.as_str())),
                Cell::Time(step.ended),
                Cell::Number(step.duration_ms.map(|millis| millis as i64)),
                number(step.usage.input_tokens),
                number(step.usage.output_tokens),
                Cell::Float(step.usage.usd),
                json(step.result.clone()),
            ];
            match &step.begun {
                Some(start) => {
                    let start = [
                        text(path),
                        number(start.number),
                        text(&start.name),
                        maybe(start.title.as_deref()),
                        maybe(start.action.as_deref()),
                        maybe(start.args_hash.as_deref()),
                        Cell::Time(Some(start.at)),
                    ];
                    begun.push(run().into_iter().chain(start).chain(now));
                }
                None => steps.push(run().into_iter().chain([text(path)]).chain(now)),
            }
        }
        if plan.changes.swept.is_some() {
            swept.push(run().into_iter().chain([Cell::Time(plan.changes.swept)]));
        }
    }
    all
}

/// The values of [`STATE`].
fn state(plan: &Plan, part: &Part, me: i64) -> [Cell; 18] {
    let (head, summary) = (&plan.head, &plan.head.summary);
    debug_assert!(part.rest.is_none() || matches!(summary.status, RunStatus::Waiting | RunStatus::Parked));
    [
        text(summary.status.name()),
        number(u64::from(summary.steps_total)),
        number(summary.steps_completed),
        number(head.begun),
        number(summary.events),
        number(summary.usage.input_tokens),
        number(summary.usage.output_tokens),
        Cell::Float(summary.usage.usd),
        Cell::Time(summary.ended_at),
        Cell::Number(head.duration_ms()),
        Cell::Time(summary.wakes_at),
        Cell::Number(part.rest.is_none().then_some(me)),
        number(u64::from(summary.recoveries)),
        number(head.read),
        maybe(summary.error.as_ref().map(|error| error.kind.name())),
        maybe(summary.error.as_ref().map(|error| error.message.as_str())),
        json(summary.error.as_ref().map(to_json)),
        json(plan.changes.output.clone()),
    ]
}
