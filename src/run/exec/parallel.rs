//! `parallel` and `parallel for`: branches in flight at the same time, each a strand with a frame of its own, all
//! polled by the run's one task. The first failure cancels the others, and is the block's; the block ends when all
//! its branches have.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use smallvec::{SmallVec, smallvec};

use crate::program::{Branch, Capture, ParallelFor};
use crate::run::exec::block::statements;
use crate::run::exec::step::{Performed, perform};
use crate::run::exec::undo::{self, Pending};
use crate::run::exec::{Exit, Flowing, Stop, Strand, resumed, set};
use crate::run::scope::Scope;
use crate::value::{ErrorKind, Record, Shape, Value};

/// How many iterations of a `parallel for` are in flight where it does not say.
const DEFAULT_LIMIT: usize = 16;

/// A branch's own frame: few have more than an item and what two steps give.
type Frame = SmallVec<[Value; 3]>;

/// `parallel { }`: the record of the branches' values.
pub(super) async fn branches<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    branches: &'m [Branch],
) -> Result<Value, Stop> {
    let scope = strand.scope.child();
    let mut running = start(strand, frame, branches, &scope);
    let mut values = vec![Value::Null; branches.len()];
    let mut stop = None;
    while let Some((index, ended, undos)) = running.next().await {
        match ended {
            Ok(performed) => {
                strand.undos.extend(undos);
                set(&mut values, index as u32, performed.value());
            }
            Err(why) => {
                scope.cancel();
                stop.get_or_insert(why);
            }
        }
    }
    drop(running);
    if let Some(stop) = stop {
        return Err(stop);
    }
    for (branch, value) in branches.iter().zip(&values) {
        if let Some(slot) = branch.bind {
            set(frame, slot, value.clone());
        }
    }
    let names = branches.iter().map(|branch| branch.step.name.clone().unwrap_or_else(|| branch.step.segment.clone()));
    Ok(Value::Record(Arc::new(Record { shape: Arc::new(Shape::new(names)), values })))
}

/// Starts all branches of a `parallel` or `race`, each on a strand of its own in the scope of their block. What ends
/// tells its place, how it ended, and how to undo what it did.
pub(super) fn start<'m>(
    strand: &Strand<'m>,
    frame: &[Value],
    branches: &'m [Branch],
    scope: &Scope,
) -> FuturesUnordered<impl Future<Output = (usize, Result<Performed, Stop>, Vec<Pending<'m>>)> + use<'m>> {
    let started = branches.iter().enumerate();
    started.map(|(index, it)| branch(strand.branch(scope), copied(&it.frame, frame), it, index)).collect()
}

/// A branch of `parallel` or `race`. One that fails or is cancelled has undone its steps when it ends.
async fn branch<'m>(
    mut strand: Strand<'m>,
    mut frame: Frame,
    branch: &'m Branch,
    index: usize,
) -> (usize, Result<Performed, Stop>, Vec<Pending<'m>>) {
    let ended = perform(&mut strand, &mut frame, &branch.step).await;
    if ended.is_err() {
        undo::down_to(&mut strand, 0).await;
    }
    (index, ended, strand.undos)
}

/// `parallel for`: the list of what its iterations yield, in the order of the items.
pub(super) async fn each<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    it: &'m ParallelFor,
    items: &[Value],
) -> Flowing {
    let limit = limit(strand, frame, it, items.len())?;
    let scope = strand.scope.child();
    let base = strand.path.len();
    let mut waiting = items.iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut yielded = vec![None; items.len()];
    let mut stop = None;
    loop {
        while stop.is_none() && running.len() < limit {
            let Some((index, item)) = waiting.next() else { break };
            let mut strand = strand.branch(&scope);
            strand.enter_item(base, index);
            let mut frame = copied(&it.frame, frame);
            set(&mut frame, it.item, item.clone());
            if let Some(slot) = it.index {
                set(&mut frame, slot, Value::Int(index as i64));
            }
            // A block, not a function: it holds what it captures once, and there may be very many.
            running.push(async move {
                let mut ended = statements(&mut strand, &mut frame, &it.body).await;
                if strand.adrift && ended.is_err() {
                    ended = resumed::fell(&strand, ended).await;
                }
                if ended.is_err() {
                    undo::down_to(&mut strand, 0).await;
                }
                let value = ended.map(|exit| if let Exit::Yield(value) = exit { Some(value) } else { None });
                (index, value, strand.undos)
            });
        }
        let Some((index, ended, undos)) = running.next().await else { break };
        match ended {
            Ok(value) => {
                strand.undos.extend(undos);
                if let Some(place) = yielded.get_mut(index) {
                    *place = value;
                }
            }
            Err(why) => {
                scope.cancel();
                stop.get_or_insert(why);
            }
        }
    }
    match stop {
        Some(stop) => Err(stop),
        None => Ok(Exit::Yield(Value::list(yielded.into_iter().flatten()))),
    }
}

/// How many may be in flight: what the loop says, within what the host allows.
fn limit(strand: &Strand<'_>, frame: &mut [Value], it: &ParallelFor, items: usize) -> Result<usize, Stop> {
    let limits = &strand.machine.engine.limits;
    if items > limits.fan_out {
        let most = limits.fan_out;
        let message = format!(
            "the list has {items} items, and `parallel for` takes at most {most}: use `chunk` and a `for` around it"
        );
        return Err(strand.failure(ErrorKind::Exhausted, message, Some(it.span)));
    }
    let Some(limit) = &it.limit else { return Ok(DEFAULT_LIMIT.min(limits.in_flight).max(1)) };
    let limit = strand.int(frame, limit)?;
    match usize::try_from(limit) {
        Ok(limit) if limit > 0 => Ok(limit.min(limits.in_flight).max(1)),
        _ => Err(strand.failure(
            ErrorKind::Invalid,
            format!("`limit` is {limit}, and must be at least 1"),
            Some(it.span),
        )),
    }
}

/// A branch's frame: what it captures, copied from the frame around it.
fn copied(capture: &Capture, frame: &[Value]) -> Frame {
    let mut inner = smallvec![Value::Null; capture.slots as usize];
    for (from, to) in &capture.copies {
        if let Some(value) = frame.get(*from as usize) {
            set(&mut inner, *to, value.clone());
        }
    }
    inner
}
