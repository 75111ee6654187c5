//! Whose runs are whose, and what is said to them. All of it runs in the writer's transactions, so that one process sees
//! what another has done.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use crate::program::Program;
use crate::run::journal::{Filter, JournalError, Lease, MOST_RECOVERIES, Message, Note, RunStatus, RunSummary};
use crate::store::filter;
use crate::store::owner::Owner;
use crate::store::sqlite::read::Bound;
use crate::store::sqlite::tables::ensure_program;
use crate::store::sqlite::writer::Writer;
use crate::store::sqlite::{Trouble, message};
use crate::store::text::{instant, json, status_of};
use crate::types::Text;

/// How many runs, and about how many events, are forgotten in one transaction.
const PRUNED_RUNS: i64 = 200;
const PRUNED_EVENTS: i64 = 5_000;

/// See [`RunStore::take`](crate::run::RunStore::take).
pub(super) fn take(writer: &mut Writer, db: &Connection, run: &Text) -> Result<Lease, Trouble> {
    let found = db
        .prepare_cached("SELECT id, status, owner, epoch FROM workflow_runs WHERE run_id = ?")?
        .query_row([run.as_str()], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?, row.get::<_, i64>(3)?))
        })
        .optional()?;
    let Some((key, status, owner, epoch)) = found else {
        return Err(Trouble::Refused(JournalError::Unknown(run.clone())));
    };
    if status_of(&status)?.ended() {
        return Err(Trouble::Refused(JournalError::Ended(run.clone())));
    }
    if let Some(owner) = owner
        && !(owner == writer.me.id && writer.stopped(run))
        && living(writer, db)?.contains(&owner)
    {
        return Err(Trouble::Refused(JournalError::Held(run.clone())));
    }
    seize(writer, db, Ready { key, run: run.clone(), epoch, recoveries: 0 })
}

/// See [`RunStore::claim`](crate::run::RunStore::claim).
pub(super) fn claim(writer: &mut Writer, db: &Connection, most: usize, now: Timestamp) -> Result<Vec<Lease>, Trouble> {
    let mut left = i64::try_from(most).unwrap_or(i64::MAX);
    let mut leases = Vec::new();
    for owner in dead(writer, db)? {
        let left_by = "SELECT id, run_id, epoch, recoveries + 1 FROM workflow_runs
                       WHERE status = 'running' AND owner IS ? ORDER BY id LIMIT ?";
        let found = ready(db, left_by, params![owner, left])?;
        if (found.len() as i64) < left
            && let Some(owner) = owner
        {
            // Nothing more of it is left.
            db.execute("DELETE FROM owners WHERE id = ?", [owner])?;
            writer.watch.forget(owner);
        }
        left -= found.len() as i64;
        leases.extend(seize_or_park(writer, db, found)?);
    }
    // What this owner could not write stopped here too; that is the database's fault and not the run's.
    let broken = writer.halted.iter().filter(|(_, (_, why))| matches!(why, JournalError::Broken(_)));
    let halted: Vec<Text> = broken.map(|(run, _)| run.clone()).filter(|run| writer.stopped(run)).collect();
    for run in halted {
        if left <= 0 {
            break;
        }
        let mine = "SELECT id, run_id, epoch, recoveries FROM workflow_runs
                    WHERE run_id = ? AND status = 'running' AND owner = ? LIMIT ?";
        let found = ready(db, mine, params![run.as_str(), writer.me.id, left])?;
        if found.is_empty() {
            // Nothing of it is there, or it went on elsewhere: its old lease is lost anyway.
            writer.halted.remove(&run);
        }
        left -= found.len() as i64;
        leases.extend(seize_or_park(writer, db, found)?);
    }
    let due = "SELECT id, run_id, epoch, recoveries FROM workflow_runs
               WHERE status = 'waiting' AND wakes_at <= ? ORDER BY wakes_at LIMIT ?";
    let found = ready(db, due, params![instant(now), left])?;
    left -= found.len() as i64;
    for run in found {
        leases.push(seize(writer, db, run)?);
    }
    let called = "SELECT id, run_id, epoch, recoveries FROM workflow_runs
                  WHERE status = 'waiting' AND message_left > message_read ORDER BY message_left LIMIT ?";
    for run in ready(db, called, params![left])? {
        leases.push(seize(writer, db, run)?);
    }
    Ok(leases)
}

