//! The notes and the index of their words: SQLite's FTS5, <https://www.sqlite.org/fts5.html>.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::run::ports::hex_sha256;
use crate::types::Text;
use crate::value::Value;

/// How long a writer of another process is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// How many words of a query are looked for.
const MOST_WORDS: usize = 200;

/// The index repeats the texts of the table by its triggers, so that neither can be without the other.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS notes (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,
        tags TEXT NOT NULL,
        sources TEXT NOT NULL,
        stored_at INTEGER NOT NULL
    );
    CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
        text, tags, content = 'notes', content_rowid = 'number', tokenize = \"unicode61 remove_diacritics 2\"
    );
    CREATE TRIGGER IF NOT EXISTS stored AFTER INSERT ON notes BEGIN
        INSERT INTO words (rowid, text, tags) VALUES (new.number, new.text, new.tags);
    END;
    CREATE TRIGGER IF NOT EXISTS forgotten AFTER DELETE ON notes BEGIN
        INSERT INTO words (words, rowid, text, tags) VALUES ('delete', old.number, old.text, old.tags);
    END;
    CREATE TRIGGER IF NOT EXISTS changed AFTER UPDATE ON notes BEGIN
        INSERT INTO words (words, rowid, text, tags) VALUES ('delete', old.number, old.text, old.tags);
        INSERT INTO words (rowid, text, tags) VALUES (new.number, new.text, new.tags);
    END;
";

/// A file of notes.
pub(super) struct Notes(Connection);

impl Notes {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        if let Some(folder) = path.parent() {
            // Where it cannot be made, opening the file says so.
            let _ = std::fs::create_dir_all(folder);
        }
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY)?;
        db.execute_batch(SCHEMA)?;
        Ok(Self(db))
    }

    /// Keeps a text under the hash of it. One that is there already gets the tags and sources that it lacks.
    pub(super) fn store(
        &mut self,
        text: &str,
        tags: &[&str],
        sources: &[&str],
        now: Timestamp,
    ) -> rusqlite::Result<Value> {
        let id = hex_sha256(&[text.trim().as_bytes()]);
        let id = id.get(..24).unwrap_or(&id);
        // At once, not with the first change: another writer in between would make it fail instead of wait.
        let change = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = change
            .query_row("SELECT tags, sources, stored_at FROM notes WHERE id = ?", [id], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
            })
            .optional()?;
        let stored_at = match known {
            Some((old_tags, old_sources, stored_at)) => {
                let (tags, sources) = (merged(&old_tags, tags), merged(&old_sources, sources));
                if (&tags, &sources) != (&old_tags, &old_sources) {
                    change
                        .execute("UPDATE notes SET tags = ?, sources = ? WHERE id = ?", params![tags, sources, id])?;
                }
                stored_at
            }
            None => {
                let now = now.as_millisecond();
                change.execute(
                    "INSERT INTO notes (id, text, tags, sources, stored_at) VALUES (?, ?, ?, ?, ?)",
                    params![id, text, merged("[]", tags), merged("[]", sources), now],
                )?;
                now
            }
        };
        change.commit()?;
        Ok(Value::record_of([("id", id.into()), ("stored_at", instant(stored_at))]))
    }

    /// The notes with any of the words and all of the tags, the best first.
    pub(super) fn search(&self, query: &str, tags: &[&str], limit: i64) -> rusqlite::Result<Value> {
        // `bm25` is negative, and the lower the better.
        let mut find = self.0.prepare_cached(
            "SELECT id, notes.text, notes.tags, sources, stored_at, -bm25(words) FROM words JOIN notes ON number = words.rowid
             WHERE words MATCH ?1 AND NOT EXISTS (
                 SELECT 1 FROM json_each(?2) AS wanted
                 WHERE wanted.value NOT IN (SELECT value FROM json_each(notes.tags))
             )
             ORDER BY bm25(words), number DESC LIMIT ?3",
        )?;
        let found = find.query_map(params![any_of(query), merged("[]", tags), limit], |row| {
            let score = ("score".into(), Value::Float(row.get(5)?));
            Ok(Value::record(note(row)?.into_iter().chain([score])))
        })?;
        Ok(Value::list(found.collect::<rusqlite::Result<Vec<_>>>()?))
    }

    pub(super) fn get(&self, id: &str) -> rusqlite::Result<Value> {
        let mut find = self.0.prepare_cached("SELECT id, text, tags, sources, stored_at FROM notes WHERE id = ?")?;
        let found = find.query_row([id], |row| note(row).map(Value::record)).optional()?;
        Ok(found.unwrap_or(Value::Null))
    }

    /// Whether there was one.
    pub(super) fn forget(&self, id: &str) -> rusqlite::Result<Value> {
        Ok(Value::Bool(self.0.execute("DELETE FROM notes WHERE id = ?", [id])? > 0))
    }
}

fn note(row: &Row<'_>) -> rusqlite::Result<[(Text, Value); 5]> {
    let list = |json: String| serde_json::from_str::<serde_json::Value>(&json).map_or(Value::Null, Value::from);
    Ok([
        ("id".into(), row.get::<_, String>(0)?.into()),
        ("text".into(), row.get::<_, String>(1)?.into()),
        ("tags".into(), list(row.get(2)?)),
        ("sources".into(), list(row.get(3)?)),
        ("stored_at".into(), instant(row.get(4)?)),
    ])
}

