//! An audit device that takes the record of a request and not that of its answer: a pipe with room for one of the two.

use bulla_testkit::{Client, ServerProcess};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

/// The least the system gives a pipe. A record that is shorter is written whole or not at all.
const PAGE: usize = 4096;

pub struct NarrowPipe(File);

impl NarrowPipe {
    /// Becomes the server's only audit device, wide open.
    ///
    /// # Panics
    /// There are no pipes here.
    pub fn enable(server: &ServerProcess, root: &Client) -> Self {
        let path = server.folder().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let end = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(&path).unwrap();
        let options = json!({ "file_path": path, "mode": "0000" });
        let _ = root.put("sys/audit/pipe", json!({ "type": "file", "options": options })).ok();
        Self(end)
    }

    /// The records so far; leaves the pipe empty.
    pub fn records(&mut self) -> Vec<String> {
        let mut bytes = Vec::new();
        let mut buffer = [0; PAGE];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    /// From now on there is room for a record as long as `like`, and for no second one.
    ///
    /// # Panics
    /// The record is too long for that.
    pub fn narrow(&mut self, like: &str) {
        let _ = self.records();
        // Times and ports differ by a few characters.
        let free = like.len() + 64;
        assert!(free < PAGE, "{} bytes", like.len());
        rustix::pipe::fcntl_setpipe_size(&self.0, PAGE).unwrap();
        self.0.write_all(&vec![b'\n'; PAGE - free]).unwrap();
    }

    pub fn widen(&mut self) {
        let _ = self.records();
        rustix::pipe::fcntl_setpipe_size(&self.0, 16 * PAGE).unwrap();
    }
}
