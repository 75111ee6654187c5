//! Opening a database: how it is to keep what it is given, and what tables it has.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, ffi};

use crate::run::journal::JournalError;

/// Each brings a database to the version of its place, from 1.
const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
];

/// How much of the log of what was written is kept before it is brought into the file: pages of 4 KiB. While that is done
/// nothing is written. Then the log is written over from its start, and that is synced sooner than a file that grows: with 1,000
/// pages a run's first 1,000 steps take a sixth longer.
const LOG_PAGES: u32 = 400;

/// How much where many write together: a page that was written ten times is brought into the file once.
const LOG_PAGES_OF_MANY: u32 = 8_000;

/// Older ones can lose what was committed, where a checkpoint meets a writer: <https://www.sqlite.org/wal.html>.
const OLDEST: i32 = 3_051_003;

/// Opens a database to write to, and brings its tables up to date.
pub(super) fn prepare(path: &Path, patience: Duration) -> Result<Connection, JournalError> {
    if rusqlite::version_number() < OLDEST {
        let found = rusqlite::version();
        return Err(JournalError::Broken(format!("SQLite {found} can lose what was written: 3.51.3 is needed")));
    }
    if !path.exists() {
        let no_folder =
            |why| JournalError::Broken(format!("the database `{}` failed: its folder: {why}", path.display()));
        make_folder(path).map_err(no_folder)?;
    }
    let mut db = writer(path, patience).map_err(|why| broken(path, &why))?;
    migrate(&mut db, path)?;
    Ok(db)
}

/// Makes the folder of a file, and has its name and those of the folders above that were made be on the disk: SQLite syncs
/// the folder that a database is in, and that would be lost with the one it is in.
fn make_folder(path: &Path) -> std::io::Result<()> {
    let path = std::path::absolute(path)?;
    let above = || path.ancestors().skip(2);
    let new = path.ancestors().skip(1).take_while(|folder| !folder.exists()).count();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // The nearest may have been made just before.
    above().take(new.max(1)).try_for_each(sync_folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // One that may not be read was not made here. Not all file systems sync folders.
    let Ok(folder) = std::fs::File::open(folder) else { return Ok(()) };
    folder.sync_all().or_else(|why| if why.kind() == std::io::ErrorKind::InvalidInput { Ok(()) } else { Err(why) })
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Opens a database to write to. Its log stays where it is: see [`settle`] and [`settled`].
fn writer(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.busy_timeout(patience)?;
    log_ahead(&db, patience)?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", true)?;
    keep_log(&db, false)?;
    db.pragma_update(None, "cache_size", -32_768)?;
    // SQLite makes the log where it is read first, and syncs its name later but does not say where that fails: power loss
    // would take the whole log, and what was acknowledged with it.
    db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let synced = real(path).and_then(|path| path.parent().map_or(Ok(()), sync_folder));
    synced.map_err(|why| failed(ffi::SQLITE_IOERR_DIR_FSYNC, "its folder cannot be synced", &why))?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Has a database write to a log, if it does not already.
fn log_ahead(db: &Connection, patience: Duration) -> rusqlite::Result<()> {
    // To its end: what fails when the mode is written is told after the row that says what it is. Whoever opened the file then
    // would find it empty, and remove its log.
    let change = || -> rusqlite::Result<Vec<String>> {
        db.prepare("PRAGMA journal_mode = wal")?.query_map([], |row| row.get(0))?.collect()
    };
    let began = Instant::now();
    let modes = loop {
        match change() {
            // SQLite itself waits for nobody here: of several that make a file at once, one changes it.
            Err(why) if why.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && began.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            modes => break modes?,
        }
    };
    match modes.into_iter().find(|mode| mode != "wal") {
        Some(mode) => Err(rusqlite::Error::InvalidParameterName(format!("no WAL but `{mode}`"))),
        None => Ok(()),
    }
}

/// Says how much of the log is kept.
pub(super) fn keep_log(db: &Connection, of_many: bool) -> rusqlite::Result<()> {
    db.pragma_update(None, "wal_autocheckpoint", if of_many { LOG_PAGES_OF_MANY } else { LOG_PAGES })
}

/// Opens a database again that failed.
pub(super) fn reopen(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let mut db = writer(path, patience)?;
    settle(&mut db, path)?;
    Ok(db)
}

/// Writes the log again, all of it as it is, while nobody else writes. What a failed sync did not write can still be read
/// from the kernel's memory, as if it were there, and no later sync would write it: when the power fails it would be lost, and
/// what is appended to it too. A checkpoint is no help but a danger: of a log whose end is not on the disk, what comes before
/// the end may be brought into the file a second time, over what is newer.
pub(super) fn settle(db: &mut Connection, path: &Path) -> rusqlite::Result<()> {
    let alone = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let written = real(path).and_then(|path| {
        let mut log = path.into_os_string();
        log.push("-wal");
        write_again(Path::new(&log))
    });
    written.map_err(|why| failed(ffi::SQLITE_IOERR_FSYNC, "its log cannot be written again", &why))?;
    alone.rollback()?;
    settled(db)
}

/// Has the last who closes a database bring its log into the file.
pub(super) fn settled(db: &Connection) -> rusqlite::Result<()> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map(|_| ())
}

fn write_again(file: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::options().read(true).write(true).open(file)?;
    let mut part = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        file.seek(SeekFrom::Start(at))?;
        let read = file.read(&mut part)?;
        let Some(read) = part.get(..read).filter(|read| !read.is_empty()) else { break };
        file.seek(SeekFrom::Start(at))?;
        file.write_all(read)?;
        at += read.len() as u64;
    }
    file.sync_data()
}

/// Opens a database to read from.
pub(super) fn reader(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(patience)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let fault = |why: rusqlite::Error| broken(path, &why);
    let newest = MIGRATIONS.len();
    if version(db).map_err(fault)? == newest {
        return Ok(());
    }
    // Others that open it at the same time wait here.
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    let found = version(&change).map_err(fault)?;
    if found > newest {
        return Err(JournalError::Broken(format!(
            "the database `{}` has version {found} and this flowc knows versions up to {newest}: it was written by a newer flowc, use that one",
            path.display()
        )));
    }
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(found) {
        change.execute_batch(migration).map_err(fault)?;
        let applied = "INSERT INTO schema_version (version, applied_at) VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ'))";
        change.execute(applied, [at as i64 + 1]).map_err(fault)?;
    }
    change.commit().map_err(fault)
}

fn version(db: &Connection) -> rusqlite::Result<usize> {
    let known = "SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'";
    if db.query_row(known, [], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    let version: i64 = db.query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(0))
}

/// Where a database is: SQLite follows links, and has the log there.
fn real(path: &Path) -> std::io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

fn failed(code: std::ffi::c_int, what: &str, why: &std::io::Error) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(format!("{what}: {why}")))
}

/// What is wrong with a database.
pub(super) fn broken(path: &Path, why: &rusqlite::Error) -> JournalError {
    JournalError::Broken(format!("the database `{}` failed: {why}", path.display()))
}
