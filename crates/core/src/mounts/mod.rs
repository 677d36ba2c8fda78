//! Mounts: which engine answers where. Records in the store, one immutable table in memory made from them.
//!
//! `store` reads and writes records and opens engines, `routes` is `sys/mounts` and `sys/auth`, `show` is how a mount
//! reads, `remount` moves one, `names` says what one may be called, `clearing` takes away what a disabled one leaves.
//! Not here: how a path finds its mount (`state::MountTable`).

mod clearing;
mod names;
mod remount;
mod routes;
mod settings;
mod show;
#[cfg(test)]
mod show_tests;
mod store;
#[cfg(test)]
mod tests;

pub use clearing::{Clearing, clear_some};
pub use remount::{Move, Moves};
pub use routes::routes;
pub use show::{describe, describe_for_ui};
pub use store::{MountStore, builtin_mounts, load, new_mount, open_engine};
