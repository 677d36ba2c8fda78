//! What a person at a terminal meets: questions whose answers are not shown, Ctrl-C, colours. Driven through a
//! pseudo-terminal, since a pipe is treated differently on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_testkit::{Keys, ServerOptions, ServerProcess, binary};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
const CTRL_C: &[u8] = b"\x03";

/// A program at a terminal.
struct Terminal {
    keyboard: File,
    /// The program's side, kept so that its settings can be looked at.
    line: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    child: Child,
    home: TempDir,
}

impl Terminal {
    fn run(words: &[&str], address: &str) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let line =
            OpenOptions::new().read(true).write(true).open(std::ffi::OsStr::from_bytes(name.as_bytes())).unwrap();
        let home = tempfile::tempdir().unwrap();
        let end = || line.try_clone().unwrap();
        // `setsid` makes the line the program's controlling terminal, and then becomes the program.
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(binary())
            .args(words)
            .env_clear()
            .envs([("VAULT_ADDR", address), ("TERM", "xterm"), ("PATH", "/usr/bin:/bin")])
            .env("HOME", home.path())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keyboard = File::from(keyboard);
        let (send, screen) = channel();
        let mut shown = keyboard.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                if send.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keyboard, line, screen, seen: String::new(), child, home }
    }

    /// Waits until the text is on the screen.
    fn expect(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.seen.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(_) => panic!("`{text}` did not appear; on the screen is:\n{}", self.seen),
            }
        }
    }

    fn strike(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.line).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// What everybody on the machine can see of a process.
    fn title(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/cmdline", self.child.id())).unwrap()
    }

    fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            while let Ok(bytes) = self.screen.try_recv() {
                self.seen += &String::from_utf8_lossy(&bytes);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                std::thread::sleep(Duration::from_millis(20));
                while let Ok(bytes) = self.screen.try_recv() {
                    self.seen += &String::from_utf8_lossy(&bytes);
                }
                return status;
            }
            assert!(Instant::now() < end, "it does not end; on the screen is:\n{}", self.seen);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sealed() -> (ServerProcess, String, Keys) {
    let server = ServerProcess::start(ServerOptions::default());
    let keys = server.init(1, 1);
    let address = format!("http://{}", server.client().address);
    (server, address, keys)
}

#[test]
fn a_share_is_asked_for_and_not_shown() {
    let (server, address, keys) = sealed();
    let share = &keys.shares_base64[0];
    let mut terminal = Terminal::run(&["operator", "unseal"], &address);
    terminal.expect("Unseal Key (will be hidden): ");
    assert!(!terminal.echoes());
    terminal.strike(format!("{share}x\x7f").as_bytes());
    assert!(!terminal.title().contains(share.as_str()));
    terminal.strike(b"\r");
    terminal.expect("Sealed");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(!terminal.seen.contains(share.as_str()), "{}", terminal.seen);
    assert!(terminal.echoes() && !server.is_sealed());
}

#[test]
fn a_login_asks_for_the_token_and_keeps_it_private() {
    let (server, address, keys) = sealed();
    server.unseal(&keys);
    let mut terminal = Terminal::run(&["login", "-no-print"], &address);
    terminal.expect("Token (will be hidden): ");
    terminal.strike(format!("{}\r", keys.root_token).as_bytes());
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.seen);
    assert!(!terminal.seen.contains(&keys.root_token) && !terminal.title_if_there().contains(&keys.root_token));
    let file = terminal.home.path().join(".vault-token");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), keys.root_token);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

impl Terminal {
    /// Empty when the process is gone.
    fn title_if_there(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/cmdline", self.child.id())).unwrap_or_default()
    }
}

/// Once the terminal stayed mute after Ctrl-C at a question: what the shell's user typed next was not shown.
#[test]
fn ctrl_c_at_a_question_ends_it_and_gives_the_terminal_back() {
    let (server, address, _keys) = sealed();
    let mut terminal = Terminal::run(&["operator", "unseal"], &address);
    terminal.expect("Unseal Key (will be hidden): ");
    terminal.strike(b"half a sha");
    terminal.strike(CTRL_C);
    let status = terminal.end();
    assert!(status.code() == Some(130) || status.signal() == Some(2), "{status:?}: {}", terminal.seen);
    assert!(terminal.echoes(), "the terminal shows again what is typed");
    assert!(server.is_sealed());
}

