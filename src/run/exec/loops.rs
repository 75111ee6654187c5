//! `for` and `repeat`: one round after the other.

use std::time::Duration;

use crate::program::{For, Repeat};
use crate::run::event::EventKind;
use crate::run::exec::block::block;
use crate::run::exec::call::later;
use crate::run::exec::resumed::between_rounds;
use crate::run::exec::{Exit, Flowing, Stop, Strand, set, yield_now};
use crate::run::scope::{Ended, unless_cancelled};
use crate::value::{ErrorKind, Value};

/// `for`: the list of what its iterations yield.
pub(super) async fn each<'m>(strand: &mut Strand<'m>, frame: &mut [Value], it: &'m For, items: &[Value]) -> Flowing {
    let base = strand.path.len();
    let mut yielded = Vec::new();
    for (index, item) in items.iter().enumerate() {
        strand.enter_item(base, index);
        breathe(strand).await?;
        set(frame, it.item, item.clone());
        if let Some(slot) = it.index {
            set(frame, slot, Value::Int(index as i64));
        }
        match block(strand, frame, &it.body).await? {
            Exit::Yield(value) => yielded.push(value),
            Exit::Next | Exit::Continue => {}
            Exit::Break => break,
            Exit::Return(value) => return Ok(Exit::Return(value)),
        }
    }
    Ok(Exit::Yield(Value::list(yielded)))
}

/// `repeat`: what a round yields. A round that ends without yielding goes round again.
pub(super) async fn repeat<'m>(strand: &mut Strand<'m>, frame: &mut [Value], it: &'m Repeat) -> Flowing {
    let base = strand.path.len();
    let max = strand.int(frame, &it.max)?;
    let Ok(max) = u64::try_from(max) else {
        return Err(strand.failure(
            ErrorKind::Invalid,
            format!("`max` is {max}, and must not be negative"),
            Some(it.span),
        ));
    };
    let (mut wait, longest) = match &it.every {
        None => (Duration::ZERO, Duration::ZERO),
        Some((first, None)) => {
            let every = strand.duration(frame, first)?;
            (every, every)
        }
        Some((first, Some(longest))) => (strand.duration(frame, first)?, strand.duration(frame, longest)?),
    };
    for round in 1..=max {
        strand.enter_round(base, round);
        breathe(strand).await?;
        match block(strand, frame, &it.body).await? {
            Exit::Next | Exit::Continue => {}
            Exit::Break => return Ok(Exit::Next),
            exit => return Ok(exit),
        }
        if round < max && !wait.is_zero() {
            let at = strand.path.get(..base).unwrap_or_default();
            between_rounds(strand, at, round, wait).await?;
            wait = wait.saturating_mul(2).min(longest.max(wait));
        }
    }
    strand.path.truncate(base);
    let rounds = if max == 1 { "1 round".to_owned() } else { format!("{max} rounds") };
    Err(strand.failure(ErrorKind::Exhausted, format!("it did not come to an end within {rounds}"), Some(it.span)))
}

/// Before a round: lets others run now and then, and ends where the scope was cancelled meanwhile. No step is there to tell
/// of that, and how far the loop came decides which `finally` blocks run. So it is recorded, and a replay ends it there
/// and nowhere else.
async fn breathe(strand: &mut Strand<'_>) -> Result<(), Stop> {
    let machine = strand.machine;
    strand.adrift = true;
    if let Err(replay) = machine.live()
        && let Some(number) = replay.stopped(|| strand.here())
    {
        replay.turn(number).await;
    } else if machine.tick() {
        yield_now().await;
        if machine.live().is_err() {
            return Ok(());
        }
    } else {
        return Ok(());
    }
    if !strand.scope.is_cancelled() {
        return Ok(());
    }
    if machine.durable.is_some() {
        machine.push(EventKind::StepStopped { path: strand.here() });
    }
    Err(Stop::Cancelled)
}

/// Sleeps, unless the scope is cancelled.
pub(super) async fn pause(strand: &Strand<'_>, how_long: Duration) -> Result<(), Stop> {
    let machine = strand.machine;
    let clock = &*machine.engine.clock;
    let _busy = machine.rests.busy();
    let _rest = machine.rests.rest(later(clock.now(), how_long));
    match unless_cancelled(&strand.scope, clock.sleep(how_long)).await {
        Ended::Cancelled => Err(Stop::Cancelled),
        Ended::Done(()) | Ended::TimedOut => Ok(()),
    }
}
