//! `flowc tools login`: a person logs in to an MCP server, in the browser.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use url::Url;

use super::super::host;
use super::super::output::{Status, count, err, out, paint};

pub(super) fn login(namespace: &str, at: &Path) -> Status {
    let project = match host::project_at(at) {
        Ok(project) => project,
        Err(status) => return status,
    };
    let logged_in = host::block_on(async {
        let logged_in = project.login(namespace, Arc::new(show)).await;
        project.close().await;
        logged_in
    });
    match logged_in {
        Ok(Ok(tools)) => {
            out(format_args!("logged in to `{namespace}`: {}", count(tools, "tool")));
            Status::Fine
        }
        Ok(Err(error)) => {
            err(format_args!("{} {error}", paint().red().bold().apply_to("error:")));
            Status::Failed
        }
        Err(status) => status,
    }
}

/// Shows the address where to log in: in a browser, if there is one, and in writing.
fn show(address: &Url) {
    err(format_args!("log in at {address}"));
    #[allow(clippy::disallowed_methods, reason = "the variable by which people name their browser")]
    let named = std::env::var("BROWSER").unwrap_or_default();
    let usual = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut words = if named.trim().is_empty() { usual } else { named.trim() }.split_whitespace();
    let Some(program) = words.next() else { return };
    let silent = Stdio::null;
    // Where none can be started, there is the address.
    #[allow(clippy::disallowed_methods, reason = "the person's own browser")]
    let browser = Command::new(program)
        .args(words)
        .arg(address.as_str())
        .stdin(silent())
        .stdout(silent())
        .stderr(silent())
        .spawn();
    if let Ok(mut browser) = browser {
        std::thread::spawn(move || browser.wait());
    }
}
