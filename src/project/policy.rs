//! What the operator says of a namespace or of one of its tools: how it is called, and what calling it may do.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::project::keys::{Key, Keys, Shape};
use crate::project::reader::{Entry, Reader, duration};
use crate::tools::{Gate, Rate};
use crate::types::{Annotations, Retry, Signature, Text};

pub(super) const KEYS: &[Key] = &[
    Key::new("timeout", Shape::Duration, "How long an attempt may take where the step does not say."),
    Key::new("retry", Shape::Either(&Shape::Natural, &Shape::Table(RETRY)), "How often a failed call is tried again."),
    Key::new("rate", Shape::Pattern("^[1-9][0-9]*/[smh]$"), "How many calls in a second, minute or hour: \"10/s\"."),
    Key::new("concurrency", Shape::Count, "How many calls at once."),
    Key::new(
        "safety",
        Shape::Pattern("^(read_only|idempotent|destructive|keyed:[A-Za-z_][A-Za-z0-9_]*)$"),
        "What a call may do: \"read_only\", \"idempotent\", \"destructive\", or \"keyed:PARAMETER\".",
    ),
    Key::new("cost", Shape::Table(COST), "What a call costs at most."),
    Key::new("hide", Shape::Flag, "Whether flows see nothing of it."),
];

const RETRY: Keys = Keys::new(
    &[
        Key::new("count", Shape::Natural, "How many more attempts."),
        Key::new("backoff", Shape::Pattern(BACKOFF), "The first and the longest wait: \"500ms..10s\"."),
    ],
    &["count"],
);
const BACKOFF: &str = "^[0-9_]+(ms|s|m|h|d)\\.\\.[0-9_]+(ms|s|m|h|d)$";

const COST: Keys = Keys::new(&[Key::new("usd", Shape::Amount, "In US dollars.")], &["usd"]);

/// What the operator says of a namespace or tool; `None` is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// How long an attempt may take where the step does not say.
    pub timeout: Option<Duration>,
    /// How a failed call is tried again where the step does not say.
    pub retry: Option<Retry>,
    /// How many calls in a time.
    pub rate: Option<Rate>,
    /// How many calls at once.
    pub concurrency: Option<usize>,
    /// What a call may do, whatever the tool says of itself.
    pub safety: Option<Safety>,
    /// What a call costs at most, in USD.
    pub cost_usd: Option<f64>,
    /// Whether flows see nothing of it.
    pub hide: Option<bool>,
}

/// What calling a tool may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Safety {
    /// It changes nothing.
    ReadOnly,
    /// Twice is the same as once.
    Idempotent,
    /// It may destroy, and twice may do harm.
    Destructive,
    /// A call with the same key in this parameter is made once.
    Keyed(Text),
}

impl Policy {
    /// Takes an entry in, if it is one of a policy's.
    pub(super) fn take(&mut self, reader: &mut Reader, entry: &Entry<'_>) {
        match entry.name {
            "timeout" => self.timeout = reader.duration(entry),
            "retry" => self.retry = read_retry(reader, entry),
            "rate" => self.rate = reader.read(entry, "a rate like `\"10/s\"` or `\"60/m\"`", rate),
            "concurrency" => self.concurrency = reader.count(entry),
            "safety" => self.safety = read_safety(reader, entry),
            "cost" => {
                let cost = reader.whole(entry, &COST).unwrap_or_default();
                self.cost_usd = cost.first().and_then(|usd| reader.amount(usd));
            }
            "hide" => self.hide = reader.flag(entry),
            _ => {}
        }
    }

    /// Puts this over what a signature says.
    pub(super) fn apply(&self, signature: &mut Signature) {
        match &self.safety {
            // Said of a namespace, it is for those of its tools that have the parameter.
            Some(Safety::Keyed(param)) if signature.find(param).is_none() => {}
            Some(safety) => safety.apply(&mut signature.annotations),
            None => {}
        }
        let known = &mut signature.annotations;
        known.cost_usd = self.cost_usd.or(known.cost_usd);
        known.timeout = self.timeout.or(known.timeout);
        known.retry = self.retry.or(known.retry);
    }

    /// What calls have to wait for.
    pub(super) fn gate(&self, clock: &Arc<dyn crate::run::Clock>) -> Option<Arc<Gate>> {
        Gate::new(self.rate, self.concurrency, clock).map(Arc::new)
    }
}

impl Safety {
    fn apply(&self, known: &mut Annotations) {
        let (read_only, idempotent, destructive) = match self {
            Safety::ReadOnly => (true, None, false),
            Safety::Idempotent => (false, Some(true), false),
            Safety::Destructive => (false, Some(false), true),
            Safety::Keyed(param) => {
                known.key = Some(param.clone());
                return;
            }
        };
        known.read_only = Some(read_only);
        known.idempotent = idempotent;
        known.destructive = Some(destructive);
        known.key = None;
    }
}

fn read_retry(reader: &mut Reader, entry: &Entry<'_>) -> Option<Retry> {
    if !entry.is_table() {
        return reader.natural(entry).map(|count| Retry { count: most(count), backoff: None });
    }
    let mut retry = Retry { count: 0, backoff: None };
    for key in reader.whole(entry, &RETRY)? {
        match key.name {
            "count" => retry.count = reader.natural(&key).map(most)?,
            _ => retry.backoff = reader.read(&key, "two durations like `\"500ms..10s\"`", backoff),
        }
    }
    Some(retry)
}

fn most(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn backoff(text: &str) -> Option<(Duration, Duration)> {
    let (first, longest) = text.split_once("..")?;
    Some((duration(first)?, duration(longest)?))
}

fn rate(text: &str) -> Option<Rate> {
    let (calls, unit) = text.split_once('/')?;
    let per = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        "h" => Duration::from_hours(1),
        _ => return None,
    };
    let calls = calls.parse::<NonZeroU32>().ok().filter(|_| !calls.starts_with(['0', '+']))?;
    Some(Rate { calls, per })
}

fn read_safety(reader: &mut Reader, entry: &Entry<'_>) -> Option<Safety> {
    let what = "`\"read_only\"`, `\"idempotent\"`, `\"destructive\"` or `\"keyed:PARAMETER\"`";
    reader.read(entry, what, |text| match text {
        "read_only" => Some(Safety::ReadOnly),
        "idempotent" => Some(Safety::Idempotent),
        "destructive" => Some(Safety::Destructive),
        keyed => {
            let param = keyed.strip_prefix("keyed:").filter(|param| crate::types::is_name(param))?;
            Some(Safety::Keyed(param.into()))
        }
    })
}
