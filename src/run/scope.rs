//! Cancellation. A scope is what is cancelled together: a run, a `parallel`, a `race`, an attempt with a timeout.
//! It is cooperative: a cancelled scope's waiting leaves (calls, sleeps) are dropped and no new step begins in it, but
//! undos and `finally` blocks still run, shielded by a scope of their own, and a block ends only when all that it
//! started has ended.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::run::ports::Clock;

/// What is cancelled together.
#[derive(Clone)]
pub(crate) struct Scope(CancellationToken);

impl Scope {
    /// The scope of a token.
    pub(crate) fn of(token: &CancellationToken) -> Self {
        Self(token.clone())
    }

    /// A scope that ends with this one or on its own.
    pub(crate) fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// A scope that nothing else cancels.
    pub(crate) fn shield() -> Self {
        Self(CancellationToken::new())
    }

    pub(crate) fn cancel(&self) {
        self.0.cancel();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// How a bounded wait ended.
pub(crate) enum Ended<T> {
    /// It came to its own end.
    Done(T),
    /// The time was up.
    TimedOut,
    /// The scope was cancelled.
    Cancelled,
}

/// How the time of a leaf goes.
pub(crate) trait Time {
    /// Waits.
    fn sleep(&self, how_long: Duration) -> BoxFuture<'static, ()>;

    /// Whether it stands still. Who makes it go on again polls the leaf.
    fn stands(&self) -> bool {
        false
    }

    /// For how long it stood still since this was last asked.
    fn stood(&self) -> Duration {
        Duration::ZERO
    }
}

/// Of what may take any time.
impl Time for () {
    fn sleep(&self, _how_long: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Waits for the leaf of a scope for at most `limit`; the leaf is dropped when its time is up or the scope is
/// cancelled. Nothing is set up for a leaf that is ready at once.
pub(crate) fn bounded<'s, F: Future + Unpin, T: Time + ?Sized>(
    scope: &'s Scope,
    time: &'s T,
    limit: Option<Duration>,
    leaf: F,
) -> Bounded<'s, F, T> {
    Bounded { leaf, token: &scope.0, time, timer: Timer::Unset(limit), cancelled: None }
}

/// Waits for the leaf of a scope, which is dropped when the scope is cancelled.
pub(crate) fn unless_cancelled<F: Future + Unpin>(scope: &Scope, leaf: F) -> Bounded<'_, F, ()> {
    bounded(scope, &(), None, leaf)
}

pin_project! {
    /// See [`bounded`]. By hand, since many wait at once: an async block would hold most of it twice.
    pub(crate) struct Bounded<'s, F, T: ?Sized> {
        leaf: F,
        token: &'s CancellationToken,
        time: &'s T,
        timer: Timer,
        #[pin]
        cancelled: Option<WaitForCancellationFuture<'s>>,
    }
}

enum Timer {
    Unset(Option<Duration>),
    Set(Option<BoxFuture<'static, ()>>),
    /// It would be up, had time not stood still for so long.
    Held(Duration),
}

impl<F: Future + Unpin, T: Time + ?Sized> Future for Bounded<'_, F, T> {
    type Output = Ended<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.leaf.poll_unpin(cx) {
            return Poll::Ready(Ended::Done(output));
        }
        if this.cancelled.is_none() {
            this.cancelled.set(Some(this.token.cancelled()));
        }
        if this.cancelled.as_pin_mut().is_some_and(|cancelled| cancelled.poll(cx).is_ready()) {
            return Poll::Ready(Ended::Cancelled);
        }
        loop {
            *this.timer = match this.timer {
                Timer::Unset(limit) => Timer::Set(limit.map(|limit| this.time.sleep(limit))),
                Timer::Set(None) => return Poll::Pending,
                Timer::Set(Some(timer)) => match timer.poll_unpin(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => Timer::Held(this.time.stood()),
                },
                Timer::Held(_) if this.time.stands() => return Poll::Pending,
                Timer::Held(Duration::ZERO) => return Poll::Ready(Ended::TimedOut),
                Timer::Held(more) => {
                    // While it was held, no time was counted.
                    this.time.stood();
                    Timer::Unset(Some(*more))
                }
            };
        }
    }
}

/// Runs work in a scope, cancels the scope when `limit` is over, once `up` was called, and waits for the work's end all
/// the same. Says whether the time was up.
pub(crate) async fn timed<F: Future>(
    scope: &Scope,
    clock: &dyn Clock,
    limit: Duration,
    up: impl FnOnce(),
    work: F,
) -> (F::Output, bool) {
    let mut up = Some(up);
    let mut work = pin!(work);
    let mut timer = Some(clock.sleep(limit));
    let output = std::future::poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        if let Some(due) = &mut timer
            && due.as_mut().poll(cx).is_ready()
        {
            timer = None;
            if let Some(up) = up.take() {
                up();
            }
            // Wakes the leaves, and through them this very future.
            scope.cancel();
        }
        Poll::Pending
    })
    .await;
    (output, timer.is_none())
}
