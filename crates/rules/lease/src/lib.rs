//! Leases: how long a token or secret may live, by how much it may be renewed, and when taking it back is tried again, as
//! functions of their arguments.
//!
//! Not here: how a secret is taken back (the engine kit), where leases are stored (`core`).

mod pace;
mod revocation;
mod ttl;

pub use pace::{LARGE, Pace, SMALL};
pub use revocation::{ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE, Retry, after_failure, in_force, pause, postponed};
pub use ttl::{Asked, Bounds, Granted, RenewError, Renewal, grant, renew};
