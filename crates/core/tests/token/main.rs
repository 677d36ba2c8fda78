//! Tokens as clients see them: what they may make, how long they live, what ends them. Each test names the weakness it
//! guards against (TOK-xx are known faults of such servers).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod batch;
mod bench;
mod lifetime;
mod limits;
mod wrapping;
mod wrapping_jwt;
