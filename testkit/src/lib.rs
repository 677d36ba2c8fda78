//! What tests share. Nothing of it is part of the server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "for tests only")]

mod client;
mod clock;
mod engine;
mod files;
mod machine;
mod memory;
mod needles;
mod process;
mod vending;

pub use client::{Client, Connection, HttpAnswer};
pub use clock::TestClock;
pub use engine::EngineBench;
pub use files::{scan_files, size_of};
pub use memory::scan_memory;
pub use needles::{Hit, Needles, tally};
pub use process::{Keys, ServerOptions, ServerProcess, binary, reporting_binary};
pub use vending::{Behaviour, World, open_door, vending};
