//! Leases as clients see them: how long they live, what ends them, and that what engines hand out is taken back. Names
//! with TOK, NS or OPS tell of a known weakness of such servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod crash;
mod ending;
mod house;
mod lifetime;
mod mounts;
mod paths;
mod trouble;
