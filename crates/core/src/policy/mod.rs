//! ACL policies: storage, the built-in ones, and the compiled sets shared by tokens.
//!
//! `store` reads and writes records, `builtin` has the texts a new installation starts with, `routes` and `writing` are
//! what `sys/policies/acl` and `sys/policy` answer. What a policy means is `rules/policy`. `password` is the other kind, for
//! generated passwords.

mod builtin;
mod cache;
mod password;
mod routes;
mod spelling;
mod store;
mod writing;

pub use builtin::{DEFAULT, RESPONSE_WRAPPING};
pub use cache::{AclCache, Generation, acl_of, together};
pub use routes::routes;
pub use spelling::check_with_and_without_slash;
pub use store::{PolicyStore, install_builtin};
