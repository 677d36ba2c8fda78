//! Leases: secrets that engines have handed out and take back when their time, their token or their mount is over.
//!
//! ```text
//! Reply.lease --issue--> LeaseRecord --end (asked, token gone, mount gone, expired)--> queue --sweep--> Engine::revoke
//!                             \--routes: lookup, list, renew                                    \--> again later, irrevocable
//! ```
//!
//! A lease is its record under the keyed hash of its random last segment, and three index entries: by name (mount and
//! path), by token, and in the queue of what falls due. Whether it is in force is decided when it is used; `sweep` only
//! frees space and asks engines. Nothing of it is kept in memory.
//!
//! The token of a login or of `auth/token/` is a lease too (`auth/userpass/login/bob/h…`), but its record is the token's.
//! Not here: the arithmetic (`rules/lease`).

mod due;
mod find;
mod issue;
mod names;
mod prefix;
mod renew;
mod revoke;
mod routes;
mod show;
mod store;
mod sweep;
mod tidying;
mod unkept;

pub use due::token_gone;
pub use issue::{draft, keep};
pub use names::{LeasesLeft, end_mount, forget_token, has_any, name_token};
pub use revoke::revoke_now;
pub use routes::routes;
pub use store::LeaseHash;
pub use sweep::Sweeper;
pub use unkept::HandedOut;
