//! A real server process on a real disk, started, killed and started again.

use crate::client::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate for `localhost`, and its key.
const CERTIFICATE: &str = include_str!("../../crates/edge/http/testdata/server.pem");
const KEY: &str = include_str!("../../crates/edge/http/testdata/server-key.pem");

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    pub tls: bool,
    /// Lines inside the listener block.
    pub listener: String,
    /// Lines at the top level of the configuration.
    pub more: String,
    /// Where the store lives; a folder of its own if not given.
    pub data: Option<PathBuf>,
    pub environment: Vec<(String, String)>,
    /// The build that tells its keys; see [`reporting_binary`].
    pub reports_keys: bool,
    /// What the server is started through, such as `taskset -c 0`.
    pub prefix: Vec<String>,
    /// Another binary than the one of the tests' own profile.
    pub binary: Option<PathBuf>,
}

/// What initialisation hands out.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Hex
    pub shares: Vec<String>,
    pub shares_base64: Vec<String>,
    pub threshold: usize,
    pub root_token: String,
}

pub struct ServerProcess {
    folder: TempDir,
    options: ServerOptions,
    address: String,
    child: Option<Child>,
}

impl ServerProcess {
    /// Starts a server on an empty disk store and waits until it answers.
    ///
    /// # Panics
    /// It does not. So do the others: tests have nobody to tell.
    pub fn start(options: ServerOptions) -> Self {
        let mut server = Self::prepare(options);
        server.launch();
        server
    }

    /// Initialised with one share, unsealed; the client has the root token.
    pub fn ready(options: ServerOptions) -> (Self, Client, Keys) {
        let server = Self::start(options);
        let keys = server.init(1, 1);
        server.unseal(&keys);
        let client = server.client().with_token(&keys.root_token);
        (server, client, keys)
    }

    /// Everything but the process.
    pub fn prepare(options: ServerOptions) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let server = Self { folder, options, address: format!("127.0.0.1:{}", free_port()), child: None };
        server.write_config();
        server
    }

    fn write_config(&self) {
        let at = |name: &str| self.folder.path().join(name);
        fs::write(at("server.pem"), CERTIFICATE).expect("folder is writable");
        fs::write(at("server-key.pem"), KEY).expect("folder is writable");
        let tls = if self.options.tls {
            let (certificate, key) = (at("server.pem"), at("server-key.pem"));
            format!("tls_cert_file = \"{}\"\n  tls_key_file = \"{}\"", certificate.display(), key.display())
        } else {
            "tls_disable = true".into()
        };
        let text = format!(
            "storage \"file\" {{\n  path = \"{}\"\n}}\nlistener \"tcp\" {{\n  address = \"{}\"\n  {tls}\n  {}\n}}\n\
             unsafe_allow_api_audit_creation = true\n{}\n",
            self.data().display(),
            self.address,
            self.options.listener,
            self.options.more,
        );
        fs::write(self.config(), text).expect("folder is writable");
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.hcl")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the store.
    pub fn data(&self) -> PathBuf {
        self.options.data.clone().unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// What it wrote to its log so far, all starts together.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn options(&mut self) -> &mut ServerOptions {
        &mut self.options
    }

    /// # Panics
    /// It is not running.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    pub fn client(&self) -> Client {
        Client { address: self.address.clone(), tls: self.options.tls, token: None }
    }

    /// Starts the process and waits for its first answer; gives back how long that took.
    pub fn launch(&mut self) -> Duration {
        // Building it is not starting it.
        let _ = self.binary();
        let begin = Instant::now();
        self.spawn();
        let client = self.client();
        while begin.elapsed() < PATIENCE {
            if client.try_send("GET", "sys/seal-status", "").is_ok_and(|a| a.status == 200) {
                return begin.elapsed();
            }
            if let Some(status) = self.exited() {
                panic!("the server ended with {status}: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("the server does not answer: {}", self.log());
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        self.write_config();
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log file");
        let binary = self.binary();
        let mut words: Vec<_> = self.options.prefix.iter().map(Into::into).collect();
        words.push(binary.into_os_string());
        let mut command = Command::new(words.remove(0));
        command.args(words).arg("server").arg(format!("-config={}", self.config().display()));
        command.envs(self.options.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        // Signals to the tests' terminal are not for the server.
        command.process_group(0);
        self.child = Some(command.spawn().expect("the server can be started"));
    }

    fn binary(&self) -> PathBuf {
        match &self.options.binary {
            Some(binary) => binary.clone(),
            None if self.options.reports_keys => reporting_binary().to_owned(),
            None => binary().to_owned(),
        }
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().expect("a child of ours"))
    }

    /// Waits for the end of a process that is to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Some(status) = self.exited() {
                self.child = None;
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the server does not end: {}", self.log());
    }

    /// SIGKILL: no last words.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child of ours");
            child.wait().expect("a child of ours");
        }
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("a child of ours");
    }

    pub fn init(&self, shares: u8, threshold: u8) -> Keys {
        let body = json!({ "secret_shares": shares, "secret_threshold": threshold });
        let answer = self.client().put("sys/init", body).ok().json();
        let texts = |key: &str| answer[key].as_array().map(|l| l.iter().map(text).collect()).unwrap_or_default();
        Keys {
            shares: texts("keys"),
            shares_base64: texts("keys_base64"),
            threshold: usize::from(threshold),
            root_token: text(&answer["root_token"]),
        }
    }

    pub fn unseal(&self, keys: &Keys) {
        let client = self.client();
        let mut last = Value::Null;
        for share in keys.shares.iter().take(keys.threshold) {
            last = client.put("sys/unseal", json!({ "key": share })).ok().json();
        }
        assert_eq!(last["sealed"], false, "{last}");
    }

    pub fn is_sealed(&self) -> bool {
        self.client().get("sys/seal-status").ok().json()["sealed"] == true
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(30).collect();
            eprintln!("last lines of the server's log:");
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// Below the range from which the system gives ports to clients: a client that calls again and again until the server
/// listens would sooner or later be given the server's own port, and be connected to itself.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Far from those of a test process started at the same time: a port is free until its server listens.
    let start = u16::try_from(std::process::id().wrapping_mul(97) % 12_000).unwrap_or_default();
    let candidates = std::iter::repeat_with(|| 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    candidates.take(12_000).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The server: what `BULLA_BIN` names, else built here in the profile of the tests.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("BULLA_BIN") {
        Some(path) => path.into(),
        None => build(&[]),
    })
}

/// The server with the feature `report-keys`: it tells its keys to whom the environment names. Never for use.
pub fn reporting_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // First, so that the ordinary binary is what remains in its place.
        let built = build(&["--features", "report-keys"]);
        let kept = built.with_file_name("bulla-report-keys");
        fs::copy(&built, &kept).expect("the target folder is writable");
        build(&[]);
        kept
    })
}

fn build(more: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--package", "bulla", "--bin", "bulla"]).args(more);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let profile = profile_folder();
    if profile.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    assert!(command.current_dir(root).status().expect("cargo can be started").success(), "the server does not build");
    profile.join("bulla")
}

/// `target/debug` or `target/release`, wherever this test was built.
fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    let folder = own.parent().expect("files are in folders");
    if folder.ends_with("deps") { folder.parent().expect("deps is in a folder").to_owned() } else { folder.to_owned() }
}
