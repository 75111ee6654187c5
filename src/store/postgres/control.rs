//! Whose runs are whose, and what is said to them: each in a transaction that holds the rows it looks at.

use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};

use crate::program::Program;
use crate::run::journal::{Filter, JournalError, Lease, MOST_RECOVERIES, Message, Note, RunStatus, RunSummary};
use crate::store::filter;
use crate::store::owner::{Owner, Watch};
use crate::store::postgres::link::{MESSAGES, Trouble, broken};
use crate::store::postgres::read;
use crate::store::postgres::rows::{bound, clean};
use crate::store::postgres::writer::{Halted, Writer, ensure_program};
use crate::store::text::{json, status_of, whole};
use crate::types::Text;

/// How many runs, and about how many events, are forgotten in one transaction.
const PRUNED_RUNS: i64 = 200;
const PRUNED_EVENTS: i64 = 5_000;

/// See [`RunStore::take`](crate::run::RunStore::take).
pub(super) async fn take(writer: &mut Writer, run: &Text) -> Result<Lease, Trouble> {
    writer.register().await?;
    let (me, halted) = (writer.me.clone(), writer.halted.contains_key(run));
    let (session, watch, unanswered) = writer.session_and_state().await?;
    let change = session.client.transaction().await?;
    let sql = "SELECT id, run_id, status, owner, epoch FROM workflow_runs WHERE run_id = $1 FOR UPDATE";
    let found = change.query_opt(sql, &[&clean(run)]).await?;
    let Some(found) = found else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    if status_of(found.get("status"))?.ended() {
        return Err(Trouble::Refused(JournalError::Ended(run.clone())));
    }
    if let Some(owner) = found.get::<_, Option<i64>>("owner")
        && !(owner == me.id && halted)
        && living(&change, &me, watch).await?.contains(&owner)
    {
        return Err(Trouble::Refused(JournalError::Held(run.clone())));
    }
    let ready = Ready { key: found.get("id"), run: run.clone(), epoch: found.get("epoch"), recoveries: 0 };
    let lease = seize(&change, &me, ready).await?;
    until_answered(unanswered, [&lease]);
    change.commit().await?;
    writer.heads.remove(run);
    writer.halted.remove(run);
    Ok(lease)
}

/// See [`RunStore::claim`](crate::run::RunStore::claim).
pub(super) async fn claim(writer: &mut Writer, most: usize, now: Timestamp) -> Result<Vec<Lease>, Trouble> {
    writer.register().await?;
    let me = writer.me.clone();
    let broken = writer.halted.iter().filter(|(_, (_, why))| matches!(why, JournalError::Broken(_)));
    let halted: Vec<String> = broken.map(|(run, _)| clean(run)).collect();
    let (session, watch, unanswered) = writer.session_and_state().await?;
    let change = session.client.transaction().await?;
    let (mut left, mut leases) = (i64::try_from(most).unwrap_or(i64::MAX), Vec::new());
    for owner in dead(&change, &me, watch).await? {
        let left_by = "SELECT id, run_id, epoch, recoveries + 1 FROM workflow_runs
                       WHERE status = 'running' AND owner = $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED";
        let found = ready(&change, left_by, &[&owner, &left]).await?;
        left -= found.len() as i64;
        leases.extend(seize_or_park(&change, &me, found).await?);
        let gone = "DELETE FROM owners WHERE id = $1
                    AND NOT EXISTS (SELECT 1 FROM workflow_runs WHERE status = 'running' AND owner = $1)";
        if change.execute(gone, &[&owner]).await? > 0 {
            watch.forget(owner);
        }
    }
    // What this owner could not write stopped here too; that is the database's fault and not the run's.
    let mine = "SELECT id, run_id, epoch, recoveries FROM workflow_runs
                WHERE run_id = ANY($1) AND status = 'running' AND owner = $2 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED";
    let found = ready(&change, mine, &[&halted, &me.id, &left]).await?;
    // Others went on elsewhere: their old leases are lost anyway. One that is not there may still come: a transaction that
    // gave no answer can be under way.
    let elsewhere = "SELECT run_id FROM workflow_runs
                     WHERE run_id = ANY($1) AND (status <> 'running' OR owner IS DISTINCT FROM $2)";
    for row in change.query(elsewhere, &[&halted, &me.id]).await? {
        unanswered.remove(row.get::<_, &str>(0));
    }
    left -= found.len() as i64;
    leases.extend(seize_or_park(&change, &me, found).await?);
    let due = "SELECT id, run_id, epoch, recoveries FROM workflow_runs
               WHERE status = 'waiting' AND wakes_at <= $1 ORDER BY wakes_at LIMIT $2 FOR UPDATE SKIP LOCKED";
    let found = ready(&change, due, &[&whole(now), &left]).await?;
    left -= found.len() as i64;
    for run in found {
        leases.push(seize(&change, &me, run).await?);
    }
    let called = "SELECT id, run_id, epoch, recoveries FROM workflow_runs
                  WHERE status = 'waiting' AND message_left > message_read
                  ORDER BY message_left LIMIT $1 FOR UPDATE SKIP LOCKED";
    for run in ready(&change, called, &[&left]).await? {
        leases.push(seize(&change, &me, run).await?);
    }
    until_answered(unanswered, &leases);
    change.commit().await?;
    for lease in &leases {
        writer.heads.remove(&lease.run);
        writer.halted.remove(&lease.run);
    }
    Ok(leases)
}

