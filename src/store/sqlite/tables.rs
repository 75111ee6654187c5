//! The rows of programs, events and steps.

use std::collections::hash_map::Entry;
use std::sync::LazyLock;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, ToSql, params};
use rustc_hash::FxHashMap;

use crate::program::Program;
use crate::store::head::{Begun, Changes, Step};
use crate::store::queue::Line;
use crate::store::text::{instant, json};

/// The statements of a transaction: each is looked up once, however many runs there are; and its events, which many runs write
/// with one statement.
pub(super) struct Statements<'db> {
    pub(super) connection: &'db Connection,
    held: FxHashMap<*const str, CachedStatement<'db>>,
    /// With their runs' keys. They are let go together at the end: while some are written others are appended, which would
    /// wait for the allocator.
    lines: Vec<(i64, Line)>,
    /// How many of them are written.
    written: usize,
}

impl<'db> Statements<'db> {
    pub(super) fn new(connection: &'db Connection) -> Self {
        Self { connection, held: FxHashMap::default(), lines: Vec::new(), written: 0 }
    }

    /// The statement of a text, which is known by where it stands.
    pub(super) fn get(&mut self, sql: &'static str) -> rusqlite::Result<&mut CachedStatement<'db>> {
        Ok(match self.held.entry(sql) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(place) => place.insert(self.connection.prepare_cached(sql)?),
        })
    }
}

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

/// How many events a statement writes: to begin one and to end it is much of what it costs. There are many of many runs, and
/// two of a run alone: a step ends, and the next begins.
const BLOCKS: [usize; 3] = [16, 2, 1];

static INSERT_EVENTS: LazyLock<[String; 3]> = LazyLock::new(|| {
    BLOCKS.map(|rows| {
        let rows = vec!["(?, ?, ?, ?)"; rows].join(", ");
        format!("INSERT INTO workflow_events (workflow_run_id, number, event, data) VALUES {rows}")
    })
});

/// Adds to the journal; what is less than a block with [`finish_events`].
pub(super) fn insert_events(db: &mut Statements<'_>, run: i64, lines: Vec<Line>) -> rusqlite::Result<()> {
    for line in lines {
        db.lines.push((run, line));
        write_blocks(db, 1)?;
    }
    Ok(())
}

/// Adds what is left to the journal.
pub(super) fn finish_events(db: &mut Statements<'_>) -> rusqlite::Result<()> {
    write_blocks(db, BLOCKS.len())
}

/// Adds what fills the first so many kinds of blocks.
fn write_blocks(db: &mut Statements<'_>, kinds: usize) -> rusqlite::Result<()> {
    for (count, insert) in BLOCKS.into_iter().zip(&*INSERT_EVENTS).take(kinds) {
        while db.lines.len() - db.written >= count {
            write_block(db, count, insert)?;
        }
    }
    Ok(())
}

fn write_block(db: &mut Statements<'_>, count: usize, insert: &'static str) -> rusqlite::Result<()> {
    let lines = std::mem::take(&mut db.lines);
    let from = db.written;
    let insert = db.get(insert)?;
    let mut place = 0;
    let mut bind = |value: &dyn ToSql| {
        place += 1;
        insert.raw_bind_parameter(place, value)
    };
    for (run, Line { event, json }) in lines.iter().skip(from).take(count) {
        bind(run)?;
        bind(&(event.number as i64))?;
        bind(&event.kind.name())?;
        bind(json)?;
    }
    insert.raw_execute()?;
    (db.lines, db.written) = (lines, from + count);
    Ok(())
}

/// Brings the rows of steps up to date.
pub(super) fn write_steps(db: &mut Statements<'_>, run: i64, changes: &Changes) -> rusqlite::Result<()> {
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

fn insert_step(db: &mut Statements<'_>, run: i64, path: &str, begun: &Begun, step: &Step) -> rusqlite::Result<()> {
    // A step whose start is told twice keeps its number and its start.
    db.get(
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

fn update_step(db: &mut Statements<'_>, run: i64, path: &str, step: &Step) -> rusqlite::Result<()> {
    db.get(
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
fn sweep(db: &mut Statements<'_>, run: i64, at: Timestamp) -> rusqlite::Result<()> {
    db.get(
        "UPDATE workflow_steps SET status = 'cancelled', completed_at = ?
         WHERE workflow_run_id = ? AND status IN ('running', 'retrying')",
    )?
    .execute(params![instant(at), run])?;
    Ok(())
}
