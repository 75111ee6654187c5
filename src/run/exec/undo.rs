//! Compensations. A strand holds the undos of its completed steps; whoever fails or is cancelled (an attempt, a `try`
//! body, a branch, a flow) runs those of its own, newest first, and leaves the others to what holds it.

use std::sync::atomic::Ordering;

use futures::future::BoxFuture;

use crate::program::{Step, Undo};
use crate::run::event::EventKind;
use crate::run::exec::prepared::Prepared;
use crate::run::exec::retry::attempts;
use crate::run::exec::step::Job;
use crate::run::exec::{Failure, Stop, Strand, path, set};
use crate::run::scope::Scope;
use crate::types::Text;
use crate::value::Value;

/// An undo that waits to be needed.
pub(crate) struct Pending<'m> {
    /// Which step of the run it was, of those with an undo: branches complete in any order.
    order: u64,
    /// What stands before the segment: where it runs.
    prefix: String,
    /// `book~undo`, in full.
    path: Text,
    undo: &'m Undo,
    /// Its arguments, evaluated when the step completed; where they cannot be, the undo fails when it is needed.
    prepared: Result<Prepared, Box<Failure>>,
}

/// Remembers how to undo a step that gave `value`.
pub(super) fn hold<'m>(strand: &mut Strand<'m>, frame: &mut [Value], step: &'m Step, path: &Text, value: &Value) {
    let Some(undo) = step.undo.as_deref() else { return };
    if let Some(slot) = undo.slot {
        set(frame, slot, value.clone());
    }
    let prepared = Prepared::of(strand, frame, &undo.call);
    let order = strand.machine.undos.fetch_add(1, Ordering::Relaxed);
    let prefix = strand.path.clone();
    strand.undos.push(Pending { order, prefix, path: path::join(path, "~undo"), undo, prepared });
}

/// Runs the undos that came after the first `held`, newest first, shielded from cancellation. One that fails is
/// recorded, and the rest still run.
pub(super) async fn down_to(strand: &mut Strand<'_>, held: usize) {
    if strand.undos.len() > held {
        run(strand, held).await;
    }
}

fn run<'s>(strand: &'s mut Strand<'_>, held: usize) -> BoxFuture<'s, ()> {
    Box::pin(async move {
        let mut pending = strand.undos.split_off(held);
        pending.sort_by_key(|undo| undo.order);
        let around = std::mem::replace(&mut strand.scope, Scope::shield());
        while let Some(undo) = pending.pop() {
            one(strand, undo).await;
            // An undo is not itself undone.
            strand.undos.truncate(held);
        }
        strand.scope = around;
    })
}

async fn one<'m>(strand: &mut Strand<'m>, pending: Pending<'m>) {
    let machine = strand.machine;
    let around = std::mem::replace(&mut strand.path, pending.prefix);
    let mut job = Job::of_undo(machine, pending.undo, pending.path, pending.prepared);
    let (ended, tally) = attempts(strand, &mut [], &mut job).await;
    let path = job.path;
    let now = machine.now();
    let duration_ms = tally.millis(now);
    let kind = match ended {
        Ok(exit) => EventKind::StepCompleted { path, result: exit.value(), duration_ms, usage: tally.usage() },
        Err(Stop::Failed(failure)) => {
            EventKind::StepFailed { path, error: failure.error, duration_ms, usage: tally.usage() }
        }
        Err(Stop::Cancelled) => EventKind::StepCancelled { path, duration_ms },
    };
    machine.push_at(now, kind);
    let _ = machine.commit().await;
    strand.path = around;
}