/// Remembers what was seized until it is known to have been: where the answer is lost, nobody has these leases, and the
/// runs can be taken or claimed again.
fn until_answered<'a>(halted: &mut Halted, leases: impl IntoIterator<Item = &'a Lease>) {
    for lease in leases {
        let unanswered = || (lease.epoch, broken("it gave no answer"));
        halted.entry(lease.run.clone()).or_insert_with(unanswered);
    }
}

/// A run that can go on.
struct Ready {
    key: i64,
    run: Text,
    epoch: i64,
    recoveries: i64,
}

async fn ready(change: &Transaction<'_>, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Ready>, Trouble> {
    let run = |row: &Row| {
        let run = Text::new(row.get::<_, &str>(1));
        Ready { key: row.get(0), run, epoch: row.get(2), recoveries: row.get(3) }
    };
    Ok(change.query(sql, params).await?.iter().map(run).collect())
}

async fn seize_or_park(change: &Transaction<'_>, me: &Owner, found: Vec<Ready>) -> Result<Vec<Lease>, Trouble> {
    let mut leases = Vec::new();
    for run in found {
        if run.recoveries > i64::from(MOST_RECOVERIES) {
            park(change, &run).await?;
        } else {
            leases.push(seize(change, me, run).await?);
        }
    }
    Ok(leases)
}

async fn seize(change: &Transaction<'_>, me: &Owner, run: Ready) -> Result<Lease, Trouble> {
    let sql = "UPDATE workflow_runs SET status = 'running', owner = $1, epoch = $2, recoveries = $3 WHERE id = $4";
    change.execute(sql, &[&me.id, &(run.epoch + 1), &run.recoveries, &run.key]).await?;
    Ok(Lease { run: run.run, epoch: run.epoch as u64 + 1 })
}

async fn park(change: &Transaction<'_>, run: &Ready) -> Result<(), Trouble> {
    let error = RunSummary::too_many_recoveries();
    let sql =
        "UPDATE workflow_runs SET status = $1, owner = NULL, recoveries = $2, error_kind = $3, error_message = $4,
                   error = $5 WHERE id = $6";
    let status = RunStatus::Parked.name();
    change
        .execute(sql, &[&status, &run.recoveries, &error.kind.name(), &error.message, &json(&error), &run.key])
        .await?;
    Ok(())
}

/// The owners that are alive, this one among them.
async fn living(change: &Transaction<'_>, me: &Owner, watch: &mut Watch) -> Result<Vec<i64>, Trouble> {
    let mut living = vec![me.id];
    for row in change.query("SELECT id, host, boot, pid, pid_started, beats FROM owners", &[]).await? {
        let [pid, pid_started, beats] = [row.get(3), row.get(4), row.get(5)];
        let owner = Owner { id: row.get(0), host: row.get(1), boot: row.get(2), pid, pid_started };
        if owner.id != me.id && watch.alive(me, &owner, beats) {
            living.push(owner.id);
        }
    }
    Ok(living)
}

/// The owners of running runs that are not alive. There are many running runs and few owners: the index is walked from
/// one owner to the next.
async fn dead(change: &Transaction<'_>, me: &Owner, watch: &mut Watch) -> Result<Vec<i64>, Trouble> {
    let living = living(change, me, watch).await?;
    let sql = "WITH RECURSIVE owning (owner) AS (
                   SELECT min(owner) FROM workflow_runs WHERE status = 'running'
                   UNION ALL
                   SELECT (SELECT min(r.owner) FROM workflow_runs AS r WHERE r.status = 'running' AND r.owner > owning.owner)
                   FROM owning WHERE owning.owner IS NOT NULL
               )
               SELECT owner FROM owning WHERE owner IS NOT NULL";
    let owners = change.query(sql, &[]).await?;
    Ok(owners.iter().map(|row| row.get(0)).filter(|owner| !living.contains(owner)).collect())
}

