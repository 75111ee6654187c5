//! What descends from a program that was started, wherever it went: it may have left its group and its session, its parent may
//! be gone, and it may just be starting another.
//!
//! Linux tells of each process who its parent is and what its environment was when its program began. So a descendant is known
//! by the mark that it inherited, or, where it was given another environment, by its parents, as long as these live. All that
//! is found is stopped first, that nothing is started behind our back, and killed when nothing more is found.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};

/// How often is looked, at most, until nothing more is found.
const LOOKS: usize = 100;
/// How often, at most, where it is in doubt whether all was found.
const DOUBTS: usize = 30;

/// Whether orphans shall become children of this process.
static WANTED: AtomicBool = AtomicBool::new(false);
/// The children that it had before; `None` where it cannot adopt.
static EARLIER: OnceLock<Option<Vec<i32>>> = OnceLock::new();

/// A process, as the system tells of it.
struct Seen {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    zombie: bool,
    /// When it began, in the system's ticks.
    began: u64,
    /// `None` where it was not or could not be read.
    environment: Option<Vec<u8>>,
    /// Its program is just being replaced: it has neither arguments nor an environment yet.
    starting: bool,
}

/// From the first program that a tool starts, makes this process the parent of all that descends from it and whose own
/// parent is gone (Linux). What a program leaves behind is found then whatever it did to hide, and ends with
/// [`kill_all`](crate::tools::kill_all) at the latest. It holds for the whole process, so its host decides on it; the command
/// line does.
pub fn adopt_orphans() {
    WANTED.store(true, Ordering::Relaxed);
}

/// Adopts orphans from now on, where that is wanted: before a program is started. The children that this process has by
/// then are none of ours.
pub(super) fn prepare() {
    if WANTED.load(Ordering::Relaxed) {
        EARLIER.get_or_init(|| {
            let own = own();
            let children =
                look_around(u64::MAX).seen.into_iter().filter(|seen| seen.parent == own).map(|seen| seen.pid).collect();
            become_subreaper().then_some(children)
        });
    }
}

