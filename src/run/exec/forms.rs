//! Block forms and flow calls: what enters a path of its own.

use futures::future::BoxFuture;

use crate::program::Action;
use crate::run::exec::block::{block, chosen, matched};
use crate::run::exec::prepared::Prepared;
use crate::run::exec::{Exit, Flowing, Strand, call, loops, parallel, race};
use crate::value::Value;

/// Runs a form under a path. What it gives is an [`Exit::Yield`]; without a value, [`Exit::Next`].
pub(super) fn form<'s, 'm: 's>(
    strand: &'s mut Strand<'m>,
    frame: &'s mut [Value],
    action: &'m Action,
    prepared: Prepared,
    path: &'s str,
) -> BoxFuture<'s, Flowing> {
    Box::pin(async move {
        let base = strand.path.len();
        let emits = std::mem::take(&mut strand.emits);
        strand.enter(path);
        let flowing = enter(strand, frame, action, prepared).await;
        strand.path.truncate(base);
        strand.emits = emits;
        flowing
    })
}

async fn enter<'m>(strand: &mut Strand<'m>, frame: &mut [Value], action: &'m Action, prepared: Prepared) -> Flowing {
    match action {
        Action::For(it) => return loops::each(strand, frame, it, &prepared.into_items()).await,
        Action::Repeat(it) => return loops::repeat(strand, frame, it).await,
        Action::ParallelFor(it) => return parallel::each(strand, frame, it, &prepared.into_items()).await,
        Action::Flow { flow, .. } => {
            strand.path.push('/');
            return call::flow(strand, *flow, prepared.into_frame()).await.map(Exit::Yield);
        }
        _ => {}
    }
    strand.path.push('.');
    let taken = match action {
        Action::Do(body) => Some(body),
        Action::If(it) => chosen(strand, frame, it)?,
        Action::Match(it) => matched(strand, frame, it)?,
        Action::Parallel(branches) => return parallel::branches(strand, frame, branches).await.map(Exit::Yield),
        Action::Race(branches) => return race::branches(strand, frame, branches).await.map(Exit::Yield),
        Action::Tool { .. } | Action::Flow { .. } | Action::For(_) | Action::ParallelFor(_) | Action::Repeat(_) => None,
    };
    match taken {
        Some(body) => block(strand, frame, body).await,
        None => Ok(Exit::Next),
    }
}
