//! Statements, one after the other.

use futures::future::BoxFuture;

use crate::program::{Block, BlockStmt, If, Match, Stmt};
use crate::run::event::{EventKind, RunError};
use crate::run::exec::prepared::Prepared;
use crate::run::exec::step::perform;
use crate::run::exec::{Exit, Failure, Flowing, Stop, Strand, forms, guard, resumed, set};
use crate::types::Text;
use crate::value::{ErrorKind, Value};

/// Runs a block's statements until one leaves it.
pub(super) fn block<'s, 'm: 's>(
    strand: &'s mut Strand<'m>,
    frame: &'s mut [Value],
    block: &'m Block,
) -> BoxFuture<'s, Flowing> {
    Box::pin(statements(strand, frame, block))
}

/// As [`block`], for whoever keeps its future in a place of its own.
pub(super) fn statements<'s, 'm: 's>(
    strand: &'s mut Strand<'m>,
    frame: &'s mut [Value],
    block: &'m Block,
) -> impl Future<Output = Flowing> {
    let stmts = &block.stmts;
    async move {
        for stmt in stmts {
            let exit = match stmt {
                // The common ones first, without a future of their own.
                Stmt::Step(it) => perform(strand, frame, it).await?.keep(frame, it),
                Stmt::Block(it) => statement(strand, frame, it).await?,
                Stmt::If(it) => match chosen(strand, frame, it)? {
                    Some(taken) => self::block(strand, frame, taken).await?,
                    None => Exit::Next,
                },
                Stmt::Match(it) => match matched(strand, frame, it)? {
                    Some(taken) => self::block(strand, frame, taken).await?,
                    None => Exit::Next,
                },
                Stmt::Emit(value) => emit(strand, frame, value).await?,
                Stmt::Try(it) => guard::try_statement(strand, frame, it).await?,
                pure => plain(strand, frame, pure)?,
            };
            if !matches!(exit, Exit::Next) {
                return Ok(exit);
            }
        }
        Ok(Exit::Next)
    }
}

/// A statement that takes no time.
fn plain<'m>(strand: &mut Strand<'m>, frame: &mut [Value], stmt: &'m Stmt) -> Flowing {
    match stmt {
        Stmt::Assign { slot, value } => {
            let value = strand.eval(frame, value)?;
            set(frame, *slot, value);
        }
        Stmt::Yield(value) => return Ok(Exit::Yield(strand.eval(frame, value)?)),
        Stmt::Return(value) => return Ok(Exit::Return(strand.eval(frame, value)?)),
        Stmt::Fail { message, details, span } => {
            let message = strand.eval(frame, message)?.as_str().unwrap_or_default().to_owned();
            let details = details.as_ref().map(|details| strand.eval(frame, details)).transpose()?;
            let error = RunError {
                step: strand.here(),
                attempts: 1,
                details: details.unwrap_or(Value::Null),
                span: Some(*span),
                ..RunError::new(ErrorKind::Failed, message)
            };
            return Err(Stop::Failed(Failure::of(error)));
        }
        Stmt::Refail { error, span } => {
            let error = strand.eval(frame, error)?;
            let error = RunError { span: Some(*span), ..RunError::from_value(&error) };
            return Err(Stop::Failed(Failure::of(error)));
        }
        Stmt::Break => return Ok(Exit::Break),
        Stmt::Continue => return Ok(Exit::Continue),
        Stmt::Mock(mock) => {
            if let Some(bench) = strand.machine.bench {
                bench.declare(strand, frame, mock)?;
            }
        }
        Stmt::Assert(assert) => {
            if let Some(bench) = strand.machine.bench {
                bench.check(strand, frame, assert)?;
            }
        }
        Stmt::Step(_) | Stmt::Block(_) | Stmt::If(_) | Stmt::Match(_) | Stmt::Emit(_) | Stmt::Try(_) => {}
    }
    Ok(Exit::Next)
}

/// A block form as a statement: it has a path and no events, and what it would give is dropped.
async fn statement<'m>(strand: &mut Strand<'m>, frame: &mut [Value], stmt: &'m BlockStmt) -> Flowing {
    strand.may_begin()?;
    let prepared = Prepared::of(strand, frame, &stmt.action)?;
    let path = strand.path_of(&stmt.segment);
    match forms::form(strand, frame, &stmt.action, prepared, &path).await? {
        Exit::Yield(_) => Ok(Exit::Next),
        exit => Ok(exit),
    }
}

/// The block of the first condition that holds.
pub(super) fn chosen<'m>(
    strand: &Strand<'m>,
    frame: &mut [Value],
    it: &'m If,
) -> Result<Option<&'m Block>, Box<Failure>> {
    for (condition, then) in &it.branches {
        if strand.holds(frame, condition)? {
            return Ok(Some(then));
        }
    }
    Ok(it.otherwise.as_ref())
}

/// The block of the first arm that matches.
pub(super) fn matched<'m>(
    strand: &Strand<'m>,
    frame: &mut [Value],
    it: &'m Match,
) -> Result<Option<&'m Block>, Box<Failure>> {
    let value = strand.eval(frame, &it.value)?;
    for arm in &it.arms {
        if arm.patterns.iter().any(|pattern| strand.fits(frame, pattern, &value))
            && arm.guard.as_ref().map_or(Ok(true), |guard| strand.holds(frame, guard))?
        {
            return Ok(Some(&arm.body));
        }
    }
    Ok(None)
}

fn emit<'s>(
    strand: &'s mut Strand<'_>,
    frame: &'s mut [Value],
    value: &'s crate::program::Expr,
) -> BoxFuture<'s, Flowing> {
    Box::pin(async move {
        strand.may_begin()?;
        let value = strand.eval(frame, value)?;
        strand.emits += 1;
        let path: Text = smol_str::format_smolstr!("{}emit@{}", strand.path, strand.emits);
        if strand.machine.live().is_err() {
            resumed::reach(strand, &path).await?;
        }
        strand.machine.push(EventKind::Emitted { path, value });
        Ok(Exit::Next)
    })
}
