//! A PostgreSQL server from Debian's package, for tests. It is started in a temporary folder and stopped by its process
//! id.
//!
//! PostgreSQL refuses to run as root; in this case it runs as the package's user. It listens on loopback only, on a
//! port of its own. The password is sent in clear text, because hashing it in a build without optimisation takes longer
//! than a test.

use crate::servers::ReservedPort;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::sleep;
use std::time::Duration;

/// The folder in which Debian keeps versions of the server.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The user of Debian's package.
const PACKAGE_USER: &str = "postgres";
/// The user that the tests log in as.
const USER: &str = "muster";
/// The password of that user. No error and no log line may contain it.
pub const PASSWORD: &str = "not-to-be-seen";
/// If this variable is 1, a missing server is a failure.
const REQUIRED: &str = "MUSTER_REQUIRE_POSTGRES";
/// Interval between checks of a server that is starting, and the number of checks after which the start has failed.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 15_000;

/// Whether the server writes to disk before it acknowledges a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Synced,
    /// Faster. A crash of the system could lose data; a crash of the server does not.
    Unsynced,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// In order; open transactions are rolled back.
    Fast,
    /// Like a crash: the next start recovers from the log.
    Crash,
}

/// A running server; stopped and removed when dropped.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    dir: tempfile::TempDir,
    port: ReservedPort,
    durability: Durability,
    process: Mutex<Option<Child>>,
    schemas: AtomicU32,
}

/// Text before the schema in the URL of a schema: an escaped equals sign.
const SCHEMA_FOLLOWS: &str = "%3D";

