//! Owners: processes that carry runs on, and who of them is alive.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::run::clock::random_u64;

/// A process that opened a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// Random, so that each opening is an owner of its own.
    pub(super) id: i64,
    /// The name of the machine and of the space that its process numbers count in; empty where that is not known.
    pub(super) host: String,
    /// The machine's start.
    pub(super) boot: String,
    /// The process.
    pub(super) pid: i64,
    /// When the process started, in the kernel's ticks: numbers of processes are used again.
    pub(super) pid_started: i64,
}

impl Owner {
    /// This process.
    pub(super) fn new() -> Self {
        let pid = std::process::id();
        let line = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        // Containers may share the machine's start and even its name, but not the numbers of their processes.
        let space = std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string());
        let host = space.map(|space| format!("{} {space}", line("/proc/sys/kernel/hostname"))).unwrap_or_default();
        Self {
            id: (random_u64() >> 1) as i64,
            host,
            boot: line("/proc/sys/kernel/random/boot_id"),
            pid: i64::from(pid),
            pid_started: started(i64::from(pid)).unwrap_or(0),
        }
    }

    /// Whether it ran on this machine, as this process sees it, and is gone.
    fn gone(&self, seen_from: &Owner) -> bool {
        let here = !self.host.is_empty() && (&self.host, &self.boot) == (&seen_from.host, &seen_from.boot);
        here && started(self.pid) != Some(self.pid_started)
    }
}

/// When a process started, in the kernel's ticks; nothing where there is none, or only what is left of one. See
/// `proc_pid_stat(5)`: the name in parentheses may hold anything.
fn started(pid: i64) -> Option<i64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}

/// What one owner has seen of the others. It never looks at the time of day: clocks jump.
pub(super) struct Watch {
    lease: Duration,
    seen: HashMap<i64, (i64, Instant)>,
}

impl Watch {
    /// An owner that is silent for so long is dead.
    pub(super) fn new(lease: Duration) -> Self {
        Self { lease, seen: HashMap::new() }
    }

    /// How long an owner may be silent.
    #[cfg(feature = "postgres")]
    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// Whether another owner is alive, which has beaten so often.
    pub(super) fn alive(&mut self, me: &Owner, other: &Owner, beats: i64) -> bool {
        if other.gone(me) {
            return false;
        }
        let now = Instant::now();
        let seen = self.seen.entry(other.id).or_insert((beats, now));
        if seen.0 != beats {
            *seen = (beats, now);
        }
        now.duration_since(seen.1) < self.lease
    }

    /// Whether this process was away itself, which was last there at this moment: it does not know what others did.
    pub(super) fn was_away(&self, last: Option<Instant>) -> bool {
        last.is_some_and(|last| last.elapsed() >= self.lease / 2)
    }

    /// Begins to count everyone's silence anew.
    pub(super) fn restart(&mut self) {
        self.seen.clear();
    }

    /// Forgets an owner.
    pub(super) fn forget(&mut self, owner: i64) {
        self.seen.remove(&owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_alive_while_it_beats() {
        let (me, other) = (Owner::new(), Owner { id: 7, host: "elsewhere".into(), ..Owner::default() });
        let mut patient = Watch::new(Duration::from_secs(60));
        assert!(patient.alive(&me, &other, 1), "it may just have come");
        let mut watch = Watch::new(Duration::ZERO);
        assert!(!watch.alive(&me, &other, 1) && !watch.alive(&me, &other, 1), "no patience at all");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_owner_whose_process_is_gone_is_dead_at_once() {
        let mut watch = Watch::new(Duration::from_secs(60));
        let me = Owner::new();
        assert!(me.pid_started > 0 && watch.alive(&me, &Owner { id: 1, ..me.clone() }, 1));
        // Its number is another process's now.
        assert!(!watch.alive(&me, &Owner { id: 2, pid_started: me.pid_started - 1, ..me.clone() }, 1));
        assert!(!watch.alive(&me, &Owner { id: 3, pid: i64::from(i32::MAX), ..me.clone() }, 1));
        // On another machine nothing is known of its processes.
        assert!(watch.alive(
            &me,
            &Owner { id: 4, pid: i64::from(i32::MAX), host: "elsewhere".into(), ..me.clone() },
            1
        ));
    }
}
