//! Memory that holds secrets: erased when dropped, kept out of swap and core dumps, compared in constant time.
//!
//! ```text
//! Secret<T>, SecretBytes, SecretText   heap, erased on drop            tokens, shares, passwords
//! LockedBytes                          own pages, locked, guarded      root key, keyring
//! ZeroingAlloc                         every freed block, overwritten  copies that libraries forget
//! scrub_stack, harden_process          dead frames, core dumps         the process around them
//! ```
//! Not here: what the bytes mean (`rules/crypto`, `rules/seal`), when they are dropped (the seal, `store/barrier`).
//!
//! This is the only crate with `unsafe`: raw pages and the allocator need it. Each use says why it holds.

mod alloc;
mod compare;
mod harden;
mod locked;
mod secret;
mod stack;
mod wipe;

pub use alloc::ZeroingAlloc;
pub use compare::ct_eq;
pub use harden::{Unhardened, harden_process};
pub use locked::{LockedBytes, mlock_refused};
pub use secret::{Secret, SecretBytes, SecretText};
pub use stack::{SCRUB_LIMIT, SCRUB_SIZE, scrub_stack, scrub_stack_by};
