//! Time: the real clock over tokio's timers, and the virtual one of tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::run::ports::Clock;

/// Tokio's clock. The time of day follows tokio's instants from the moment the clock was made, so a paused runtime
/// gives virtual time here too, and a run's time never goes backwards.
#[derive(Debug)]
pub struct TokioClock {
    began: Timestamp,
    instant: Instant,
    jitter: Jitter,
}

impl Default for TokioClock {
    fn default() -> Self {
        Self { began: Timestamp::now(), instant: Instant::now(), jitter: Jitter::new(random_u64()) }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.instant.elapsed()).unwrap_or(SignedDuration::ZERO);
        self.began.checked_add(elapsed).unwrap_or(self.began)
    }

    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(how_long))
    }

    fn jitter(&self) -> f64 {
        self.jitter.next()
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
