//! A tool under the operator's rules: what its signature says of it, how often it is called and how many times at once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use governor::clock::Clock as RateClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::run::{Clock, Tool, ToolContext, ToolError};
use crate::types::Signature;
use crate::value::Value;

/// How many calls in a time: on average, and that many at once after a time without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub calls: NonZeroU32,
    /// In this time.
    pub per: Duration,
}

/// What calls wait at: the calls of a tool, or of all the tools of a namespace.
pub struct Gate {
    permits: Option<Semaphore>,
    rate: Option<(Mutex<Limiter>, Arc<dyn Clock>)>,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

impl Gate {
    /// A gate with these bounds, by this clock; none where nothing is bounded.
    pub fn new(rate: Option<Rate>, concurrency: Option<usize>, clock: &Arc<dyn Clock>) -> Option<Self> {
        let quota = rate.and_then(|rate| {
            let each = rate.per.checked_div(rate.calls.get())?;
            Some(Quota::with_period(each)?.allow_burst(rate.calls))
        });
        if quota.is_none() && concurrency.is_none() {
            return None;
        }
        let ticks = || Ticks { clock: Arc::clone(clock), began: clock.now() };
        let rate = quota.map(|quota| (Mutex::new(RateLimiter::direct_with_clock(quota, ticks())), Arc::clone(clock)));
        let permits = concurrency.map(|most| Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Some(Self { permits, rate })
    }

    /// Waits until a call may begin; it holds its place until what this gives is dropped.
    async fn pass(&self) -> Option<SemaphorePermit<'_>> {
        let permit = match &self.permits {
            Some(permits) => permits.acquire().await.ok(),
            None => None,
        };
        if let Some((limiter, clock)) = &self.rate {
            // First come, first served: who waits for the rate holds the lock, and the others queue for it.
            let limiter = limiter.lock().await;
            while let Err(not_yet) = limiter.check() {
                clock.sleep(not_yet.wait_time_from(limiter.clock().now())).await;
            }
        }
        permit
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("permits", &self.permits).field("rate", &self.rate.is_some()).finish()
    }
}

/// The engine's time as the rate limiter counts it.
struct Ticks {
    clock: Arc<dyn Clock>,
    began: Timestamp,
}

impl RateClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        // From a second on: the limiter looks back, and there is nothing before zero.
        let since = Duration::try_from(self.clock.now().duration_since(self.began)).unwrap_or_default();
        since + Duration::from_secs(1)
    }
}

/// A tool with another signature, behind gates.
pub struct Governed {
    tool: Arc<dyn Tool>,
    signature: Arc<Signature>,
    gates: Vec<Arc<Gate>>,
}

impl Governed {
    /// The tool under this signature, which differs from its own in annotations only. A call passes the gates in order,
    /// and the time it waits there counts as its own.
    pub fn new(tool: Arc<dyn Tool>, signature: impl Into<Arc<Signature>>, gates: Vec<Arc<Gate>>) -> Self {
        Self { tool, signature: signature.into(), gates }
    }
}

impl Tool for Governed {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn available(&self) -> bool {
        self.tool.available()
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        if self.gates.is_empty() {
            return self.tool.call(args, context);
        }
        Box::pin(async move {
            let mut permits = Vec::with_capacity(self.gates.len());
            for gate in &self.gates {
                permits.push(gate.pass().await);
            }
            self.tool.call(args, context).await
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;
    use crate::run::TokioClock;

    fn gate(rate: Option<(u32, Duration)>, concurrency: Option<usize>) -> Gate {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::default());
        let rate = rate.map(|(calls, per)| Rate { calls: calls.try_into().expect("calls"), per });
        Gate::new(rate, concurrency, &clock).expect("a gate")
    }

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_rate_wait_their_turn() {
        let gate = gate(Some((2, Duration::from_secs(1))), None);
        let began = tokio::time::Instant::now();
        let passed = join_all((0..6).map(|_| async {
            gate.pass().await;
            began.elapsed().as_millis()
        }))
        .await;
        // Two at once, then one every half second; timers are good to a millisecond.
        for (at, expected) in passed.iter().zip([0, 0, 500, 1000, 1500, 2000]) {
            assert!(at.abs_diff(expected) <= 10, "{passed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_at_once_than_allowed() {
        let gate = gate(None, Some(2));
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        join_all((0..8).map(|_| async {
            let _place = gate.pass().await;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            now.fetch_sub(1, Ordering::SeqCst);
        }))
        .await;
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }
}
