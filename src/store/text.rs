//! What is kept, as text: JSON, and instants to the microsecond.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use jiff::Timestamp;
#[cfg(feature = "sqlite")]
use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::program::{Constant, Program};
use crate::run::journal::{JournalError, RunStatus};
use crate::types::Text;
use crate::value::Value;

/// Something as JSON. Secrets are in it by name.
pub(super) fn json(value: &impl Serialize) -> String {
    // Plain data: there is nothing in it that JSON cannot say.
    serde_json::to_string(value).unwrap_or_default()
}

/// What was written with [`json`].
pub(super) fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, JournalError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    // Values nest as deep as a run made them.
    reader.disable_recursion_limit();
    T::deserialize(&mut reader).map_err(|why| unreadable(&why))
}

/// What is kept is not what this program writes.
pub(super) fn unreadable(why: &dyn std::fmt::Display) -> JournalError {
    JournalError::Broken(format!("what the database keeps of the run cannot be read: {why}"))
}

/// An instant to the microsecond, RFC 3339, always as long: such texts sort as the instants do.
#[cfg(feature = "sqlite")]
pub(super) fn instant(at: Timestamp) -> String {
    DateTimePrinter::new().precision(Some(6)).timestamp_to_string(&whole(at))
}

/// An instant as [`instant`] writes it.
#[cfg(feature = "sqlite")]
pub(super) fn instant_of(text: &str) -> Result<Timestamp, JournalError> {
    text.parse().map_err(|why| unreadable(&why))
}

/// An instant without what is less than a microsecond.
pub(super) fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// The status of a name.
pub(super) fn status_of(name: &str) -> Result<RunStatus, JournalError> {
    RunStatus::find(name).ok_or_else(|| unreadable(&format_args!("`{name}` is no status of a run")))
}

/// An input as plain JSON; and, where that would be read as another value (instants, durations, records, secrets), so
/// that it is read as the very same.
pub(super) fn input(value: &Value) -> (String, Option<String>) {
    let plain = json(value);
    let exact = json(&Constant(value.clone()));
    let again = parsed::<Value>(&plain).map(|value| json(&Constant(value)));
    let same = again.is_ok_and(|again| again == exact);
    (plain, (!same).then_some(exact))
}

/// The input of what [`input`] gave.
pub(super) fn input_of(plain: &str, exact: Option<&str>) -> Result<Value, JournalError> {
    match exact {
        Some(exact) => parsed::<Constant>(exact).map(|constant| constant.0),
        None => parsed(plain),
    }
}

/// The programs in use, by hash: runs of one program share it.
#[derive(Default)]
pub(super) struct Programs(Mutex<HashMap<Text, Weak<Program>>>);

impl Programs {
    /// The program of a hash, where some run has it.
    pub(super) fn get(&self, hash: &str) -> Option<Arc<Program>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(hash).and_then(Weak::upgrade)
    }

    /// The program of a stored text.
    pub(super) fn read(&self, hash: Text, text: &str) -> Result<Arc<Program>, JournalError> {
        let program = Arc::new(Program::from_json(text).map_err(|why| unreadable(&why))?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, program| program.strong_count() > 0);
        all.insert(hash, Arc::downgrade(&program));
        Ok(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_comes_back_as_it_was_and_reads_as_plain_json() {
        let at: Timestamp = "2026-11-23T00:00:00.5Z".parse().unwrap();
        let plain = Value::map([("urls".into(), Value::list(["a".into(), Value::Float(1.0)]))]);
        assert_eq!(input(&plain), (r#"{"urls":["a",1.0]}"#.to_owned(), None));
        for value in [
            Value::record_of([("key", Value::Secret("KEY".into()))]),
            Value::list([Value::Datetime(at), Value::Duration(90_000)]),
            plain,
        ] {
            let (text, exact) = input(&value);
            let again = input_of(&text, exact.as_deref()).unwrap();
            assert_eq!(format!("{again:?}"), format!("{value:?}"));
        }
        assert_eq!(input(&Value::Secret("KEY".into())).0, r#"{"$secret":"KEY"}"#);
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn instants_sort_as_text_and_are_whole_microseconds() {
        let at: Timestamp = "2026-11-23T00:00:00.123456789Z".parse().unwrap();
        assert_eq!(instant(at), "2026-11-23T00:00:00.123456Z");
        assert_eq!(instant_of(&instant(at)).unwrap(), whole(at));
        assert_eq!(instant("2026-11-23T00:00:00Z".parse().unwrap()), "2026-11-23T00:00:00.000000Z");
    }
}
