//! What is read, on threads and connections of its own: neither a writer nor whoever runs a flow waits for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use tokio::sync::oneshot;

use crate::run::event::Event;
use crate::run::journal::{Filter, FlowStats, JournalError, Kept, Labels, Opening, Page, RunSummary, Standing};
use crate::run::ports::Usage;
use crate::store::filter::{self, Failure, Outcome, Param, Sql, Tally};
use crate::store::queue::closed;
use crate::store::sqlite::{Trouble, message, schema};
use crate::store::text::{Programs, input_of, instant, instant_of, parsed, status_of, unreadable};
use crate::types::Text;
use crate::value::ErrorKind;

/// How many are read at once: one long question does not keep the others waiting.
const READERS: usize = 2;

type Job = Box<dyn FnOnce(&mut Reader) + Send>;

/// Threads that read.
pub(super) struct Readers {
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

struct Reader {
    path: PathBuf,
    patience: Duration,
    db: Option<Connection>,
}

impl Readers {
    pub(super) fn new(path: &Path, patience: Duration) -> std::io::Result<Self> {
        let (jobs, asked) = mpsc::channel::<Job>();
        let asked = Arc::new(Mutex::new(asked));
        let threads = (0..READERS)
            .map(|_| {
                let (asked, mut reader) = (Arc::clone(&asked), Reader { path: path.to_owned(), patience, db: None });
                std::thread::Builder::new().name("flow-sqlite-read".to_owned()).spawn(move || {
                    let next = || asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    while let Ok(job) = next() {
                        job(&mut reader);
                    }
                })
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { jobs: Some(jobs), threads })
    }

    /// Asks a question, of one state of the database.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, JournalError>> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |reader| {
            let _ = tell.send(reader.answer(question));
        });
        if let Some(jobs) = &self.jobs {
            // Where it cannot be sent it is dropped, and that is told below.
            let _ = jobs.send(job);
        }
        async move { told.await.unwrap_or_else(|_| Err(closed())) }.boxed()
    }

    /// Answers what was asked, and closes their connections.
    pub(super) fn close(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Reader {
    fn answer<T>(&mut self, question: impl FnOnce(&Connection) -> Result<T, Trouble>) -> Result<T, JournalError> {
        let db = match self.db.take() {
            Some(db) => Ok(db),
            None => schema::reader(&self.path, self.patience),
        };
        let answer = db.map_err(Trouble::Failed).and_then(|db| {
            let answer = db.unchecked_transaction().map_err(Trouble::Failed).and_then(|state| question(&state));
            if !matches!(answer, Err(Trouble::Failed(_))) {
                self.db = Some(db);
            }
            answer
        });
        answer.map_err(|trouble| trouble.told(&self.path))
    }
}

/// A parameter, as SQLite takes it.
pub(super) struct Bound<'a>(pub(super) &'a Param);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Param::Text(text) => ToSqlOutput::from(text.as_str()),
            Param::Time(at) => ToSqlOutput::from(instant(*at)),
            Param::Number(number) => ToSqlOutput::from(*number),
        })
    }
}

