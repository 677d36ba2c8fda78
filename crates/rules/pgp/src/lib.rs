//! PGP keys of people, and encrypting to them: each share of an unseal key, or a root token, for one person's eyes.
//!
//! ```text
//! text --PgpKey::parse--> PgpKey --encrypt--> OpenPGP message (binary)
//! ```
//! Not here: which secret goes to whom (`core`), what the answers look like. The library behind it is large, so it comes with
//! the feature `pgp`; without it [`PgpKey::parse`] refuses every key and says why. The only crate that names it.

mod error;
mod key;
#[cfg(feature = "pgp")]
mod library;
#[cfg(all(test, feature = "pgp"))]
mod tests;

pub use error::PgpError;
pub use key::{MAX_KEY, PgpKey};
