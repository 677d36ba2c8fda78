//! The walk of `docs/walk.md`, typed as it is written, so that a newcomer's first hour is true.
//!
//! A block of `sh` is typed into one shell. A block of `text` after it holds lines that must have come back. Only two things
//! are other than written: the binary is built already, and the port is one that is free.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bulla_testkit::binary;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const WALK: &str = include_str!("../docs/walk.md");
const END: &str = "--- end of block ---";
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn the_walk_works_as_written() {
    let home = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let walk = WALK.replace("127.0.0.1:8200", &format!("127.0.0.1:{port}"));
    let blocks = blocks(&walk);
    assert!(blocks.len() > 10, "the walk has {} blocks", blocks.len());
    let mut shell = Shell::start(home.path());
    for Block { typed, expected } in blocks {
        if typed.contains("cargo build") {
            continue;
        }
        let (shown, status) = shell.type_in(&typed);
        for line in &expected {
            assert!(shown.contains(line.as_str()), "`{line}` is missing after\n{typed}\n{shown}");
        }
        let refused = expected.iter().any(|line| line.contains("denied") || line.contains("is sealed"));
        assert_eq!(status != 0, refused, "exit status {status} after\n{typed}\n{shown}");
        if typed.contains("bulla server") {
            let begin = Instant::now();
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(begin.elapsed() < PATIENCE, "nobody listens");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

struct Block {
    typed: String,
    expected: Vec<String>,
}

fn blocks(walk: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = walk.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let inside: Vec<String> = lines.by_ref().take_while(|line| *line != "```").map(str::to_owned).collect();
        match kind {
            "sh" => blocks.push(Block { typed: inside.join("\n"), expected: Vec::new() }),
            "text" => blocks.last_mut().unwrap().expected = inside,
            other => panic!("what is `{other}`?"),
        }
    }
    blocks
}

struct Shell {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Shell {
    fn start(home: &std::path::Path) -> Self {
        let path = format!("{}:{}", binary().parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        // Nobody's own settings; and all that it starts can be ended with it.
        command.arg("-s").env_clear().env("PATH", path).env("HOME", home).current_dir(home).process_group(0);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut shell = Self { process, input, output: BufReader::new(output).lines() };
        // `kill %1` needs jobs.
        assert_eq!(shell.type_in("set -m; exec 2>&1").1, 0);
        shell
    }

    /// What came back, and the exit status of the last command; of one before it, if that failed.
    fn type_in(&mut self, block: &str) -> (String, i32) {
        // Commands read what is typed ahead if their own input is the shell's.
        let script =
            format!("failed=0; trap 'failed=$?' ERR\n{{\n{block}\n}} < /dev/null\necho; echo \"{END}$failed\"\n");
        self.input.write_all(script.as_bytes()).unwrap();
        let mut shown = String::new();
        for line in self.output.by_ref() {
            let line = line.unwrap();
            match line.strip_prefix(END) {
                Some(status) => return (shown, status.parse().unwrap()),
                None => shown.push_str(&(line + "\n")),
            }
        }
        panic!("the shell has ended:\n{shown}");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // A test that fails half-way leaves the server among the shell's jobs.
        let _ = self.input.write_all(b"kill -9 $(jobs -p) 2>/dev/null; exit\n");
        let _ = self.process.wait();
    }
}
