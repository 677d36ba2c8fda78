//! The fields that all auth methods share: what the tokens of a user or role look like.
//!
//! ```text
//! body --TokenParams, OldNames--> TokenFields::apply --> stored with the user or role
//!                                   | describe --> the answer of a read
//!                                   | limits   --> `TokenLimits` of a login or renewal
//! ```
//! Not here: what a token is and how limits become its times (`core`), who may log in (each method).

mod address;
mod fields;
mod params;
mod secret;

pub use address::{allows, check_address, networks_of};
pub use fields::{Renamed, TokenFields, TokenType, policies_of, same_policies, span, uses};
pub use params::{OldNames, TokenParams};
pub use secret::SecretParam;
