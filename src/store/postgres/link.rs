//! Connections, what can be wrong with them, and the tables' versions.

use std::error::Error as _;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use crate::run::journal::JournalError;

/// Each brings a database to the version of its place, from 1.
const MIGRATIONS: [&str; 2] = [include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// The locks of the whole store: on its versions, and on the order of messages. Random numbers.
const VERSIONS: i64 = 0x666c_6f77_7665_7273;
pub(super) const MESSAGES: i64 = 0x666c_6f77_6d73_6773;

/// Why the database did not do what it was asked.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is not to be.
    Refused(JournalError),
    /// The database could not be reached, or says to try again. What was asked may have been done or not.
    Cut(String),
    /// The database says that it cannot do it; nothing was done.
    Failed(String),
}

impl Trouble {
    pub(super) fn told(self) -> JournalError {
        match self {
            Trouble::Refused(why) => why,
            Trouble::Cut(why) | Trouble::Failed(why) => broken(&why),
        }
    }
}

/// What is wrong with the database.
pub(super) fn broken(why: &str) -> JournalError {
    JournalError::Broken(format!("the PostgreSQL database failed: {why}"))
}

impl From<JournalError> for Trouble {
    fn from(why: JournalError) -> Self {
        Trouble::Refused(why)
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            // The outermost only says what was tried.
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            return Trouble::Cut(why);
        };
        let (code, why) = (said.code(), said.message().to_owned());
        // See <https://www.postgresql.org/docs/current/errcodes-appendix.html>. A program that was pruned meanwhile is
        // kept again with the next try.
        let again = ["08", "40", "57P"].iter().any(|class| code.code().starts_with(class))
            || [SqlState::TOO_MANY_CONNECTIONS, SqlState::FOREIGN_KEY_VIOLATION, SqlState::LOCK_NOT_AVAILABLE]
                .contains(code);
        if again { Trouble::Cut(why) } else { Trouble::Failed(why) }
    }
}

/// Where the database is. Never shown: it holds the password.
#[derive(Clone)]
pub(super) struct Link(Config);

impl Link {
    /// Of a URL or `key=value` text.
    pub(super) fn new(url: &str) -> Result<Self, JournalError> {
        let mut config: Config = url.parse().map_err(|_| {
            // What is wrong is not said: it might hold the password.
            let wanted = "the address of the PostgreSQL database cannot be read: postgres://user:password@host:port/database is wanted";
            JournalError::Broken(wanted.to_owned())
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_application_name().is_none() {
            config.application_name("flowc");
        }
        config.tcp_user_timeout(Duration::from_secs(15));
        Ok(Self(config))
    }

    /// A connection, which is served on this runtime.
    pub(super) async fn connect(&self, settings: &str) -> Result<Client, Trouble> {
        let mut config = self.0.clone();
        let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
        config.options(format!("{given}{settings}"));
        let cut = |error: tokio_postgres::Error| match Trouble::from(error) {
            // Whatever it is, it may be otherwise in a while.
            Trouble::Failed(why) => Trouble::Cut(why),
            trouble => trouble,
        };
        let (client, connection) = config.connect(NoTls).await.map_err(cut)?;
        Handle::current().spawn(async move {
            if let Err(why) = connection.await {
                tracing::debug!(%why, "a connection to PostgreSQL ended");
            }
        });
        Ok(client)
    }
}

/// Brings the tables up to date.
pub(super) async fn migrate(client: &mut Client) -> Result<(), Trouble> {
    let change = client.transaction().await?;
    // Others that open it at the same time wait here.
    change.execute("SELECT pg_advisory_xact_lock($1)", &[&VERSIONS]).await?;
    let known = change.query_one("SELECT to_regclass('schema_version') IS NOT NULL", &[]).await?;
    let found: i64 = if known.get(0) {
        change.query_one("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await?.get(0)
    } else {
        0
    };
    let newest = MIGRATIONS.len() as i64;
    if found > newest {
        return Err(Trouble::Refused(JournalError::Broken(format!(
            "the PostgreSQL database has version {found} and this flowc knows versions up to {newest}: it was written by a newer flowc, use that one"
        ))));
    }
    for (at, migration) in (1..).zip(MIGRATIONS).filter(|(at, _)| *at > found) {
        change.batch_execute(migration).await?;
        change.execute("INSERT INTO schema_version (version) VALUES ($1)", &[&at]).await?;
    }
    Ok(change.commit().await?)
}
