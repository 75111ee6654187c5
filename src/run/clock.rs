//! Time: the real clock over tokio's timers, and the virtual one of tests.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::run::ports::{Clock, Tool, ToolContext, ToolError};
use crate::types::{Annotations, Signature, Type};
use crate::value::Value;

/// Tokio's clock. The time of day follows tokio's instants from the moment the clock was made, so a paused runtime
/// gives virtual time here too, and a run's time never goes backwards.
#[derive(Debug)]
pub struct TokioClock {
    began: Timestamp,
    instant: Instant,
    jitter: Jitter,
}

impl Default for TokioClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port's edge")]
    fn default() -> Self {
        Self { began: Timestamp::now(), instant: Instant::now(), jitter: Jitter::new(random_u64()) }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        // By hand, since it is asked for each event.
        let elapsed = self.instant.elapsed();
        let nanos = i64::from(self.began.subsec_nanosecond()) + i64::from(elapsed.subsec_nanos());
        let carry = nanos.div_euclid(1_000_000_000);
        let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
        let seconds = self.began.as_second().saturating_add(seconds).saturating_add(carry);
        Timestamp::new(seconds, nanos.rem_euclid(1_000_000_000) as i32).unwrap_or(self.began)
    }

    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(how_long))
    }

    fn jitter(&self) -> f64 {
        self.jitter.next()
    }
}

/// `time.sleep`, which is always there: it waits by the engine's clock.
pub(crate) struct Sleep {
    clock: Arc<dyn Clock>,
    signature: Arc<Signature>,
}

impl Sleep {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let mut signature =
            Signature::new("time.sleep", "Waits.", Type::Null).param("duration", Type::Duration, "How long.");
        signature.annotations = Annotations::read_only();
        Self { clock, signature: Arc::new(signature) }
    }
}

/// When a `time.sleep` of these arguments is over that began then.
pub(crate) fn wakes(args: &Value, began: Timestamp) -> Timestamp {
    let millis = if let Some(Value::Duration(millis)) = args.get("duration") { (*millis).max(0) } else { 0 };
    began.checked_add(SignedDuration::from_millis(millis)).unwrap_or(Timestamp::MAX)
}

impl Tool for Sleep {
    fn signature(&self) -> Arc<Signature> {
        Arc::clone(&self.signature)
    }

    fn call<'a>(&'a self, args: Value, context: ToolContext<'a>) -> BoxFuture<'a, Result<Value, ToolError>> {
        let left = wakes(&args, context.began).duration_since(self.clock.now());
        let sleep = self.clock.sleep(Duration::try_from(left).unwrap_or(Duration::ZERO));
        Box::pin(sleep.map(|()| Ok(Value::Null)))
    }
}

/// Numbers in `0.0..1.0` that spread retries out (splitmix64, Steele, Lea and Flood 2014); nothing secret hangs on them.
#[derive(Debug)]
pub(crate) struct Jitter(AtomicU64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> f64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A random number from the standard library's hash seeds.
pub(crate) fn random_u64() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

/// A clock that moves only when told to: a sleep takes no real time, and a run of it is the same every time.
#[derive(Clone)]
pub struct VirtualClock {
    timers: Arc<Mutex<Timers>>,
    jitter: Arc<Jitter>,
}

#[derive(Default)]
struct Timers {
    now: Duration,
    made: u64,
    /// Who sleeps, by when they wake and the order they lay down.
    sleeping: BTreeMap<(Duration, u64), Waker>,
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self { timers: Arc::default(), jitter: Arc::new(Jitter::new(1)) }
    }
}

impl VirtualClock {
    /// How much time has gone by.
    pub fn elapsed(&self) -> Duration {
        self.lock().now
    }

    /// Moves to the next moment at which someone wakes; false where nobody sleeps.
    pub fn advance(&self) -> bool {
        let mut timers = self.lock();
        let Some(((at, _), waker)) = timers.sleeping.pop_first() else { return false };
        timers.now = timers.now.max(at);
        drop(timers);
        waker.wake();
        true
    }

    /// Drives a future to its end on this thread, moving on in time whenever it waits. `None` where it waits for
    /// something else than time.
    pub fn drive<F: Future>(&self, future: F) -> Option<F::Output> {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return Some(output);
                }
            } else if !self.advance() {
                return None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Woken(pub(crate) AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    /// From the first moment of 2026, UTC.
    fn now(&self) -> Timestamp {
        let began = Timestamp::from_second(1_767_225_600).unwrap_or(Timestamp::UNIX_EPOCH);
        let elapsed = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::ZERO);
        began.checked_add(elapsed).unwrap_or(began)
    }

    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        let mut timers = self.lock();
        timers.made += 1;
        let key = (timers.now.saturating_add(how_long), timers.made);
        Box::pin(VirtualSleep { clock: self.clone(), key })
    }

    fn jitter(&self) -> f64 {
        self.jitter.next()
    }
}

struct VirtualSleep {
    clock: VirtualClock,
    key: (Duration, u64),
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.clock.lock();
        if timers.now >= self.key.0 {
            return Poll::Ready(());
        }
        timers.sleeping.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        self.clock.lock().sleeping.remove(&self.key);
    }
}