#[test]
fn a_signal_at_a_question_gives_the_terminal_back() {
    let (_server, address, _keys) = sealed();
    for signal in [Signal::TERM, Signal::HUP] {
        let mut terminal = Terminal::run(&["operator", "unseal"], &address);
        terminal.expect("Unseal Key (will be hidden): ");
        assert!(!terminal.echoes());
        kill_process(Pid::from_child(&terminal.child), signal).unwrap();
        assert_eq!(terminal.end().code(), Some(128 + signal.as_raw()), "{}", terminal.seen);
        assert!(terminal.echoes(), "the terminal shows again what is typed");
    }
}

/// Nothing stops the first process of a session, so it asks on at once.
#[test]
fn ctrl_z_is_no_part_of_a_share() {
    let (server, address, keys) = sealed();
    let mut terminal = Terminal::run(&["operator", "unseal"], &address);
    terminal.expect("Unseal Key (will be hidden): ");
    terminal.strike(keys.shares_base64[0].as_bytes());
    terminal.seen.clear();
    terminal.strike(b"\x1a");
    terminal.expect("Unseal Key (will be hidden): ");
    assert!(!terminal.echoes());
    terminal.strike(b"\r");
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.seen);
    assert!(!server.is_sealed());
}

#[test]
fn words_are_not_in_the_title() {
    // It takes the connection and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    for (words, title) in [
        (&["login", "-no-print", "hvs.canary"][..], "login -no-print *"),
        (&["operator", "unseal", "canary"], "operator unseal *"),
        (&["write", "auth/userpass/users/a", "password=canary"], "write * password=*"),
    ] {
        let terminal = Terminal::run(words, &address);
        let _connection = silent.accept().unwrap();
        let shown = terminal.title().replace('\0', " ");
        assert!(shown.trim_end().ends_with(title), "{shown}");
    }
}

#[test]
fn a_secret_does_not_command_the_terminal() {
    let (server, address, keys) = sealed();
    server.unseal(&keys);
    let token = format!("-header=X-Vault-Token={}", keys.root_token);
    let client = server.client();
    let _ = client.with_token(&keys.root_token).send("PUT", "cubbyhole/a", r#"{"x":"\u001b]0;title\u0007"}"#).ok();
    for words in [&["read", &token, "cubbyhole/a"][..], &["read", &token, "-field=x", "cubbyhole/a"]] {
        let mut terminal = Terminal::run(words, &address);
        terminal.expect("\\u{1b}]0;title\\u{7}");
        assert_eq!(terminal.end().code(), Some(0));
        assert!(!terminal.seen.contains('\x1b'), "{:?}", terminal.seen);
    }
}

#[test]
fn ctrl_c_ends_a_server_in_order() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("-dev-listen-address=127.0.0.1:{port}");
    let mut terminal = Terminal::run(&["server", "-dev", "-dev-no-store-token", &listen], "");
    terminal.expect("Root Token: ");
    terminal.expect("server started");
    terminal.strike(CTRL_C);
    assert_eq!(terminal.end().code(), Some(0), "{}", terminal.seen);
    assert!(terminal.seen.contains("sealing"), "{}", terminal.seen);
}

#[test]
fn colours_are_for_terminals() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("server.hcl");
    let text = "storage \"inmem\" {}\nlistener \"tcp\" {\n  address = \"127.0.0.1:0\"\n  tls_disable = true\n}\n";
    std::fs::write(&config, text).unwrap();
    let asked = format!("-config={}", config.display());
    let mut terminal = Terminal::run(&["operator", "diagnose", &asked], "");
    terminal.expect("\x1b[33m[ warning ]\x1b[0m Bulla Diagnose");
    assert_eq!(terminal.end().code(), Some(2));
    let piped = Command::new(binary()).args(["operator", "diagnose", &asked]).env("TERM", "xterm").output().unwrap();
    assert!(!piped.stdout.contains(&0x1b) && piped.stdout.starts_with(b"[ warning ] Bulla Diagnose"));
}
