//! The order in which what came from outside comes again, and the gate at its end.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::run::event::RunError;
use crate::run::replay::Replay;
use crate::run::scope::Scope;
use crate::types::Text;

/// The turn after all that is recorded, and before what is overdue.
pub(super) const LAST: u64 = u64::MAX - 1;

/// The turn of what is overdue.
const OVERDUE: u64 = u64::MAX;

/// What waits for its turn, or for the gate.
#[derive(Default)]
pub(super) struct Turns {
    order: BTreeMap<(u64, u64), Turn>,
    /// The number of the turn that came last.
    pub(super) now: u64,
    made: u64,
    waiting: Vec<Waker>,
}

/// What comes in its turn.
enum Turn {
    /// A strand that goes on.
    Strand(Arc<AtomicBool>, Option<Waker>),
    /// A scope's cancellation; with a path, one that is yet to be recorded as that of a time that was up.
    Cancel(Scope, Arc<AtomicBool>, Option<Text>),
}

/// What the replay does next, where nothing of the run moves by itself.
pub(crate) enum Next {
    /// Something moves again.
    Moves,
    /// This path's time is up: it is to be recorded.
    Expires(Text),
    /// All was met again.
    Opens,
}

impl Replay {
    /// Waits at the gate.
    pub(crate) fn opened(&self) -> impl Future<Output = ()> + Unpin + use<'_> {
        poll_fn(|cx| {
            if self.is_open() {
                return Poll::Ready(());
            }
            self.lock().waiting.push(cx.waker().clone());
            Poll::Pending
        })
    }

    /// Waits for the turn of this number.
    pub(crate) async fn turn(&self, number: u64) {
        if self.is_open() {
            return;
        }
        let granted = Arc::new(AtomicBool::new(false));
        let key = self.lock().add(number, Turn::Strand(Arc::clone(&granted), None));
        poll_fn(|cx| {
            if granted.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            if let Some(Turn::Strand(_, waker)) = self.lock().order.get_mut(&key) {
                *waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Has a scope cancelled at the turn of this number.
    pub(crate) fn cancel_at(&self, number: u64, scope: &Scope) {
        self.lock().add(number, Turn::Cancel(scope.clone(), Arc::default(), None));
    }

    /// Has the scope of what has a time limit cancelled: at its turn where it is recorded that its time was up, or
    /// after all others where its time is up by now (`overdue`). `None` where its time is not up.
    pub(crate) fn expiry(&self, path: &Text, scope: &Scope, overdue: bool) -> Option<Expiry<'_>> {
        let recorded = self.known.get(path).and_then(|known| known.expired.as_ref());
        let fired = Arc::new(AtomicBool::new(false));
        let key = match recorded {
            Some(event) => self.lock().add(event.number, Turn::Cancel(scope.clone(), Arc::clone(&fired), None)),
            None if overdue && !self.is_open() => {
                self.lock().add(OVERDUE, Turn::Cancel(scope.clone(), Arc::clone(&fired), Some(path.clone())))
            }
            None => return None,
        };
        Some(Expiry { replay: self, key, fired })
    }

    /// Does what is due where nothing of the run moves by itself.
    ///
    /// # Errors
    /// All turns are over, and something that is recorded was not met again.
    pub(crate) fn advance(&self) -> Result<Next, Box<RunError>> {
        let mut state = self.lock();
        let turn = state.order.pop_first().map(|((number, _), turn)| {
            state.now = number;
            turn
        });
        drop(state);
        match turn {
            Some(Turn::Strand(granted, waker)) => {
                granted.store(true, Ordering::Relaxed);
                waker.into_iter().for_each(Waker::wake);
                Ok(Next::Moves)
            }
            Some(Turn::Cancel(scope, fired, path)) => {
                fired.store(true, Ordering::Relaxed);
                scope.cancel();
                Ok(path.map_or(Next::Moves, Next::Expires))
            }
            None => self.complete().map(|()| Next::Opens),
        }
    }

    /// Opens the gate.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
        let waiting = std::mem::take(&mut self.lock().waiting);
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    /// Whether no turn is to come but of what is overdue.
    pub(super) fn are_over(&self) -> bool {
        self.order.first_key_value().is_none_or(|((number, _), _)| *number == OVERDUE)
    }

    fn add(&mut self, number: u64, turn: Turn) -> (u64, u64) {
        self.made += 1;
        let key = (number, self.made);
        self.order.insert(key, turn);
        key
    }
}

/// A time limit whose end comes by a turn; dropping it withdraws it.
pub(crate) struct Expiry<'r> {
    replay: &'r Replay,
    key: (u64, u64),
    fired: Arc<AtomicBool>,
}

impl Expiry<'_> {
    /// Whether the time was up.
    pub(crate) fn fired(&self) -> bool {
        self.fired.load(Ordering::Relaxed)
    }
}

impl Drop for Expiry<'_> {
    fn drop(&mut self) {
        self.replay.lock().order.remove(&self.key);
    }
}
