//! The lock file against what a server says now.

use flowc::diagnostic::Code;
use flowc::project::Project;
use flowc::source::SourceFile;

use super::misbehaving::{MODE, command};

fn settings(mode: &str) -> String {
    let command = serde_json::to_string(&command()).expect("JSON");
    format!("[provide.my]\nmcp = {{ command = {command}, env = {{ {MODE} = \"{mode}\" }} }}\n")
}

/// A project whose lock file was written when the server was another one.
async fn locked(folder: &tempfile::TempDir, then: &str, now: &str) -> Project {
    let project = super::project(folder, &settings(then));
    assert_eq!(project.unsynced(), ["my"]);
    let synced = project.sync().await;
    project.close().await;
    assert!(synced.asked[0].1.as_ref().is_ok_and(|asked| asked.tools == 8 && asked.added.len() == 8));
    std::fs::write(project.lock_file(), synced.lock.text()).expect("the lock file");
    let rules = "tools.fine = { timeout = \"9s\" }\ntools.fin = { hide = true }\n";
    let project = super::project(folder, &(settings(now) + rules));
    assert!(project.unsynced().is_empty());
    assert_eq!(project.idle_rules(), [("my.fin".to_owned(), Some("my.fine".to_owned()))]);
    project
}

#[tokio::test]
async fn programs_are_checked_offline_and_compared_before_they_run() {
    let flow = |limit: &str| SourceFile::new("a.flow", format!("flow main() {{ step my.fine({limit}: 3) return 1 }}"));
    for (now, expected) in
        [("yes", None), ("takes more", Some(Code::SCHEMA_DRIFT)), ("takes less", Some(Code::TOOL_CHANGED))]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let project = locked(&folder, "yes", now).await;
        let catalog = project.catalog();
        let wrong = flowc::compile::analyze(flow("limt"), &catalog, &flowc::source::DiskLoader);
        assert_eq!(wrong.diagnostics[0].code, Code::UNKNOWN_ARGUMENT);
        let program = flowc::compile::compile(flow("limit"), &catalog, &flowc::source::DiskLoader).expect("a program");
        let (found, holds) = match project.verify(&program.tools).await {
            Ok(found) => (found, true),
            Err(found) => (found, false),
        };
        project.close().await;
        assert_eq!(found.list.iter().map(|one| one.code).next(), expected, "{now}: {found}");
        assert_eq!(holds, expected != Some(Code::TOOL_CHANGED), "{now}");
        if let Some(one) = found.list.first() {
            assert_eq!(found.sources.slice(one.span), "\"fine\"");
            assert!(one.message.starts_with("the tool `my.fine` has changed: "), "{}", one.message);
        }
    }
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn a_run_stops_where_a_tool_has_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(locked(&folder, "yes", "takes less").await);
    std::fs::write(folder.path().join("a.flow"), "flow main() { step my.fine(limit: 3) return 1 }").expect("a file");
    let flowc = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_flowc"))
            .args(args)
            .current_dir(folder.path())
            .output()
            .expect("the binary");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (status, out, err) = flowc(&["run", "a.flow"]);
    assert_eq!((status, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("E0802") && err.contains("- limit?: int"), "{err}");
    let (status, _, err) = flowc(&["tools", "sync", "--check"]);
    assert!(status == Some(1) && err.contains("out of date"), "{err}");
    let (status, out, err) = flowc(&["tools", "sync"]);
    assert!(status == Some(0) && out.contains("~ my.fine") && out.contains("- limit?: int"), "{out}{err}");
    let (status, _, err) = flowc(&["check", "a.flow"]);
    assert!(status == Some(1) && err.contains("E0207"), "{err}");
    let (status, out, err) = flowc(&["tools", "call", "my.fine"]);
    assert_eq!((status, out.as_str()), (Some(0), "\"fine\"\n"), "{err}");
}
