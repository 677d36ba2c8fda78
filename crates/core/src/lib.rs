//! What every request passes: mount table and router, tokens, policies, leases, `sys/*`, and the pipeline.
//!
//! ```text
//! edge/http --Request--> Core::handle --(eleven doors, see `pipeline`)--> Disclosable<Answer> --> edge/http
//! ```
//!
//! The first file to read is `pipeline.rs`. Not here: engines (each its own crate), HTTP and status codes (`edge/http`),
//! keys and bytes (`store`), decisions without state (`rules`).

mod answer;
mod audit;
mod clock;
mod config;
mod core;
mod delivery;
mod effects;
mod envelope;
mod identity;
mod init;
mod lease;
mod listing;
mod log_levels;
mod login;
mod mounts;
mod parameters;
mod pipeline;
mod policy;
mod reach;
mod recipients;
mod record;
mod refusal;
mod registry;
mod request;
mod route;
mod scrub;
mod state;
mod sys;
#[cfg(test)]
mod testing;
mod tidying;
mod token;
mod workers;
mod wrapping;

pub use answer::{Answer, ErrorKind, Outcome, Refusal};
pub use bulla_records::UserLockout;
pub use clock::{Clock, SystemClock};
pub use config::{CoreConfig, SYSTEM_TTL, Workers};
pub use core::{Connections, Core};
pub use delivery::{Delivered, Delivery};
pub use init::{InitError, InitOptions, InitialMount, Initialised};
pub use log_levels::{LogLevel, LogLevels};
pub use login::LockoutConfig;
pub use registry::{Factory, Registry};
pub use request::{Redact, Request, RequestHeaders, WrapRequest};
pub use sys::Cors;
pub use workers::Background;
