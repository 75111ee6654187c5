//! A PostgreSQL of the tests' own, on loopback, in a folder that is gone afterwards.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A running server.
pub(crate) struct Server {
    port: u16,
    /// Its shell ends the server when this process is gone, however it ended: then nobody writes to it any more.
    _shell: Mutex<Child>,
}

/// The server, started by whoever asks first; nothing where PostgreSQL is not installed.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let Some(programs) = programs() else {
            let required = std::env::var("FLOWC_TEST_POSTGRES").is_ok_and(|value| value == "required");
            assert!(!required, "PostgreSQL is not installed: apt-get install postgresql");
            let _ = writeln!(std::io::stderr(), "the tests of PostgreSQL are passed over, since it is not installed");
            return None;
        };
        Some(Server::start(&programs))
    });
    server.as_ref()
}

/// The folder of `initdb` and `postgres`.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = debian.chain(std::env::split_paths(&path)).collect();
    folders.sort();
    folders.into_iter().rev().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

impl Server {
    fn start(programs: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("flow-postgres-").tempdir().unwrap().keep();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(
                r#"set -e
                "$BIN/initdb" -D "$DATA/data" -U flow --auth=trust --no-sync -E UTF8 --locale=C >"$DATA/log" 2>&1
                "$BIN/postgres" -D "$DATA/data" -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
                    -c max_connections=300 >>"$DATA/log" 2>&1 &
                set +e
                cat >/dev/null
                kill -QUIT $!; wait $!; rm -rf "$DATA""#,
            )
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("BIN", programs)
            .env("DATA", &folder)
            .env("PORT", port.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        // The server does not run as root.
        if std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Uid:\t0\t")) {
            let nobody = 65_534;
            std::os::unix::fs::chown(&folder, Some(nobody), Some(nobody)).unwrap();
            shell.uid(nobody).gid(nobody);
        }
        let server = Self { port, _shell: Mutex::new(shell.spawn().unwrap()) };
        for _ in 0..600 {
            if on_a_thread(&server.url("postgres"), "SELECT 1").is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{}", std::fs::read_to_string(folder.join("log")).unwrap_or_default());
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://flow@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of a new database.
    pub(crate) fn database(&self) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        on_a_thread(&self.url("postgres"), &format!("CREATE DATABASE {name}")).unwrap();
        self.url(&name)
    }
}

/// The rows of a question, each as one line; from a thread, since a test's own may be waiting for it.
pub(crate) fn ask(url: &str, sql: &str) -> Vec<String> {
    on_a_thread(url, sql).unwrap_or_else(|why| panic!("{sql}: {why}"))
}

fn on_a_thread(url: &str, sql: &str) -> Result<Vec<String>, String> {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    let asking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.map_err(|why| why.to_string())?;
            tokio::spawn(connection);
            let said = client.simple_query(&sql).await.map_err(|why| format!("{why:?}"))?;
            let line = |row: &tokio_postgres::SimpleQueryRow| {
                (0..row.len()).map(|at| row.get(at).unwrap_or("-").to_owned()).collect::<Vec<_>>().join(" | ")
            };
            Ok(said
                .iter()
                .filter_map(|said| if let SimpleQueryMessage::Row(row) = said { Some(line(row)) } else { None })
                .collect())
        })
    });
    asking.join().unwrap()
}
