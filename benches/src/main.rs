//! Measurements that are kept. Each starts a real server pinned to one core and loads it from another.
//!
//! `cargo run --release -p bulla-benches -- first` reads, writes and one connection, with the device's own speed beside.
//! `… -- first --perf` shows, too, where the server's time goes.
//! `… -- leases` makes a million leases (`BULLA_BENCH_LEASES`) and lets a tenth of them end at once.
//! `… -- capabilities` asks what a token of 38 policies may do with 1000 paths.
//! `… -- folder [count]` fills one folder with so many secrets (1 000 000) and pages through it; not pinned.
//! `… -- start` measures how soon `server -dev` answers and how long `status` takes; fails if that is too long. Not pinned.
//!
//! Needs, for `first`, `taskset`, `wrk` and perhaps `perf`. `BULLA_BIN` names the server, `BULLA_BENCH_DATA` the folder for its
//! store (a temporary one if not given), `BULLA_BENCH_SECONDS` how long each load runs (10).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod capabilities;
mod device;
mod first;
mod folder;
mod leases;
mod perf;
mod start;
mod wrk;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["first"] => first::run(false),
        ["first", "--perf"] => first::run(true),
        ["capabilities"] => capabilities::run(),
        ["leases"] => leases::run(),
        ["folder"] => folder::run(1_000_000),
        ["folder", count] if count.parse::<usize>().is_ok() => folder::run(count.parse().unwrap_or_default()),
        ["start"] => {
            if !start::run() {
                return ExitCode::FAILURE;
            }
        }
        _ => {
            eprintln!("usage: bulla-benches first [--perf] | leases | capabilities | folder [count] | start");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
