//! What the tests of this folder share: marks that cannot be anywhere by chance, and a populated server.
//!
//! One file per noun beside this folder. Not here: starting servers and scanning (`testkit`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

mod house;
mod pipe;
mod populate;

pub use house::{From, House, Told, texts};
pub use pipe::NarrowPipe;
pub use populate::{Planted, audit_file, kv_mounts, mark, plant};
