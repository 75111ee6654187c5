//! The rows of programs, events and steps.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::program::Program;
use crate::run::event::Event;
use crate::store::head::{Begun, Changes, Step};
use crate::store::text::{instant, json};

/// Keeps a program, where it is not there.
pub(super) fn ensure_program(db: &Connection, program: &Program) -> rusqlite::Result<()> {
    let hash = program.hash().as_str();
    if !db.prepare_cached("SELECT 1 FROM programs WHERE hash = ?")?.exists([hash])? {
        let source = program.sources.first();
        let (name, text) = source.map(|source| (&*source.name, &*source.text)).unwrap_or_default();
        db.execute(
            "INSERT INTO programs (hash, name, source, program) VALUES (?, ?, ?, ?)",
            params![hash, name, text, json(program)],
        )?;
    }
    Ok(())
}

/// Adds to the journal.
pub(super) fn insert_events(db: &Connection, run: i64, events: &[Arc<Event>]) -> rusqlite::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut insert =
        db.prepare_cached("INSERT INTO workflow_events (workflow_run_id, number, event, data) VALUES (?, ?, ?, ?)")?;
    for event in events {
        insert.execute(params![run, event.number as i64, event.kind.name(), json(&**event)])?;
    }
    Ok(())
}

/// Brings the rows of steps up to date.
pub(super) fn write_steps(db: &Connection, run: i64, changes: &Changes) -> rusqlite::Result<()> {
    for (path, step) in &changes.steps {
        match &step.begun {
            Some(begun) => insert_step(db, run, path, begun, step)?,
            None => update_step(db, run, path, step)?,
        }
    }
    if let Some(at) = changes.swept {
        sweep(db, run, at)?;
    }
    Ok(())
}

fn insert_step(db: &Connection, run: i64, path: &str, begun: &Begun, step: &Step) -> rusqlite::Result<()> {
    // A step whose start is told twice keeps its number and its start.
    db.prepare_cached(
        "INSERT INTO workflow_steps (workflow_run_id, path, step_number, step_name, title, tool_name, tool_args_hash,
             status, attempt, error_kind, error_message, started_at, completed_at, duration_ms, input_tokens,
             output_tokens, usd, result)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET status = excluded.status, attempt = excluded.attempt,
             error_kind = excluded.error_kind, error_message = excluded.error_message,
             completed_at = excluded.completed_at, duration_ms = excluded.duration_ms,
             input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens, usd = excluded.usd,
             result = excluded.result",
    )?
    .execute(params![
        run,
        path,
        begun.number as i64,
        begun.name.as_str(),
        begun.title.as_deref(),
        begun.action.as_deref(),
        begun.args_hash.as_deref(),
        step.status,
        step.attempt.unwrap_or(1),
        step.error.as_ref().map(|error| error.kind.name()),
        step.error.as_ref().map(|error| error.message.as_str()),
        instant(begun.at),
        step.ended.map(instant),
        step.duration_ms.map(|millis| millis as i64),
        step.usage.input_tokens as i64,
        step.usage.output_tokens as i64,
        step.usage.usd,
        step.result,
    ])?;
    Ok(())
}

fn update_step(db: &Connection, run: i64, path: &str, step: &Step) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE workflow_steps SET status = ?, attempt = coalesce(?, attempt), error_kind = ?, error_message = ?,
             completed_at = ?, duration_ms = ?, input_tokens = ?, output_tokens = ?, usd = ?, result = ?
         WHERE workflow_run_id = ? AND path = ?",
    )?
    .execute(params![
        step.status,
        step.attempt,
        step.error.as_ref().map(|error| error.kind.name()),
        step.error.as_ref().map(|error| error.message.as_str()),
        step.ended.map(instant),
        step.duration_ms.map(|millis| millis as i64),
        step.usage.input_tokens as i64,
        step.usage.output_tokens as i64,
        step.usage.usd,
        step.result,
        run,
        path,
    ])?;
    Ok(())
}

/// The run ended: a step that has not was cut off with it.
fn sweep(db: &Connection, run: i64, at: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE workflow_steps SET status = 'cancelled', completed_at = ?
         WHERE workflow_run_id = ? AND status IN ('running', 'retrying')",
    )?
    .execute(params![instant(at), run])?;
    Ok(())
}
