//! What the tests of this folder share: marks that cannot be anywhere by chance, and a populated server.
//!
//! One file per noun beside this folder. Not here: starting servers and scanning (`testkit`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

mod house;
mod pipe;
mod populate;

use bulla_testkit::ServerProcess;

pub use house::{From, House, Told, texts};
pub use pipe::NarrowPipe;
pub use populate::{Planted, audit_file, kv_mounts, mark, plant};

/// Resident bytes of a server's process.
pub fn resident(server: &ServerProcess) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}
