//! What is read, on a connection of its own that all questions share: each is sent at once, none waits for another's answer.

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use crate::run::event::Event;
use crate::run::journal::{
    Filter, FlowStats, JournalError, Kept, Labels, Message, Opening, Page, RunSummary, Standing,
};
use crate::run::ports::Usage;
use crate::store::filter::{self, Failure, Outcome, Sql, Tally};
use crate::store::postgres::link::{Link, Trouble};
use crate::store::postgres::rows::{bound, clean};
use crate::store::text::{Programs, input_of, parsed, status_of};
use crate::types::Text;
use crate::value::ErrorKind;

/// Who reads.
pub(super) struct Reader {
    link: Link,
    client: Mutex<Option<Arc<Client>>>,
}

impl Reader {
    pub(super) fn new(link: Link) -> Self {
        Self { link, client: Mutex::new(None) }
    }

    /// Asks a question; once more, on a new connection, where the one that was open had broken.
    pub(super) async fn ask<T>(
        &self,
        question: impl Fn(Arc<Client>) -> BoxFuture<'static, Result<T, Trouble>>,
    ) -> Result<T, JournalError> {
        let answer = match self.client().await {
            Ok(client) => question(client).await,
            Err(trouble) => Err(trouble),
        };
        match answer {
            Err(Trouble::Cut(_)) => {
                *self.client.lock().await = None;
                let client = self.client().await.map_err(Trouble::told)?;
                question(client).await.map_err(Trouble::told)
            }
            answer => answer.map_err(Trouble::told),
        }
    }

    async fn client(&self) -> Result<Arc<Client>, Trouble> {
        let mut open = self.client.lock().await;
        match &*open {
            Some(client) if !client.is_closed() => Ok(Arc::clone(client)),
            _ => {
                let client = Arc::new(self.link.connect("-c jit=off").await?);
                *open = Some(Arc::clone(&client));
                Ok(client)
            }
        }
    }
}

async fn rows(client: &Client, sql: &Sql) -> Result<Vec<Row>, Trouble> {
    let params: Vec<_> = sql.params.iter().map(bound).collect();
    let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect();
    Ok(client.query(&sql.text, &params).await?)
}

fn text(row: &Row, column: &str) -> Text {
    Text::new(row.get::<_, &str>(column))
}

fn maybe(row: &Row, column: &str) -> Option<Text> {
    row.get::<_, Option<&str>>(column).map(Text::new)
}

fn number(row: &Row, column: &str) -> u64 {
    row.get::<_, i64>(column) as u64
}

/// The summary of a row with the columns [`filter::SUMMARY`].
pub(super) fn summary(row: &Row) -> Result<RunSummary, JournalError> {
    Ok(RunSummary {
        run: text(row, "run_id"),
        flow: text(row, "workflow_name"),
        program: text(row, "program_hash"),
        status: status_of(row.get("status"))?,
        labels: Labels {
            key: maybe(row, "start_key"),
            user: maybe(row, "user_id"),
            conversation: maybe(row, "conversation_id"),
            forked_from: maybe(row, "forked_from"),
        },
        steps_total: number(row, "steps_total") as u32,
        steps_completed: number(row, "steps_completed"),
        events: number(row, "events"),
        error: row.get::<_, Option<&str>>("error").map(parsed).transpose()?,
        started_at: row.get("started_at"),
        ended_at: row.get("completed_at"),
        wakes_at: row.get("wakes_at"),
        recoveries: number(row, "recoveries") as u32,
        usage: Usage {
            input_tokens: number(row, "input_tokens"),
            output_tokens: number(row, "output_tokens"),
            usd: row.get("usd"),
        },
    })
}

/// The message of a row: number, run, note.
pub(super) fn message(row: &Row) -> Result<Message, JournalError> {
    Ok(Message {
        number: row.get::<_, i64>(0) as u64,
        run: Text::new(row.get::<_, &str>(1)),
        note: parsed(row.get(2))?,
    })
}

/// See [`RunStore::find`](crate::run::RunStore::find).
pub(super) async fn find(client: &Client, key: &str) -> Result<Option<Text>, Trouble> {
    let sql = "SELECT run_id FROM workflow_runs WHERE start_key = $1";
    Ok(client.query_opt(sql, &[&clean(key)]).await?.map(|row| text(&row, "run_id")))
}

/// See [`RunStore::summary`](crate::run::RunStore::summary).
pub(super) async fn summary_of(client: &Client, run: &Text) -> Result<RunSummary, Trouble> {
    let sql = format!("SELECT {} FROM workflow_runs AS r WHERE r.run_id = $1", filter::SUMMARY);
    let found = client.query_opt(&sql, &[&clean(run)]).await?;
    let Some(row) = found else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    Ok(summary(&row)?)
}

/// What is kept of a run, as it was read. What it says is found out elsewhere: there may be much of it.
pub(super) struct Stored {
    run: Row,
    program: Option<String>,
    events: Vec<Row>,
    messages: Vec<Row>,
}