/// The rows of a question.
fn rows<T>(
    db: &Connection,
    sql: &Sql,
    mut each: impl FnMut(&Row<'_>) -> Result<T, Trouble>,
) -> Result<Vec<T>, Trouble> {
    let mut find = db.prepare_cached(&sql.text)?;
    let mut rows = find.query(params_from_iter(sql.params.iter().map(Bound)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(each(row)?);
    }
    Ok(found)
}

fn text(row: &Row<'_>, column: &str) -> Result<Text, Trouble> {
    Ok(Text::new(row.get_ref(column)?.as_str().map_err(|why| Trouble::Refused(unreadable(&why)))?))
}

fn maybe(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Text>> {
    Ok(row.get::<_, Option<String>>(column)?.map(Text::from))
}

fn number(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)? as u64)
}

/// The summary of a row with the columns [`filter::SUMMARY`].
pub(super) fn summary(row: &Row<'_>) -> Result<RunSummary, Trouble> {
    let at = |column: &str| -> Result<Option<Timestamp>, Trouble> {
        Ok(maybe(row, column)?.map(|text| instant_of(&text)).transpose()?)
    };
    Ok(RunSummary {
        run: text(row, "run_id")?,
        flow: text(row, "workflow_name")?,
        program: text(row, "program_hash")?,
        status: status_of(&text(row, "status")?)?,
        labels: Labels {
            key: maybe(row, "start_key")?,
            user: maybe(row, "user_id")?,
            conversation: maybe(row, "conversation_id")?,
            forked_from: maybe(row, "forked_from")?,
        },
        steps_total: row.get("steps_total")?,
        steps_completed: number(row, "steps_completed")?,
        events: number(row, "events")?,
        error: maybe(row, "error")?.map(|error| parsed(&error)).transpose()?,
        started_at: instant_of(&text(row, "started_at")?)?,
        ended_at: at("completed_at")?,
        wakes_at: at("wakes_at")?,
        recoveries: row.get("recoveries")?,
        usage: Usage {
            input_tokens: number(row, "input_tokens")?,
            output_tokens: number(row, "output_tokens")?,
            usd: row.get("usd")?,
        },
    })
}

/// As [`summary`], with the events that the row is behind: see [`BEHIND`](super::writer::BEHIND).
fn current(db: &Connection, row: &Row<'_>) -> Result<RunSummary, Trouble> {
    let mut summary = summary(row)?;
    if !summary.status.ended() {
        let recoveries = summary.recoveries;
        for event in events_of(db, row.get("id")?, summary.events, usize::MAX)? {
            summary.apply(&event);
        }
        // They were counted when the run was taken, after these events.
        summary.recoveries = recoveries;
    }
    Ok(summary)
}

/// See [`RunStore::find`](crate::run::RunStore::find).
pub(super) fn find(db: &Connection, key: &str) -> Result<Option<Text>, Trouble> {
    let sql = "SELECT run_id FROM workflow_runs WHERE start_key = ?";
    let found = db.prepare_cached(sql)?.query_row([key], |row| row.get::<_, String>(0)).optional()?;
    Ok(found.map(Text::from))
}

/// See [`RunStore::load`](crate::run::RunStore::load).
pub(super) fn load(db: &Connection, run: &Text, programs: &Programs) -> Result<Kept, Trouble> {
    let sql =
        format!("SELECT {}, r.input_data, r.input_exact FROM workflow_runs AS r WHERE r.run_id = ?", filter::SUMMARY);
    let mut find = db.prepare_cached(&sql)?;
    let mut found = find.query([run.as_str()])?;
    let Some(row) = found.next()? else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    let (key, summary): (i64, _) = (row.get("id")?, current(db, row)?);
    let input = input_of(&text(row, "input_data")?, maybe(row, "input_exact")?.as_deref())?;
    let program = match programs.get(&summary.program) {
        Some(program) => program,
        None => {
            let stored: String = db
                .prepare_cached("SELECT program FROM programs WHERE hash = ?")?
                .query_row([summary.program.as_str()], |row| row.get(0))?;
            programs.read(summary.program.clone(), &stored)?
        }
    };
    let mut find = db.prepare_cached(
        "SELECT m.number, r.run_id, m.note FROM workflow_messages AS m JOIN workflow_runs AS r ON r.id = m.workflow_run_id
         WHERE r.id = ? ORDER BY m.number",
    )?;
    let mut rows = find.query([key])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(message(row)?);
    }
    let opening = Opening {
        run: run.clone(),
        flow: summary.flow.clone(),
        program,
        input,
        at: summary.started_at,
        labels: summary.labels.clone(),
    };
    Ok(Kept { opening, summary, events: events_of(db, key, 0, usize::MAX)?, messages })
}

