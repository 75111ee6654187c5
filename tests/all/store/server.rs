//! A PostgreSQL of the tests' own, on loopback, in a folder that is gone afterwards.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A running server.
pub(crate) struct Server {
    port: u16,
    folder: PathBuf,
    shell: Mutex<Shell>,
}

/// It ends the server when this process is gone, however it ended: then nobody writes to it any more.
struct Shell {
    child: Child,
    told: Option<ChildStdin>,
    says: BufReader<ChildStdout>,
}

/// How a server that dies is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    /// `pg_ctl stop -m immediate`: its processes end at once, without a word.
    Immediate,
    /// Its main process is gone; the others find out.
    Kill,
}

/// Starts the server, in the same folder and at the same port, whenever it is told to. What is left of a server that was
/// killed may hold its memory for a moment: then it is tried again. Nobody may be there to hear it any more.
const SCRIPT: &str = r#"set -e
trap '' PIPE
"$BIN/initdb" -D "$DATA/data" -U flow --auth=trust --no-sync -E UTF8 --locale=C >"$DATA/log" 2>&1
set +e
pid=
start() {
    for try in $(seq 600); do
        if ! kill -0 $pid 2>/dev/null; then
            "$BIN/postgres" -D "$DATA/data" -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
                -c max_connections=300 >>"$DATA/log" 2>&1 &
            pid=$!
        fi
        if "$BIN/pg_isready" -q -h 127.0.0.1 -p "$PORT" -U flow -d postgres; then echo ready; return; fi
        sleep 0.1
    done
    echo failed
}
start
while read -r told; do
    case "$told" in
    start) start ;;
    *) kill "-$told" $pid; wait $pid 2>/dev/null; echo gone ;;
    esac
done
kill -QUIT $pid 2>/dev/null; wait $pid; rm -rf "$DATA""#;

/// The server that tests share, started by whoever asks first; nothing where PostgreSQL is not installed.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(own_server).as_ref()
}

/// A server of one test's own; nothing where PostgreSQL is not installed.
pub(crate) fn own_server() -> Option<Server> {
    let Some(programs) = programs() else {
        let required = std::env::var("FLOWC_TEST_POSTGRES").is_ok_and(|value| value == "required");
        assert!(!required, "PostgreSQL is not installed: apt-get install postgresql");
        let _ = writeln!(std::io::stderr(), "a test of PostgreSQL is passed over, since it is not installed");
        return None;
    };
    Some(Server::new(&programs))
}

/// The folder of `initdb`, `postgres` and `pg_isready`.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = debian.chain(std::env::split_paths(&path)).collect();
    folders.sort();
    let all =
        |folder: &PathBuf| ["initdb", "postgres", "pg_isready"].iter().all(|program| folder.join(program).exists());
    folders.into_iter().rev().find(all)
}

impl Server {
    fn new(programs: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("flow-postgres-").tempdir().unwrap().keep();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("BIN", programs)
            .env("DATA", &folder)
            .env("PORT", port.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        // The server does not run as root.
        if std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Uid:\t0\t")) {
            let nobody = 65_534;
            std::os::unix::fs::chown(&folder, Some(nobody), Some(nobody)).unwrap();
            shell.uid(nobody).gid(nobody);
        }
        let mut child = shell.spawn().unwrap();
        let (told, says) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let server = Self { port, folder, shell: Mutex::new(Shell { child, told, says }) };
        server.hears("ready");
        server
    }

    /// Waits until the shell says something, which must be this.
    fn hears(&self, wanted: &str) {
        let mut said = String::new();
        self.shell.lock().unwrap().says.read_line(&mut said).unwrap();
        let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert_eq!(said.trim_end(), wanted, "{}", log());
    }

    fn tell(&self, what: &str) {
        writeln!(self.shell.lock().unwrap().told.as_mut().unwrap(), "{what}").unwrap();
    }

    /// Kills it.
    pub(crate) fn dies(&self, how: Death) {
        self.tell(match how {
            Death::Immediate => "QUIT",
            Death::Kill => "KILL",
        });
        self.hears("gone");
    }

    /// Starts it again, on what it left, and waits until it answers.
    pub(crate) fn starts(&self) {
        self.tell("start");
        self.hears("ready");
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

impl Drop for Server {
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap();
        shell.told = None;
        let _ = shell.child.wait();
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
