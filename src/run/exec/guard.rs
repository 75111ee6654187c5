//! `try`, `catch`, `finally`.

use std::sync::{Arc, LazyLock};

use futures::future::BoxFuture;

use crate::program::{Block, Catch, Try};
use crate::run::event::RunError;
use crate::run::exec::block::block;
use crate::run::exec::{Exit, Flowing, Stop, Strand, set, undo};
use crate::run::scope::Scope;
use crate::value::{Record, Shape, Value};

/// `try` as a statement: transparent for what its blocks yield or return.
pub(super) fn try_statement<'s, 'm: 's>(
    strand: &'s mut Strand<'m>,
    frame: &'s mut [Value],
    it: &'m Try,
) -> BoxFuture<'s, Flowing> {
    Box::pin(async move {
        let held = strand.undos.len();
        let flowing = block(strand, frame, &it.body).await;
        if flowing.is_err() {
            undo::down_to(strand, held).await;
        }
        settle(strand, frame, flowing, it.catch.as_ref(), it.finally.as_ref()).await
    })
}

/// What `catch` and `finally` make of how a body ended. The body's undos have run. A failure is swallowed where there
/// is neither; with a `finally` alone it goes on after it. Where both the body and `finally` fail, the body's failure
/// is the one that goes on.
pub(super) async fn settle<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    flowing: Flowing,
    catch: Option<&'m Catch>,
    finally: Option<&'m Block>,
) -> Flowing {
    let flowing = match (flowing, catch) {
        (Err(Stop::Failed(failure)), Some(catch)) => {
            if let Some(slot) = catch.slot {
                set(frame, slot, failure.error.to_value());
            }
            block(strand, frame, &catch.body).await
        }
        (Err(Stop::Failed(_)), None) if finally.is_none() => Ok(Exit::Next),
        (flowing, _) => flowing,
    };
    let Some(finally) = finally else { return flowing };
    // It runs to its end whatever is cancelled meanwhile.
    let around = std::mem::replace(&mut strand.scope, Scope::shield());
    let last = block(strand, frame, finally).await;
    strand.scope = around;
    match (flowing, last) {
        (Ok(_), Err(stop)) => Err(stop),
        (flowing, _) => flowing,
    }
}

static OUTCOME: LazyLock<Arc<Shape>> =
    LazyLock::new(|| Arc::new(Shape::new(["success", "result", "error"].map(Into::into))));

/// The outcome of what succeeded.
pub(super) fn success(value: Value) -> Value {
    outcome([Value::Bool(true), value, Value::Null])
}

/// The outcome of what failed.
pub(super) fn failure(error: &RunError) -> Value {
    outcome([Value::Bool(false), Value::Null, error.to_value()])
}

fn outcome(values: [Value; 3]) -> Value {
    Value::Record(Arc::new(Record { shape: Arc::clone(&OUTCOME), values: values.into() }))
}
