//! A program that is started: in a group of its own, with a clean environment, and gone when it is to be gone, with all that it
//! started.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tracing::Span;

use crate::tools::descent::{self, Descent};

/// How long it may take to end by itself once its input has ended, and once it was interrupted: with all else that is done
/// then, nothing of it is left after 5 s.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long its last words may take once it has ended.
const LATE: Duration = Duration::from_millis(200);
/// The variable by which its descendants are known, in whatever group they are.
const MARK: &str = "FLOW_MCP_SERVER";
/// What it is given of our own environment.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];
/// How long a line of its standard error may be, and how many are kept to explain its end.
const LOG_LINE: u64 = 8 << 10;
const LAST_WORDS: usize = 5;

/// What lives, for who has to leave at once.
static LIVING: Mutex<Vec<(Option<Pid>, Descent)>> = Mutex::new(Vec::new());

/// Kills every program that was started here and what they started, for a process that is about to exit without waiting for anything.
pub fn kill_all() {
    for (group, descent) in LIVING.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        kill(group, &descent);
    }
    descent::end_orphans();
}

/// The calls that a process works for, by the spans that they stand in. What it writes while there is one alone belongs to
/// that one.
#[derive(Clone, Default)]
pub(super) struct Callers(Arc<Mutex<Vec<Span>>>);

/// A call that a process works for, until it is dropped.
pub(super) struct Caller(Callers, Span);

impl Callers {
    /// The process works for whoever polls this.
    pub(super) fn enter(&self) -> Caller {
        let span = Span::current();
        self.lock().push(span.clone());
        Caller(self.clone(), span)
    }

    fn alone(&self) -> Span {
        if let [span] = self.lock().as_slice() { span.clone() } else { Span::none() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut spans = self.0.lock();
        if let Some(at) = spans.iter().position(|span| span.id() == self.1.id()) {
            spans.swap_remove(at);
        }
    }
}

/// A running process and its descendants.
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    descent: Descent,
    last_words: Arc<Mutex<VecDeque<String>>>,
    listening: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a program. `name` is what it is called in logs, in which what it writes stands where its callers do.
    ///
    /// # Errors
    /// There is no such program, or it cannot be started.
    pub(super) fn start(
        name: &str,
        command: &[String],
        env: &[(String, String)],
        cwd: &Path,
        callers: &Callers,
    ) -> std::io::Result<(Self, ChildStdin, ChildStdout)> {
        let (program, arguments) = command.split_first().ok_or_else(|| std::io::Error::other("no program is named"))?;
        // A path is relative to the folder it is started in, whatever the platform makes of it.
        let program = if program.contains('/') { cwd.join(program) } else { PathBuf::from(program) };
        let mark = format!("{}-{:016x}", std::process::id(), crate::run::clock::random_u64());
        #[allow(clippy::disallowed_methods, reason = "a server is given these and no others")]
        let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        descent::prepare();
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(inherited)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .env(MARK, &mark)
            .current_dir(cwd)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let last_words = Arc::default();
        let pipe = || std::io::Error::other("a pipe is missing");
        let (input, output) = (child.stdin.take().ok_or_else(pipe)?, child.stdout.take().ok_or_else(pipe)?);
        let listening = child.stderr.take().map(|errors| {
            #[allow(clippy::disallowed_methods, reason = "ends with the pipe it reads")]
            tokio::spawn(listen(errors, name.to_owned(), callers.clone(), Arc::clone(&last_words)))
        });
        let id = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
        let (group, descent) = (Pid::from_raw(id), Descent::of(id, format!("{MARK}={mark}")));
        LIVING.lock().unwrap_or_else(PoisonError::into_inner).push((group, descent.clone()));
        Ok((Self { child, group, descent, last_words, listening }, input, output))
    }

    /// Waits until it has ended by itself, and what it said last was heard.
    ///
    /// # Errors
    /// The system has lost it.
    #[cfg_attr(not(feature = "project"), allow(dead_code, reason = "skills are waited for, and servers are not"))]
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // Still there where this wait is given up half-way and begun anew.
        if let Some(listening) = &mut self.listening {
            // Who it started may hold its standard error open.
            let _ = tokio::time::timeout(LATE, listening).await;
            self.listening = None;
        }
        Ok(status)
    }

    /// What it wrote to its standard error last, and how it ended, if it has.
    pub(super) fn last_words(&mut self) -> String {
        let ended = match self.child.try_wait() {
            Ok(Some(status)) => format!("it ended with {status}"),
            _ => "it closed its output".to_owned(),
        };
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let said: Vec<&str> = words.iter().map(String::as_str).collect();
        if said.is_empty() { ended } else { format!("{ended}; it wrote: {}", said.join(" / ")) }
    }

    /// Ends it, after its input was closed: by itself if it does so, else interrupted, else killed; then whatever is
    /// left of its group or was started by it.
    pub(super) async fn end(mut self) {
        if !self.ends_within(PATIENCE).await {
            self.signal(Signal::INT);
            self.ends_within(PATIENCE).await;
        } else if self.group_lives() {
            self.signal(Signal::INT);
        }
        for _ in 0..25 {
            if !self.group_lives() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.kill();
        let _ = self.child.wait().await;
        // A process that is killed is not gone at once.
        for _ in 0..100 {
            if !self.descent.lives() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn ends_within(&mut self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.child.wait()).await.is_ok()
    }

    fn group_lives(&self) -> bool {
        self.group.is_some_and(|group| test_kill_process_group(group).is_ok())
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills what is there, at once.
    fn kill(&mut self) {
        LIVING.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, living)| !living.is(&self.descent));
        kill(self.group.take(), &self.descent);
    }
}

impl Drop for Process {
    /// Nobody waited for its end.
    fn drop(&mut self) {
        if self.group.is_some() {
            self.kill();
        }
    }
}

/// Kills a group, and what else descends from it.
fn kill(group: Option<Pid>, descent: &Descent) {
    if let Some(group) = group {
        descent.end();
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Takes the server's log to ours, line by line.
async fn listen(errors: ChildStderr, name: String, callers: Callers, last_words: Arc<Mutex<VecDeque<String>>>) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A longer line is told in pieces.
        match (&mut errors).take(LOG_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        callers.alone().in_scope(|| tracing::info!(target: "flowc::process", name, "{text}"));
        let mut words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() == LAST_WORDS {
            words.pop_front();
        }
        words.push_back(text.chars().take(300).collect());
    }
}
