//! JSON shapes of the HTTP API, used by server and client: the envelope, its blocks, errors.
//!
//! Not here: status codes (`edge/http`), what the data of a route holds (its engine).

mod envelope;
mod raw;

pub use envelope::{AuthBlock, Envelope, ErrorBody, MfaRequirement, WrapInfo};
pub use raw::RawJson;