fn instant(millis: i64) -> Value {
    Timestamp::from_millisecond(millis).map_or(Value::Null, Value::Datetime)
}

/// A JSON list of texts, with those that it lacks.
fn merged(known: &str, more: &[&str]) -> String {
    let mut all: Vec<String> = serde_json::from_str(known).unwrap_or_default();
    for one in more {
        if !all.iter().any(|known| known == one) {
            all.push((*one).to_owned());
        }
    }
    serde_json::Value::from(all).to_string()
}

/// A query of FTS5 for any of a text's words. Each is a string of its own, so none of them is ever syntax.
fn any_of(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c == '\0').filter(|word| !word.is_empty()).take(MOST_WORDS);
    let quoted: Vec<_> = words.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    if quoted.is_empty() { "\"\"".to_owned() } else { quoted.join(" OR ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Notes {
        Notes::open(Path::new(":memory:")).expect("a database")
    }

    fn store(notes: &mut Notes, text: &str, tags: &[&str]) -> Value {
        notes.store(text, tags, &[], Timestamp::UNIX_EPOCH).expect("stored").get("id").cloned().expect("an id")
    }

    fn texts(notes: &Notes, query: &str, tags: &[&str]) -> Vec<String> {
        let found = notes.search(query, tags, 10).expect("a search that is none too strange");
        let found = found.as_list().expect("a list").to_vec();
        let scores: Vec<_> = found.iter().map(|note| note.get("score").cloned()).collect();
        assert!(scores.iter().all(|score| matches!(score, Some(Value::Float(score)) if *score >= 0.0)), "{scores:?}");
        found.iter().filter_map(|note| note.get("text")?.as_str().map(str::to_owned)).collect()
    }

    #[test]
    fn sqlite_is_new_enough_for_its_journal_to_be_trusted() {
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }

    /// The first notes of several processes may come at once.
    #[test]
    fn many_may_make_a_file_at_once() {
        for _ in 0..25 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("notes.db");
            let ids: Vec<_> = std::thread::scope(|all| {
                let one = |at: i32| store(&mut Notes::open(&path).expect("a database"), &format!("note {at}"), &[]);
                let each: Vec<_> = (0..4).map(|at| all.spawn(move || one(at))).collect();
                each.into_iter().map(|it| it.join().expect("stored")).collect()
            });
            assert_eq!((ids.len(), texts(&Notes::open(&path).expect("a database"), "note", &[]).len()), (4, 4));
        }
    }

    #[test]
    fn notes_are_found_by_their_words_the_best_first() {
        let mut notes = notes();
        let kettle = "A kettle for the field, made of steel.";
        let mill = "The tide mill grinds at low tide.";
        let cafe = "Ein Café über dem Müllerweg";
        for text in [kettle, mill, cafe] {
            store(&mut notes, text, &[]);
        }
        assert_eq!(texts(&notes, "tide", &[]), [mill]);
        assert_eq!(texts(&notes, "CAFE mullerweg", &[]), [cafe]);
        assert_eq!(texts(&notes, "what about the tide?", &[]), [mill, kettle]);
        assert!(texts(&notes, "nothing of the kind", &[]).contains(&kettle.to_owned()));
        assert!(texts(&notes, "submarine", &[]).is_empty());
    }

    #[test]
    fn queries_are_data_and_never_syntax() {
        let mut notes = notes();
        store(&mut notes, "plain text", &["a tag"]);
        let strange = [
            "",
            " ",
            "\"",
            "\"\"",
            "*",
            "text*",
            "text:plain",
            "NEAR(plain text)",
            "NOT",
            "AND OR",
            "(",
            ")",
            "-",
            "^plain",
            "{text}: plain",
            "plain\" OR \"",
            "'; DROP TABLE notes; --",
            "\0",
            "plain\0text",
            "💥",
            "+",
            "a AND (b",
        ];
        for query in strange {
            let _ = texts(&notes, query, &[]);
        }
        assert_eq!(texts(&notes, "text:plain \"plain\"", &[]), ["plain text"]);
        assert_eq!(texts(&notes, "tag", &[]), ["plain text"], "tags are words to find it by");
    }

    #[test]
    fn the_same_text_is_kept_once() {
        let mut notes = notes();
        let id = store(&mut notes, "Once.", &["a"]);
        assert_eq!(store(&mut notes, " Once. ", &["b", "a"]), id);
        assert_ne!(store(&mut notes, "Twice.", &["c"]), id);
        let note = notes.get(id.as_str().expect("an id")).expect("a note");
        assert_eq!(note.get("tags"), Some(&Value::list(["a", "b"].map(Value::from))));
        assert_eq!(texts(&notes, "once", &["a", "b"]), ["Once."]);
        assert!(texts(&notes, "once", &["a", "c"]).is_empty());
        assert_eq!(notes.forget(id.as_str().expect("an id")), Ok(Value::Bool(true)));
        assert_eq!(notes.forget(id.as_str().expect("an id")), Ok(Value::Bool(false)));
        assert_eq!(notes.get(id.as_str().expect("an id")), Ok(Value::Null));
        assert!(texts(&notes, "once b", &[]).is_empty(), "its words are gone, too");
    }
}