/// See [`RunStore::summary`](crate::run::RunStore::summary).
pub(super) fn summary_of(db: &Connection, run: &Text) -> Result<RunSummary, Trouble> {
    let sql = format!("SELECT {} FROM workflow_runs AS r WHERE r.run_id = ?", filter::SUMMARY);
    let mut find = db.prepare_cached(&sql)?;
    let mut found = find.query([run.as_str()])?;
    let Some(row) = found.next()? else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    current(db, row)
}

/// See [`RunStore::events`](crate::run::RunStore::events).
pub(super) fn events(db: &Connection, run: &Text, after: u64, most: usize) -> Result<Vec<Arc<Event>>, Trouble> {
    let sql = "SELECT id FROM workflow_runs WHERE run_id = ?";
    let key = db.prepare_cached(sql)?.query_row([run.as_str()], |row| row.get(0)).optional()?;
    let Some(key) = key else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    events_of(db, key, after, most)
}

/// A run's events after one of them.
pub(super) fn events_of(db: &Connection, key: i64, after: u64, most: usize) -> Result<Vec<Arc<Event>>, Trouble> {
    let mut find = db.prepare_cached(
        "SELECT data FROM workflow_events WHERE workflow_run_id = ? AND number > ? ORDER BY number LIMIT ?",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = find.query(params![key, after, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let data = row.get_ref(0)?.as_str().map_err(|why| unreadable(&why))?;
        events.push(Arc::new(parsed(data)?));
    }
    Ok(events)
}

/// See [`RunStore::list`](crate::run::RunStore::list).
pub(super) fn list(db: &Connection, filter: &Filter, page: &Page) -> Result<Vec<RunSummary>, Trouble> {
    let after = match &page.after {
        Some(run) => {
            let sql = "SELECT started_at, id FROM workflow_runs WHERE run_id = ?";
            let found = db
                .prepare_cached(sql)?
                .query_row([run.as_str()], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
                .optional()?;
            let Some((started, key)) = found else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
            Some((instant_of(&started)?, key))
        }
        None => None,
    };
    rows(db, &filter::list(filter, page, after), |row| current(db, row))
}

/// See [`RunStore::stats`](crate::run::RunStore::stats).
pub(super) fn stats(db: &Connection, filter: &Filter) -> Result<Vec<FlowStats>, Trouble> {
    let mut tally = Tally::new();
    rows(db, &filter::outcomes(filter), |row| {
        tally.count(Outcome {
            flow: row.get::<_, String>(0)?.into(),
            status: status_of(row.get_ref(1)?.as_str().map_err(|why| unreadable(&why))?)?,
            duration_ms: row.get(2)?,
            tokens: row.get(3)?,
            usd: row.get(4)?,
        });
        Ok(())
    })?;
    let failures = rows(db, &filter::failures(filter), |row| {
        let kind = row.get::<_, Option<String>>(2)?.and_then(|kind| ErrorKind::find(&kind));
        Ok(Failure {
            flow: row.get::<_, String>(0)?.into(),
            step: row.get::<_, String>(1)?.into(),
            kind: kind.unwrap_or(ErrorKind::Failed),
            count: row.get::<_, i64>(3)? as u64,
        })
    })?;
    Ok(tally.finish(failures))
}

/// See [`RunStore::standing`](crate::run::RunStore::standing).
pub(super) fn standing(db: &Connection) -> Result<Vec<Standing>, Trouble> {
    rows(db, &filter::standing(), |row| {
        let status = status_of(row.get_ref(1)?.as_str().map_err(|why| unreadable(&why))?)?;
        Ok(Standing { flow: row.get::<_, String>(0)?.into(), status, runs: row.get::<_, i64>(2)? as u64 })
    })
}

/// See [`RunStore::spent`](crate::run::RunStore::spent).
pub(super) fn spent(db: &Connection, since: Timestamp) -> Result<f64, Trouble> {
    let sql = "SELECT coalesce(sum(usd), 0.0) FROM workflow_steps WHERE completed_at >= ? AND usd > 0";
    Ok(db.prepare_cached(sql)?.query_row([instant(since)], |row| row.get(0))?)
}