/// See [`RunStore::beat`](crate::run::RunStore::beat): the messages after the last that was given out, and the number of
/// the last there is.
pub(super) async fn beat(writer: &mut Writer, read: u64) -> Result<(Vec<Message>, u64), Trouble> {
    let me = writer.me.clone();
    let client = &mut writer.session().await?.client;
    // It may have been taken for dead, and its row away.
    let sql = "INSERT INTO owners (id, host, boot, pid, pid_started, beats) VALUES ($1, $2, $3, $4, $5, 1)
               ON CONFLICT (id) DO UPDATE SET beats = owners.beats + 1";
    client.execute(sql, &[&me.id, &me.host, &me.boot, &me.pid, &me.pid_started]).await?;
    writer.registered();
    let client = &writer.session().await?.client;
    let sql = "SELECT m.number, r.run_id, m.note, coalesce(r.owner = $2, false)
               FROM workflow_messages AS m JOIN workflow_runs AS r ON r.id = m.workflow_run_id
               WHERE m.number > $1 ORDER BY m.number";
    let found = client.query(sql, &[&(read as i64), &me.id]).await?;
    let last = found.last().map_or(read, |row| row.get::<_, i64>(0) as u64);
    let mine = found.iter().filter(|row| row.get(3)).map(read::message);
    Ok((mine.collect::<Result<_, _>>()?, last))
}

/// See [`RunStore::send`](crate::run::RunStore::send).
pub(super) async fn send(writer: &mut Writer, run: &Text, note: &Note, now: Timestamp) -> Result<u64, Trouble> {
    let change = writer.session().await?.client.transaction().await?;
    // Their numbers are seen in order: one that is seen has none before it that is still to come.
    change.execute("SELECT pg_advisory_xact_lock($1)", &[&MESSAGES]).await?;
    let sql = "SELECT id, status FROM workflow_runs WHERE run_id = $1 FOR UPDATE";
    let found = change.query_opt(sql, &[&clean(run)]).await?;
    let Some(found) = found else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    if status_of(found.get("status"))?.ended() {
        return Err(Trouble::Refused(JournalError::Ended(run.clone())));
    }
    let key: i64 = found.get("id");
    let sql = "INSERT INTO workflow_messages (workflow_run_id, note, sent_at) VALUES ($1, $2, $3) RETURNING number";
    let number: i64 = change.query_one(sql, &[&key, &json(note), &whole(now)]).await?.get(0);
    change.execute("UPDATE workflow_runs SET message_left = $1 WHERE id = $2", &[&number, &key]).await?;
    change.commit().await?;
    Ok(number as u64)
}

/// See [`RunStore::migrate`](crate::run::RunStore::migrate).
pub(super) async fn migrate(writer: &mut Writer, lease: &Lease, program: &Program) -> Result<(), Trouble> {
    let me = writer.me.id;
    let client = &mut writer.session().await?.client;
    ensure_program(client, program).await?;
    let sql = "UPDATE workflow_runs SET program_hash = $1 WHERE run_id = $2 AND owner = $3 AND epoch = $4";
    let (hash, epoch) = (program.hash().as_str(), lease.epoch as i64);
    if client.execute(sql, &[&hash, &clean(&lease.run), &me, &epoch]).await? == 0 {
        return Err(Trouble::Refused(JournalError::Lost(lease.run.clone())));
    }
    writer.heads.remove(&lease.run);
    Ok(())
}

/// Forgets some runs that have ended. Gives how many; none when there are no more.
pub(super) async fn prune(writer: &mut Writer, filter: &Filter) -> Result<u64, Trouble> {
    let Some(sql) = filter::prunable(filter, PRUNED_RUNS) else { return Ok(0) };
    let client = &writer.session().await?.client;
    let params: Vec<_> = sql.params.iter().map(bound).collect();
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect();
    let (mut runs, mut events) = (Vec::<i64>::new(), 0);
    for row in client.query(&sql.text, &params).await? {
        if events < PRUNED_EVENTS {
            runs.push(row.get(0));
            events += row.get::<_, i64>(1);
        }
    }
    // Its steps, events and messages go with it.
    Ok(client.execute("DELETE FROM workflow_runs WHERE id = ANY($1)", &[&runs]).await?)
}

/// Forgets the programs that no run has.
pub(super) async fn prune_programs(writer: &mut Writer) -> Result<(), Trouble> {
    let session = writer.session().await?;
    session.forget_programs();
    let change = session.client.transaction().await?;
    // A run that begins with one holds its row: it is left alone, or seen by the second look.
    let unused = "SELECT hash FROM programs WHERE NOT EXISTS (
                      SELECT 1 FROM workflow_runs WHERE program_hash = programs.hash) FOR UPDATE SKIP LOCKED";
    let unused: Vec<String> = change.query(unused, &[]).await?.iter().map(|row| row.get(0)).collect();
    let sql = "DELETE FROM programs WHERE hash = ANY($1)
               AND NOT EXISTS (SELECT 1 FROM workflow_runs WHERE program_hash = programs.hash)";
    change.execute(sql, &[&unused]).await?;
    Ok(change.commit().await?)
}
