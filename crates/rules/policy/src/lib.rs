//! Policies: who may do what. Text becomes rules once, a set of policies becomes an [`Acl`], and an [`Acl`] turns an
//! [`Ask`] into a [`Permit`] or a [`Denied`]. Only this crate can make a [`Permit`].
//!
//! ```text
//! text ─ parse ─► Policy ─┐
//! text ─ parse ─► Policy ─┼─ compile(identity, now) ─► Acl ─ decide(Ask) ─► Permit | Denied
//! Identity (template values) ┘
//! ```
//!
//! Order of decision: an exact path decides alone; otherwise the most specific of the patterns with `+` and the
//! longest prefix with `*`. Rules for one pattern in several policies are merged, and `deny` wins among them.
//!
//! Not here: storage and caching of policies, the texts of the built-in ones, HTTP statuses (core and edge).

mod acl;
mod ask;
mod decide;
mod filter;
mod merge;
#[cfg(any(test, feature = "model"))]
pub mod model;
mod parameters;
mod parse;
mod pattern;
mod policy;
mod report;
mod template;
#[cfg(test)]
mod tests;

pub use acl::Acl;
pub use ask::{Ask, Denied, NoParameters, Parameters, Permit};
pub use filter::KeyFilter;
pub use parse::PolicyError;
pub use policy::{Options, Policy, Rule};
pub use report::{ResultantAcl, ResultantRule};
pub use template::{Hole, Identity, NoIdentity};
