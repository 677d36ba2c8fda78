//! The binary: what it was called with, and the exit code. The rooms below do the work.
//!
//! ```text
//! args ─► options ─┐
//! config files ────┼─► server ─► wiring (core, engines, store) ─► listeners ─► signals ─► seal, exit
//! environment ─────┘
//! ```

mod args;
mod config;
mod dev;
mod diagnose;
mod house;
mod log;
mod log_levels;
mod options;
mod process;
mod registry;
mod server;
mod signals;
mod start;
mod wiring;

use bulla_secret::ZeroingAlloc;
use std::process::ExitCode;

/// Every block is overwritten as it is freed: copies of secrets in buffers of libraries end with the buffer.
#[global_allocator]
static ALLOC: ZeroingAlloc = ZeroingAlloc;

fn main() -> ExitCode {
    args::run(std::env::args_os().collect())
}
