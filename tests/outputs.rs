//! Programs that start a server with pipes for its outputs and never read them: hvac does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_testkit::{ServerOptions, ServerProcess, binary};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a pipe takes before a write to it waits.
const PIPE: u64 = 64 << 10;
/// A line is not split, so the last one that did not fit is missing.
const NEARLY_FULL: u64 = PIPE - (8 << 10);
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends with the test, also with one that fails.
struct Ours(Child);

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn outputs_that_nobody_reads_stop_nothing() {
    let prepared = ServerProcess::prepare(ServerOptions { more: "log_level = \"debug\"".into(), ..Default::default() });
    let mut command = Command::new(binary());
    command.arg("server").arg(format!("-config={}", prepared.config().display())).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Ours(command.spawn().unwrap());
    let client = prepared.client();
    let begin = Instant::now();
    while client.try_send("GET", "sys/seal-status", "").is_err() {
        assert!(begin.elapsed() < PATIENCE, "the server does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
    let keys = prepared.init(1, 1);
    prepared.unseal(&keys);
    let root = client.with_token(&keys.root_token);
    // Each refusal of a token's wish is a line of the log, at this level.
    let created = root.post("auth/token/create", json!({ "policies": ["default"] })).ok().json();
    let refused = prepared.client().with_token(created["auth"]["client_token"].as_str().unwrap());
    let ask = || assert_eq!(refused.get(&format!("sys/mounts/{}", "x".repeat(500))).status, 403);

    let waiting = |server: &Ours| rustix::io::ioctl_fionread(server.0.stderr.as_ref().unwrap()).unwrap();
    let begin = Instant::now();
    while waiting(&server) < NEARLY_FULL {
        assert!(begin.elapsed() < PATIENCE, "{} bytes of log are too few to fill a pipe", waiting(&server));
        ask();
    }
    for _ in 0..200 {
        ask();
    }
    // Nor does it keep the server from ending.
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    let begin = Instant::now();
    let status = loop {
        match server.0.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(begin.elapsed() < PATIENCE, "the server does not end"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{status}");
    let mut log = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.len() as u64 >= NEARLY_FULL, "what fitted is there to read");
}