#[cfg(target_os = "linux")]
fn become_subreaper() -> bool {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn become_subreaper() -> bool {
    false
}

/// A program that was started, and what it may have started.
#[derive(Clone)]
pub(super) struct Descent {
    group: i32,
    /// A variable of its environment and its value, as no other process has them.
    mark: String,
    /// When it began, in the system's ticks.
    began: u64,
}

impl Descent {
    /// Of a program that leads a group of its own.
    pub(super) fn of(leader: i32, mark: String) -> Self {
        Self { group: leader, mark, began: look(leader, u64::MAX).map_or(0, |seen| seen.began) }
    }

    /// Kills all of it.
    pub(super) fn end(&self) {
        let is_one = |seen: &Seen| seen.group == self.group || seen.has(&self.mark);
        kill(self.began, is_one, |seen| seen.starting);
    }

    /// Whether any process has its mark.
    pub(super) fn lives(&self) -> bool {
        look_around(self.began).seen.iter().any(|seen| seen.has(&self.mark))
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.mark == other.mark
    }
}

/// Kills all that descends from this process, where it has adopted what lost its parent.
pub(super) fn end_orphans() {
    // Where nothing was started nothing was adopted.
    if let Some(Some(earlier)) = EARLIER.get() {
        let own = own();
        kill(u64::MAX, |seen| seen.parent == own && !earlier.contains(&seen.pid), |_| false);
    }
}

/// Kills what is found and what descends from it; environments are read of what began no earlier. Looks again for a while
/// where there is something of which is not known yet what it is, or that is gone before anything is known of it: it may
/// have left a child that was not there yet.
fn kill(began: u64, is_one: impl Fn(&Seen) -> bool, may_be_one: impl Fn(&Seen) -> bool) {
    let mut found: Vec<i32> = Vec::new();
    let mut dead: Vec<i32> = Vec::new();
    let mut doubts = 0;
    for _ in 0..LOOKS {
        let Look { seen, vanished } = look_around(began);
        let new = descendants(&seen, &is_one, &found);
        let is_dead = |seen: &&Seen| seen.zombie && seen.began >= began && !dead.contains(&seen.pid);
        let died: Vec<i32> = seen.iter().filter(is_dead).map(|seen| seen.pid).collect();
        if new.is_empty() {
            doubts += 1;
            let in_doubt = |seen: &Seen| !found.contains(&seen.pid) && may_be_one(seen);
            let settled = died.is_empty() && !vanished && !seen.iter().any(in_doubt);
            if settled || doubts > DOUBTS {
                bury(&seen);
                break;
            }
        }
        dead.extend(died);
        new.iter().for_each(|pid| signal(*pid, Signal::STOP));
        found.extend(new);
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    found.iter().for_each(|pid| signal(*pid, Signal::KILL));
}

fn own() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Takes note of the end of what was adopted. What was started here is waited for by whoever did: it is of this process's
/// group, or leads one of its session.
fn bury(seen: &[Seen]) {
    if !matches!(EARLIER.get(), Some(Some(_))) {
        return;
    }
    let own = own();
    // Not asked of the system directly: in a container they may be led from outside it, which is told as 0, and 0 is no process.
    let Some(us) = seen.iter().find(|seen| seen.pid == own) else { return };
    let is_ours = |seen: &Seen| seen.group == us.group || (seen.group == seen.pid && seen.session == us.session);
    let adopted = |seen: &&Seen| seen.parent == own && !is_ours(seen);
    for dead in seen.iter().filter(|seen| seen.zombie).filter(adopted) {
        let _ = rustix::process::waitpid(Pid::from_raw(dead.pid), rustix::process::WaitOptions::NOHANG);
    }
}

/// Those that are not among the ones found before, and what descends from any of them.
fn descendants(seen: &[Seen], is_one: impl Fn(&Seen) -> bool, found: &[i32]) -> Vec<i32> {
    let mut new = Vec::new();
    // A child may stand before its parent.
    loop {
        let before = new.len();
        for process in seen {
            let known = |pid: i32| found.contains(&pid) || new.contains(&pid);
            if !process.zombie && !known(process.pid) && (known(process.parent) || is_one(process)) {
                new.push(process.pid);
            }
        }
        if new.len() == before {
            return new;
        }
    }
}

impl Seen {
    fn has(&self, mark: &str) -> bool {
        let environment = self.environment.as_deref().unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    }
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// What is there.
#[derive(Default)]
struct Look {
    seen: Vec<Seen>,
    /// Something was there when the look began, and gone before it was its turn.
    vanished: bool,
}

#[cfg(target_os = "linux")]
fn look_around(began: u64) -> Look {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Look::default() };
    // All at once: what a process leaves that is gone when it is looked at is not among them.
    let ids: Vec<i32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let seen: Vec<Seen> = ids.iter().filter_map(|pid| look(*pid, began)).collect();
    Look { vanished: seen.len() < ids.len(), seen }
}

/// Other systems do not tell; the group has to do.
#[cfg(not(target_os = "linux"))]
fn look_around(_began: u64) -> Look {
    Look::default()
}

#[cfg(not(target_os = "linux"))]
fn look(_pid: i32, _began: u64) -> Option<Seen> {
    None
}

/// A process's state, parent, group, session and start (proc(5)), and its environment where it began no earlier than this.
#[cfg(target_os = "linux")]
fn look(pid: i32, since: u64) -> Option<Seen> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // Its name may have brackets and spaces of its own.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    let began = fields.nth(15)?.parse().ok()?;
    let wanted = !zombie && began >= since;
    let environment = wanted.then(|| std::fs::read(format!("/proc/{pid}/environ")).ok()).flatten();
    let is_empty = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).is_ok_and(|bytes| bytes.is_empty());
    let starting = environment.as_ref().is_some_and(Vec::is_empty) && is_empty("cmdline");
    Some(Seen { pid, parent, group, session, zombie, began, environment, starting })
}
