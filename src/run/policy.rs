//! Retries and timeouts: what a step says, or the defaults of tool calls.

use std::time::Duration;

use crate::run::exec::Failure;
use crate::run::limits::Limits;
use crate::types::Signature;
use crate::value::ErrorKind;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Whether and when an attempt follows a failed one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'m> {
    /// How many more attempts.
    pub(crate) more: u32,
    /// The longest wait after the first failure; it doubles with each.
    pub(crate) first: Duration,
    /// The longest wait of all.
    pub(crate) longest: Duration,
    /// On these kinds; where there are none, on retryable errors.
    pub(crate) on: &'m [ErrorKind],
    /// Only where it is known that nothing was delivered.
    pub(crate) undelivered_only: bool,
    /// Timeouts are not tried again: the tool waits for time, a person or a signal.
    pub(crate) waits: bool,
}

impl<'m> Plan<'m> {
    /// No further attempt.
    pub(crate) const ONCE: Plan<'static> =
        Plan { more: 0, first: FIRST_WAIT, longest: LONGEST_WAIT, on: &[], undelivered_only: false, waits: false };

    /// What holds for a call of a tool whose step says nothing.
    pub(crate) fn of_tool(tool: &Signature) -> Plan<'static> {
        let safety = &tool.annotations;
        let silent = safety.read_only.is_none() && safety.idempotent.is_none() && safety.destructive.is_none();
        let said = safety.retry.map(|retry| Plan::explicit(retry.count, retry.backoff, &[]));
        Plan {
            undelivered_only: !(safety.repeatable() || silent),
            waits: waits(tool),
            ..said.unwrap_or(Plan { more: 2, ..Plan::ONCE })
        }
    }

    /// What holds for a step that says `retry`.
    pub(crate) fn explicit(more: u32, backoff: Option<(Duration, Duration)>, on: &'m [ErrorKind]) -> Self {
        let (first, longest) = backoff.unwrap_or((FIRST_WAIT, LONGEST_WAIT));
        Plan { more, first, longest, on, ..Plan::ONCE }
    }

    /// How long to wait before the next attempt after `attempt` attempts; `None` where there is none. `jitter` is in
    /// `0.0..1.0`: full jitter, a wait anywhere between nothing and the exponential bound.
    pub(crate) fn next(&self, attempt: u32, failure: &Failure, jitter: f64) -> Option<Duration> {
        let error = &failure.error;
        if attempt > self.more || failure.doomed {
            return None;
        }
        if self.waits && error.kind == ErrorKind::Timeout {
            return None;
        }
        let wanted = if self.on.is_empty() { error.retryable } else { self.on.contains(&error.kind) };
        if !wanted || (self.undelivered_only && !failure.undelivered) {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let bound = self.first.saturating_mul(doubled).min(self.longest.max(self.first));
        let wait = bound.mul_f64(jitter.clamp(0.0, 1.0));
        Some(failure.retry_after.map_or(wait, |asked| asked.max(wait)))
    }
}

/// How long an attempt of a tool call may take: what the step says, else the default.
pub(crate) fn tool_timeout(tool: &Signature, said: Option<Duration>, limits: &Limits) -> Option<Duration> {
    let default = tool.annotations.timeout.or_else(|| (!waits(tool)).then_some(limits.tool_timeout));
    match (said.or(default), limits.longest_timeout) {
        (Some(timeout), Some(longest)) if !waits(tool) => Some(timeout.min(longest)),
        (timeout, _) => timeout,
    }
}

/// Whether the tool waits for time, a person or a signal.
pub(crate) fn waits(tool: &Signature) -> bool {
    // Asked of every step: looking for the dot takes longer.
    ["time.", "human.", "signal."].iter().any(|namespace| tool.name.starts_with(namespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Annotations, Retry, Type};

    #[test]
    fn what_the_operator_says_holds_where_the_step_says_nothing() {
        let (limits, seconds) = (Limits::default(), Duration::from_secs);
        let retry = Some(Retry { count: 5, backoff: Some((seconds(1), seconds(4))) });
        let said = Annotations { timeout: Some(seconds(7)), retry, destructive: Some(true), ..Annotations::default() };
        let tool = Signature::new("a.b", "", Type::Null).annotated(said);
        assert_eq!(tool_timeout(&tool, None, &limits), Some(seconds(7)));
        assert_eq!(tool_timeout(&tool, Some(seconds(3)), &limits), Some(seconds(3)));
        let bounded = Limits { longest_timeout: Some(seconds(2)), ..limits };
        assert_eq!(tool_timeout(&tool, None, &bounded), Some(seconds(2)));
        let plan = Plan::of_tool(&tool);
        assert_eq!((plan.more, plan.first, plan.longest), (5, seconds(1), seconds(4)));
        assert!(plan.undelivered_only, "what may do harm twice is only repeated where nothing was delivered");
    }
}
