//! Which runs are meant: by flags, or by the beginning of an id.

use std::time::Duration;

use jiff::{Timestamp, civil};

use super::super::output::{Status, misused};
use super::{Records, wrong};
use crate::diagnostic::nearest;
use crate::run::journal::{Filter, Page};
use crate::run::{JournalError, RunStatus, RunSummary};
use crate::value::parse_duration;

/// Flags that tell which runs. What is not said does not matter.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct Selection {
    /// Only runs of this flow
    #[arg(long)]
    flow: Option<String>,
    /// Only runs with this status: running, waiting, parked, completed, failed or cancelled
    #[arg(long, value_name = "STATUS", num_args = 1.., value_delimiter = ',', value_parser = status)]
    pub(super) status: Vec<RunStatus>,
    /// Only runs for this user
    #[arg(long)]
    user: Option<String>,
    /// Only runs of this conversation
    #[arg(long)]
    conversation: Option<String>,
    /// Only runs that began then or later: `2h` ago, `2026-11-22`, `2026-11-22T10:00:00Z`
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<Moment>,
    /// Only runs that began before
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub(super) before: Option<Moment>,
}

/// A moment as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Ago(Duration),
    At(Timestamp),
}

impl Moment {
    fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Moment::Ago(how_long) => now.checked_sub(how_long).unwrap_or(Timestamp::MIN),
            Moment::At(at) => at,
        }
    }
}

impl Selection {
    pub(super) fn filter(&self, now: Timestamp) -> Filter {
        Filter {
            flow: self.flow.as_deref().map(Into::into),
            status: self.status.clone(),
            user: self.user.as_deref().map(Into::into),
            conversation: self.conversation.as_deref().map(Into::into),
            since: self.since.map(|moment| moment.at(now)),
            before: self.before.map(|moment| moment.at(now)),
        }
    }
}

fn status(text: &str) -> Result<RunStatus, String> {
    let names = RunStatus::ALL.map(RunStatus::name);
    RunStatus::find(text).ok_or_else(|| {
        let near = nearest(text, names).map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        format!("there is no status `{text}`{near}; there are {}", names.join(", "))
    })
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Some(millis) = parse_duration(text) {
        return Ok(Moment::Ago(Duration::from_millis(u64::try_from(millis).unwrap_or(0))));
    }
    let day = || text.parse::<civil::Date>().ok()?.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok();
    let at = text.parse().ok().or_else(|| Some(day()?.timestamp()));
    at.map(Moment::At).ok_or_else(|| {
        format!("expected `2h`, a day like `2026-11-22` (UTC) or `2026-11-22T10:00:00Z`, found `{text}`")
    })
}

/// The run of an id or of the beginning of one.
///
/// # Errors
/// That there is none, or several, was said.
pub(super) async fn find(id: &str, records: &Records<'_>) -> Result<RunSummary, Status> {
    match records.store.summary(id).await {
        Err(JournalError::Unknown(_)) => {}
        whole => return whole.map_err(wrong),
    }
    let newest = Page { most: 20, after: None };
    let mut found = Vec::new();
    if let Some((since, before)) = times(id) {
        let filter = Filter { since: Some(since), before, ..Filter::default() };
        let mut page = Page { most: 200, after: None };
        while found.len() < 2 {
            let runs = records.store.list(&filter, page.clone()).await.map_err(wrong)?;
            let Some(last) = runs.last().map(|run| run.run.clone()) else { break };
            found.extend(runs.into_iter().filter(|run| run.run.starts_with(id)));
            page.after = Some(last);
        }
    }
    match found.len() {
        0 => {}
        1 => return found.pop().ok_or(Status::Misused),
        _ => {
            let some = found.iter().take(5).map(|run| format!("`{}`", run.run)).collect::<Vec<_>>().join(", ");
            return Err(misused(format_args!("`{id}` begins the ids of several runs: {some}")));
        }
    }
    let runs = records.store.list(&Filter::default(), newest).await.map_err(wrong)?;
    let ids = || runs.iter().map(|run| run.run.as_str());
    let hint = match (nearest(id, ids()), runs.first()) {
        (Some(near), _) => format!(", did you mean `{near}`?"),
        (None, Some(newest)) => format!("; the newest is `{}`, of `{}`", newest.run, newest.flow),
        (None, None) => "; none are kept here".to_owned(),
    };
    Err(misused(format_args!("there is no run `{id}`{hint}")))
}

/// When runs began whose ids begin like this: an id's first ten digits (of base 32) are its time in milliseconds. None
/// where no id does; without an end where that would be too late to say.
fn times(prefix: &str) -> Option<(Timestamp, Option<Timestamp>)> {
    const DIGITS: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    const TIME: usize = 10;
    let digits: Option<Vec<i64>> = prefix.chars().map(|c| DIGITS.find(c).map(|digit| digit as i64)).collect();
    let digits = digits.filter(|digits| !digits.is_empty())?;
    let of = |fill| (0..TIME).fold(0, |time, at| time * 32 + digits.get(at).copied().unwrap_or(fill));
    let first = Timestamp::from_millisecond(of(0)).ok()?;
    Some((first, Timestamp::from_millisecond(of(31) + 1).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_in_three_ways() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let at = |text| moment(text).unwrap().at(now).to_string();
        assert_eq!(at("2h"), "2026-11-22T10:00:00Z");
        assert_eq!(at("30d"), "2026-10-23T12:00:00Z");
        assert_eq!(at("2026-11-20"), "2026-11-20T00:00:00Z");
        assert_eq!(at("2026-11-20T08:30:00+02:00"), "2026-11-20T06:30:00Z");
        assert!(moment("yesterday").unwrap_err().contains("found `yesterday`"));
        assert!(status("faild").unwrap_err().contains("did you mean `failed`?"));
    }

    #[test]
    fn the_beginning_of_an_id_tells_its_time() {
        let (from, to) = times("01kang").unwrap();
        assert_eq!(to.unwrap().as_millisecond() - from.as_millisecond(), 32_i64.pow(4));
        let (from, to) = times("01kangxyz0abcdefghjkmnp").unwrap();
        assert_eq!(to.unwrap().as_millisecond() - from.as_millisecond(), 1);
        assert_eq!(times("zz").map(|(_, to)| to), None);
        assert_eq!(times("Ü"), None);
        assert_eq!(times(""), None);
    }
}