/// A run that can go on.
struct Ready {
    key: i64,
    run: Text,
    epoch: i64,
    recoveries: i64,
}

fn ready(db: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<Ready>> {
    let run = |row: &rusqlite::Row<'_>| {
        let run = row.get::<_, String>(1)?.into();
        Ok(Ready { key: row.get(0)?, run, epoch: row.get(2)?, recoveries: row.get(3)? })
    };
    db.prepare_cached(sql)?.query_map(params, run)?.collect()
}

fn seize_or_park(writer: &mut Writer, db: &Connection, found: Vec<Ready>) -> Result<Vec<Lease>, Trouble> {
    let mut leases = Vec::new();
    for run in found {
        if run.recoveries > i64::from(MOST_RECOVERIES) {
            park(writer, db, &run)?;
        } else {
            leases.push(seize(writer, db, run)?);
        }
    }
    Ok(leases)
}

fn seize(writer: &mut Writer, db: &Connection, run: Ready) -> Result<Lease, Trouble> {
    writer.register(db)?;
    writer.heads.remove(&run.run);
    writer.seized.push(Lease { run: run.run.clone(), epoch: run.epoch as u64 + 1 });
    db.prepare_cached(
        "UPDATE workflow_runs SET status = 'running', owner = ?, epoch = ?, recoveries = ? WHERE id = ?",
    )?
    .execute(params![writer.me.id, run.epoch + 1, run.recoveries, run.key])?;
    Ok(Lease { run: run.run, epoch: run.epoch as u64 + 1 })
}

fn park(writer: &mut Writer, db: &Connection, run: &Ready) -> rusqlite::Result<()> {
    let error = RunSummary::too_many_recoveries();
    writer.seized.push(Lease { run: run.run.clone(), epoch: run.epoch as u64 });
    db.prepare_cached(
        "UPDATE workflow_runs SET status = ?, owner = NULL, recoveries = ?, error_kind = ?, error_message = ?, error = ?
         WHERE id = ?",
    )?
    .execute(params![
        RunStatus::Parked.name(),
        run.recoveries,
        error.kind.name(),
        error.message,
        json(&error),
        run.key
    ])?;
    Ok(())
}

/// The owners that are alive, this one among them.
pub(super) fn living(writer: &mut Writer, db: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut find = db.prepare_cached("SELECT id, host, boot, pid, pid_started, beats FROM owners")?;
    let owners = find.query_map([], |row| {
        let [pid, pid_started] = [row.get(3)?, row.get(4)?];
        Ok((Owner { id: row.get(0)?, host: row.get(1)?, boot: row.get(2)?, pid, pid_started }, row.get(5)?))
    })?;
    let mut living = vec![writer.me.id];
    for owner in owners {
        let (owner, beats) = owner?;
        if owner.id != writer.me.id && writer.watch.alive(&writer.me, &owner, beats) {
            living.push(owner.id);
        }
    }
    Ok(living)
}

/// The owners of running runs that are not alive. There are many running runs and few owners: the index is walked from
/// one owner to the next.
fn dead(writer: &mut Writer, db: &Connection) -> rusqlite::Result<Vec<Option<i64>>> {
    let living = living(writer, db)?;
    let mut dead: Vec<Option<i64>> = Vec::new();
    let ownerless = "SELECT 1 FROM workflow_runs WHERE status = 'running' AND owner IS NULL";
    if db.prepare_cached(ownerless)?.exists([])? {
        dead.push(None);
    }
    let mut next = db.prepare_cached("SELECT min(owner) FROM workflow_runs WHERE status = 'running' AND owner > ?")?;
    let mut last = -1;
    while let Some(owner) = next.query_row([last], |row| row.get::<_, Option<i64>>(0))? {
        if !living.contains(&owner) {
            dead.push(Some(owner));
        }
        last = owner;
    }
    Ok(dead)
}