impl PostgresServer {
    /// Starts a server. Returns `None`, and prints a line, if it is not installed.
    ///
    /// # Panics
    /// When it cannot be started, and when it is missing although `MUSTER_REQUIRE_POSTGRES=1`.
    pub fn start(durability: Durability) -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var(REQUIRED).is_ok_and(|value| value == "1");
            assert!(!required, "no PostgreSQL below {VERSIONS}: expected the package postgresql");
            eprintln!("skipped: no PostgreSQL below {VERSIONS}; {REQUIRED}=1 makes this a failure");
            return None;
        };
        let server = Self {
            programs,
            dir: tempfile::tempdir().expect("a temporary folder can be made"),
            port: ReservedPort::new(),
            durability,
            process: Mutex::new(None),
            schemas: AtomicU32::new(0),
        };
        server.initialise();
        server.restart();
        Some(server)
    }

    /// A server that tests of this process share while any of them uses it.
    ///
    /// # Panics
    /// As [`PostgresServer::start`].
    pub fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start(Durability::Unsynced)?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// The URL of a new, empty schema.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn fresh_url(&self) -> String {
        let schema = format!("store_{}", self.schemas.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE SCHEMA {schema}"));
        format!("{}?options=-c%20search_path{SCHEMA_FOLLOWS}{schema}", self.url())
    }

    /// The schema of a URL that [`PostgresServer::fresh_url`] made.
    ///
    /// # Panics
    /// For another URL.
    pub fn schema_of(url: &str) -> &str {
        url.rsplit_once(SCHEMA_FOLLOWS).expect("the URL is of a schema of its own").1
    }

    /// The URL of the database, with its password.
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/postgres", self.port.number())
    }

    /// Runs statements as an administrator. Returns their output, one row in each line.
    ///
    /// # Panics
    /// When one fails.
    pub fn sql(&self, statements: &str) -> String {
        self.try_sql(statements).unwrap_or_else(|refusal| panic!("psql: {refusal}"))
    }

    /// Like [`PostgresServer::sql`].
    ///
    /// # Errors
    /// The server's message if it refuses a statement.
    ///
    /// # Panics
    /// When `psql` cannot be started.
    pub fn try_sql(&self, statements: &str) -> Result<String, String> {
        let output = self
            .program("psql")
            .args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "-v", "ON_ERROR_STOP=1"])
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.number().to_string(),
                "-U",
                USER,
                "-d",
                "postgres",
                "-c",
            ])
            .arg(statements)
            .env("PGPASSWORD", PASSWORD)
            .output()
            .expect("psql can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Ends the process of every other connection. Returns their number.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn kill_back_ends(&self) -> usize {
        let killed = self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
        killed.lines().filter(|line| *line == "t").count()
    }

    /// Stops the server; it can be started again.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&self, how: Shutdown) {
        let mut process = self.process();
        let Some(mut child) = process.take() else { return };
        let signal = match how {
            Shutdown::Fast => "-INT",
            Shutdown::Crash => "-QUIT",
        };
        let told = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "the server could not be told to stop");
        child.wait().expect("the server is a child of this process");
    }

    /// Starts a stopped server again, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&self) {
        let mut process = self.process();
        if process.is_some() {
            return;
        }
        let log = File::options().create(true).append(true).open(self.log()).expect("the log can be made");
        let fsync = match self.durability {
            Durability::Synced => "fsync=on",
            Durability::Unsynced => "fsync=off",
        };
        let mut server = self.as_package_user("postgres");
        server
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p", &self.port.number().to_string(), "-k"])
            .arg(self.dir.path())
            .args(["-c", fsync, "-c", "max_connections=200"])
            .stdout(Stdio::null())
            .stderr(log)
            .stdin(Stdio::null());
        *process = Some(server.spawn().expect("postgres can be started"));
        for _ in 0..LOOKS_MAX {
            let child = process.as_mut().expect("it was put there");
            if let Ok(Some(status)) = child.try_wait() {
                panic!("postgres ended with {status}: {}", self.log_text());
            }
            let ready = self
                .program("pg_isready")
                .args(["--quiet", "-h", "127.0.0.1", "-p", &self.port.number().to_string()])
                .status();
            if ready.is_ok_and(|status| status.success()) {
                return;
            }
            sleep(LOOK_EVERY);
        }
        panic!("postgres does not answer: {}", self.log_text());
    }

    /// The server's log, including statements.
    pub fn log_text(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut log) = File::open(self.log()) {
            let _ = log.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn initialise(&self) {
        if let Some((user, group)) = package_user() {
            chown(self.dir.path(), Some(user), Some(group)).expect("root may give a folder away");
        }
        let password = self.dir.path().join("password");
        let mut file = File::create(&password).expect("the folder is writable");
        file.write_all(PASSWORD.as_bytes()).expect("the folder is writable");
        let output = self
            .as_package_user("initdb")
            .arg("-D")
            .arg(self.data())
            .args(["--username", USER, "--auth=password", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg("--pwfile")
            .arg(&password)
            .args(["--no-sync"])
            .output()
            .expect("initdb can be started");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn as_package_user(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match package_user() {
            Some((user, group)) => {
                // `setpriv` is replaced by the server, so the process id is the server's.
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
                command.arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(self.dir.path());
        command
    }

    fn program(&self, name: &str) -> Command {
        Command::new(self.programs.join(name))
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // The folder is removed too, so nothing needs to be written.
        self.stop(Shutdown::Crash);
    }
}

/// The programs of the newest installed version.
fn programs() -> Option<PathBuf> {
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = std::fs::read_dir(VERSIONS).ok()?.flatten().map(|entry| entry.path());
    let newest =
        versions.filter(|path| path.join("bin/postgres").is_file()).max_by_key(|path| number(path))?;
    Some(newest.join("bin"))
}

/// The user and group to run as, if this process is root's.
fn package_user() -> Option<(u32, u32)> {
    let own = std::fs::metadata("/proc/self").ok()?.uid();
    if own != 0 {
        return None;
    }
    let ask = |what: &str| {
        let output = Command::new("id").args([what, PACKAGE_USER]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    Some((ask("-u")?, ask("-g")?))
}
