//! `race`: the first success wins; the others are cancelled, and undo what they did.

use std::fmt::Write;

use futures::StreamExt;

use crate::program::Branch;
use crate::run::event::RunError;
use crate::run::exec::parallel::start;
use crate::run::exec::step::Performed;
use crate::run::exec::undo;
use crate::run::exec::{Failure, Stop, Strand};
use crate::value::Value;

/// `race { }`: the value of the branch that succeeds first. It fails when every branch has failed; a branch that was
/// skipped neither wins nor fails.
pub(super) async fn branches<'m>(
    strand: &mut Strand<'m>,
    frame: &mut [Value],
    branches: &'m [Branch],
) -> Result<Value, Stop> {
    let scope = strand.scope.child();
    let mut running = start(strand, frame, branches, &scope);
    let mut winner = None;
    let mut failures = Vec::new();
    while let Some((index, ended, undos)) = running.next().await {
        match ended {
            Ok(Performed::Value(value)) if winner.is_none() => {
                scope.cancel();
                winner = Some(value);
                strand.undos.extend(undos);
            }
            // Too late: it came to its end before it could be cancelled.
            Ok(_) => {
                let mut loser = strand.branch(&scope);
                loser.undos = undos;
                undo::down_to(&mut loser, 0).await;
            }
            Err(Stop::Failed(failure)) => failures.push((index, failure)),
            Err(Stop::Cancelled) => {}
        }
    }
    match winner {
        Some(value) => Ok(value),
        None if strand.scope.is_cancelled() => Err(Stop::Cancelled),
        None if failures.is_empty() => Ok(Value::Null),
        None => Err(all_failed(strand, branches, failures)),
    }
}

/// The failure of a race that nobody won: the kind of the first branch in the text, the words of all.
fn all_failed(strand: &Strand<'_>, branches: &[Branch], mut failures: Vec<(usize, Box<Failure>)>) -> Stop {
    failures.sort_by_key(|(index, _)| *index);
    let mut message = String::from("no branch succeeded");
    let mut details = Vec::new();
    for (index, failure) in &failures {
        let name = branches.get(*index).map_or("", |branch| branch.step.segment.as_str());
        let between = if details.is_empty() { ":" } else { ";" };
        let _ = write!(message, "{between} `{name}` {}: {}", failure.error.kind, failure.error.message);
        details.push(failure.error.to_value());
    }
    let retryable = failures.iter().any(|(_, failure)| failure.error.retryable);
    match failures.into_iter().next() {
        Some((_, first)) => Stop::Failed(Failure::of(RunError {
            message,
            retryable,
            step: strand.here(),
            details: Value::list(details),
            ..first.error
        })),
        None => Stop::Cancelled,
    }
}