/// See [`RunStore::beat`](crate::run::RunStore::beat): the messages after the last that was given out, and the number of
/// the last there is.
pub(super) fn beat(writer: &mut Writer, db: &Connection, read: u64) -> Result<(Vec<Message>, u64), Trouble> {
    // It may have been taken for dead, and its row away.
    writer.registered();
    let me = &writer.me;
    db.prepare_cached(
        "INSERT INTO owners (id, host, boot, pid, pid_started, beats) VALUES (?, ?, ?, ?, ?, 1)
         ON CONFLICT DO UPDATE SET beats = beats + 1",
    )?
    .execute(params![me.id, me.host, me.boot, me.pid, me.pid_started])?;
    let last: i64 =
        db.prepare_cached("SELECT coalesce(max(number), 0) FROM workflow_messages")?.query_row([], |row| row.get(0))?;
    let mut find = db.prepare_cached(
        "SELECT m.number, r.run_id, m.note FROM workflow_messages AS m JOIN workflow_runs AS r ON r.id = m.workflow_run_id
         WHERE m.number > ? AND r.owner = ? ORDER BY m.number",
    )?;
    let mut rows = find.query(params![read as i64, me.id])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(message(row)?);
    }
    Ok((messages, (last as u64).max(read)))
}

/// See [`RunStore::send`](crate::run::RunStore::send).
pub(super) fn send(db: &Connection, run: &Text, note: &Note, now: Timestamp) -> Result<u64, Trouble> {
    let found = db
        .prepare_cached("SELECT id, status FROM workflow_runs WHERE run_id = ?")?
        .query_row([run.as_str()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let Some((key, status)) = found else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    if status_of(&status)?.ended() {
        return Err(Trouble::Refused(JournalError::Ended(run.clone())));
    }
    db.prepare_cached("INSERT INTO workflow_messages (workflow_run_id, note, sent_at) VALUES (?, ?, ?)")?
        .execute(params![key, json(note), instant(now)])?;
    let number = db.last_insert_rowid();
    db.prepare_cached("UPDATE workflow_runs SET message_left = ? WHERE id = ?")?.execute([number, key])?;
    Ok(number as u64)
}

/// See [`RunStore::migrate`](crate::run::RunStore::migrate).
pub(super) fn migrate(writer: &mut Writer, db: &Connection, lease: &Lease, program: &Program) -> Result<(), Trouble> {
    ensure_program(db, program)?;
    let changed = db
        .prepare_cached("UPDATE workflow_runs SET program_hash = ? WHERE run_id = ? AND owner = ? AND epoch = ?")?
        .execute(params![program.hash().as_str(), lease.run.as_str(), writer.me.id, lease.epoch as i64])?;
    if changed == 0 {
        return Err(Trouble::Refused(JournalError::Lost(lease.run.clone())));
    }
    writer.heads.remove(&lease.run);
    Ok(())
}

/// Forgets some runs that have ended. Gives how many; none when there are no more.
pub(super) fn prune(db: &Connection, filter: &Filter) -> Result<u64, Trouble> {
    let Some(sql) = filter::prunable(filter, PRUNED_RUNS) else { return Ok(0) };
    let mut find = db.prepare_cached(&sql.text)?;
    let mut rows = find.query(params_from_iter(sql.params.iter().map(Bound)))?;
    let (mut runs, mut events) = (Vec::new(), 0);
    while let Some(row) = rows.next()?
        && events < PRUNED_EVENTS
    {
        runs.push(row.get::<_, i64>(0)?);
        events += row.get::<_, i64>(1)?;
    }
    // Its steps, events and messages go with it.
    let mut delete = db.prepare_cached("DELETE FROM workflow_runs WHERE id = ?")?;
    for run in &runs {
        delete.execute([run])?;
    }
    Ok(runs.len() as u64)
}

/// Forgets the programs that no run has.
pub(super) fn prune_programs(db: &Connection) -> Result<(), Trouble> {
    db.execute(
        "DELETE FROM programs WHERE NOT EXISTS (SELECT 1 FROM workflow_runs WHERE program_hash = programs.hash)",
        [],
    )?;
    Ok(())
}