/// See [`RunStore::load`](crate::run::RunStore::load).
pub(super) async fn load(client: &Client, run: &Text, programs: &Programs) -> Result<Stored, Trouble> {
    let sql =
        format!("SELECT {}, r.input_data, r.input_exact FROM workflow_runs AS r WHERE r.run_id = $1", filter::SUMMARY);
    let found = client.query_opt(&sql, &[&clean(run)]).await?;
    let Some(found) = found else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    let (key, last): (i64, i64) = (found.get("id"), found.get("events"));
    let hash: String = found.get("program_hash");
    let program = match programs.get(&hash) {
        Some(_) => None,
        None => Some(client.query_one("SELECT program FROM programs WHERE hash = $1", &[&hash]).await?.get(0)),
    };
    // Those that the summary speaks of, whatever is written meanwhile.
    let sql = "SELECT data FROM workflow_events WHERE workflow_run_id = $1 AND number <= $2 ORDER BY number";
    let events = client.query(sql, &[&key, &last]).await?;
    let sql = "SELECT m.number, r.run_id, m.note FROM workflow_messages AS m JOIN workflow_runs AS r ON r.id = m.workflow_run_id
               WHERE r.id = $1 ORDER BY m.number";
    let messages = client.query(sql, &[&key]).await?;
    Ok(Stored { run: found, program, events, messages })
}

impl Stored {
    pub(super) fn read(self, programs: &Programs) -> Result<Kept, JournalError> {
        let summary = summary(&self.run)?;
        let program = match (programs.get(&summary.program), self.program) {
            (Some(program), _) => program,
            (None, stored) => programs.read(summary.program.clone(), &stored.unwrap_or_default())?,
        };
        let input = input_of(self.run.get("input_data"), self.run.get("input_exact"))?;
        let opening = Opening {
            run: summary.run.clone(),
            flow: summary.flow.clone(),
            program,
            input,
            at: summary.started_at,
            labels: summary.labels.clone(),
        };
        let messages = self.messages.iter().map(message).collect::<Result<_, _>>()?;
        Ok(Kept { opening, summary, events: events_of(&self.events)?, messages })
    }
}

/// The events of rows.
pub(super) fn events_of(rows: &[Row]) -> Result<Vec<Arc<Event>>, JournalError> {
    rows.iter().map(|row| parsed(row.get(0)).map(Arc::new)).collect()
}

/// See [`RunStore::events`](crate::run::RunStore::events).
pub(super) async fn events(client: &Client, run: &Text, after: u64, most: usize) -> Result<Vec<Row>, Trouble> {
    let found = client.query_opt("SELECT id FROM workflow_runs WHERE run_id = $1", &[&clean(run)]).await?;
    let Some(found) = found else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
    let key: i64 = found.get(0);
    let sql = "SELECT data FROM workflow_events WHERE workflow_run_id = $1 AND number > $2 ORDER BY number LIMIT $3";
    let (after, most) = (i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(most).unwrap_or(i64::MAX));
    Ok(client.query(sql, &[&key, &after, &most]).await?)
}

/// See [`RunStore::list`](crate::run::RunStore::list).
pub(super) async fn list(client: &Client, filter: &Filter, page: &Page) -> Result<Vec<RunSummary>, Trouble> {
    let after = match &page.after {
        Some(run) => {
            let sql = "SELECT started_at, id FROM workflow_runs WHERE run_id = $1";
            let found = client.query_opt(sql, &[&clean(run)]).await?;
            let Some(found) = found else { return Err(Trouble::Refused(JournalError::Unknown(run.clone()))) };
            Some((found.get(0), found.get(1)))
        }
        None => None,
    };
    let found = rows(client, &filter::list(filter, page, after)).await?;
    Ok(found.iter().map(summary).collect::<Result<_, _>>()?)
}

/// See [`RunStore::stats`](crate::run::RunStore::stats).
pub(super) async fn stats(client: &Client, filter: &Filter) -> Result<Vec<FlowStats>, Trouble> {
    let mut tally = Tally::new();
    for row in rows(client, &filter::outcomes(filter)).await? {
        tally.count(Outcome {
            flow: Text::new(row.get::<_, &str>(0)),
            status: status_of(row.get(1))?,
            duration_ms: row.get(2),
            tokens: row.get(3),
            usd: row.get(4),
        });
    }
    let failures = rows(client, &filter::failures(filter)).await?;
    let failure = |row: &Row| Failure {
        flow: Text::new(row.get::<_, &str>(0)),
        step: Text::new(row.get::<_, &str>(1)),
        kind: row.get::<_, Option<&str>>(2).and_then(ErrorKind::find).unwrap_or(ErrorKind::Failed),
        count: row.get::<_, i64>(3) as u64,
    };
    Ok(tally.finish(failures.iter().map(failure).collect()))
}

/// See [`RunStore::standing`](crate::run::RunStore::standing).
pub(super) async fn standing(client: &Client) -> Result<Vec<Standing>, Trouble> {
    let found = rows(client, &filter::standing()).await?;
    let standing = |row: &Row| {
        let status = status_of(row.get(1))?;
        Ok(Standing { flow: Text::new(row.get::<_, &str>(0)), status, runs: row.get::<_, i64>(2) as u64 })
    };
    found.iter().map(standing).collect()
}

/// See [`RunStore::spent`](crate::run::RunStore::spent).
pub(super) async fn spent(client: &Client, since: Timestamp) -> Result<f64, Trouble> {
    let sql = "SELECT coalesce(sum(usd), 0) FROM workflow_steps WHERE completed_at >= $1 AND usd > 0";
    Ok(client.query_one(sql, &[&crate::store::text::whole(since)]).await?.get(0))
}
