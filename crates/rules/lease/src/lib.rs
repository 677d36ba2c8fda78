//! Leases: how long a token or secret may live and by how much it may be renewed, as functions of their arguments.
//!
//! Not here: how a secret is taken back (the engine kit), where leases are stored (`core`).

mod ttl;

pub use ttl::{Asked, Bounds, Granted, RenewError, Renewal, grant, renew};
