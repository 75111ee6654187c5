//! The process: how it is started, and that nothing of it is left.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{ChildStdin, ChildStdout};

use crate::run::ToolError;
use crate::tools::browser::BrowserConfig;
use crate::tools::browser::connection::{Connection, Failed, text};
use crate::value::{ErrorKind, format_duration};

/// What every Chromium here is started with. It reaches nothing by itself: its own proxy is a port where no one listens
/// (each page's context has another), it looks up no names, and speaks no UDP.
const FLAGS: [&str; 23] = [
    "--headless",
    "--remote-debugging-pipe",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--dns-prefetch-disable",
    "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-breakpad",
    "--disable-features=HttpsUpgrades,Translate,MediaRouter,OptimizationHints",
    // A container's shared memory may be too small.
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--metrics-recording-only",
    "--password-store=basic",
];

/// How long it has to leave by itself.
const FAREWELL: Duration = Duration::from_millis(500);

/// A Chromium that runs, its profile in a folder that goes with it.
pub(super) struct Process {
    pub(super) connection: Connection,
    child: Child,
    profile: TempDir,
}

impl Process {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// `tool`, undelivered: there is none, or it does not start.
    pub(super) async fn launch(config: &BrowserConfig) -> Result<Self, ToolError> {
        let executable = config.executable.as_deref().ok_or_else(not_found)?;
        let shown = executable.display();
        let process = Self::start(executable)
            .map_err(|error| failed(format!("the browser `{shown}` cannot be started: {error}")))?;
        let hello = process.connection.command(None, "Browser.getVersion", json!({}));
        match tokio::time::timeout(config.launch_timeout, hello).await {
            Ok(Ok(version)) => {
                tracing::debug!(product = text(&version, "/product"), "the browser was started");
                Ok(process)
            }
            Ok(Err(Failed::Refused(why))) => {
                Err(failed(format!("the browser `{shown}` is none that can be used: {why}")))
            }
            Ok(Err(Failed::Closed)) => {
                let said = process.last_words();
                Err(failed(format!("the browser `{shown}` ended as soon as it was started{said}")))
            }
            Err(_) => {
                let limit = format_duration(i64::try_from(config.launch_timeout.as_millis()).unwrap_or(i64::MAX));
                Err(failed(format!("the browser `{shown}` did not start within {limit}")))
            }
        }
    }

    fn start(executable: &Path) -> std::io::Result<Self> {
        let profile = tempfile::Builder::new().prefix("flow-browser-").tempdir()?;
        let mut command = shell();
        command
            .arg(executable)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env_clear()
            .envs(environment(profile.path()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(profile.path().join("stderr"))?)
            .process_group(0);
        if geteuid().is_root() {
            // Chromium refuses to start otherwise.
            command.arg("--no-sandbox");
        }
        let mut child = command.spawn()?;
        let pipes =
            child.stdout.take().zip(child.stdin.take()).ok_or_else(|| std::io::Error::other("it has no pipes"))?;
        let connection = Connection::new(ChildStdout::from_std(pipes.0)?, ChildStdin::from_std(pipes.1)?);
        Ok(Self { connection, child, profile })
    }

    /// The last line it wrote to its standard error.
    fn last_words(&self) -> String {
        let text = std::fs::read(self.profile.path().join("stderr")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.map(|line| format!(": {}", line.trim().chars().take(300).collect::<String>())).unwrap_or_default()
    }
}

/// A shell that puts the pipes where Chromium looks for them, at descriptors 3 and 4, and becomes it.
#[allow(clippy::disallowed_methods, reason = "this tool starts a process")]
fn shell() -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>&2"#]);
    shell
}

/// What Chromium sees of this process's environment: where programs are, which language and time zone it is.
fn environment(home: &Path) -> impl Iterator<Item = (OsString, OsString)> {
    let kept = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "FONTCONFIG_FILE", "FONTCONFIG_PATH"];
    let kept = kept.into_iter().filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
    kept.chain([("HOME".into(), home.into())])
}

impl Drop for Process {
    /// Asks it to leave, and ends the whole group where it does not in time. Its own children are of the group, too, save
    /// those that report crashes: these leave when it is gone.
    fn drop(&mut self) {
        let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        let _ = kill_process(pid, Signal::INT);
        let began = std::time::Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < FAREWELL {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = self.child.wait();
    }
}

fn not_found() -> ToolError {
    failed(
        "no Chromium was found: install it (on Debian `apt install chromium`), or say where it is by `executable = \
         \"/path/to/chromium\"` under `[provide.browser]` in `flow.toml`, or by the environment variable `CHROMIUM`"
            .to_owned(),
    )
}

fn failed(why: String) -> ToolError {
    ToolError { retryable: false, ..ToolError::new(ErrorKind::Tool, why).undelivered() }
}
