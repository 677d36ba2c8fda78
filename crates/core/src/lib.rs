//! What every request passes: mount table and router, tokens, policies, leases, `sys/*`, and the pipeline.
//!
//! ```text
//! edge/http --Request--> Core::handle --(eleven doors, see `pipeline`)--> Disclosable<Answer> --> edge/http
//! ```
//!
//! The first file to read is `pipeline.rs`. Not here: engines (each its own crate), HTTP and status codes (`edge/http`),
//! keys and bytes (`store`), decisions without state (`rules`).

mod answer;
mod request;

pub use answer::{Answer, ErrorKind, Outcome, Refusal};
pub use request::{Request, WrapRequest};
