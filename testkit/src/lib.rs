//! What tests share. Nothing of it is part of the server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

mod engine;

pub use engine::EngineBench;
