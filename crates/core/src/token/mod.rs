//! Tokens: who a request comes from, and how tokens are made, looked up, renewed and revoked.
//!
//! A token is a record under the keyed hash of its id. Beside it, in the same batch: its accessor, its place below its
//! parent, and its time in the expiry index. `authenticate` is door 6; `routes` is what `auth/token/` answers.

mod authenticate;
mod batch;
mod create;
mod creating;
mod due;
mod granting;
mod lookup;
mod orphaning;
mod revoke;
mod role;
mod roles;
mod routes;
mod store;
mod sweep;
mod tidying;

pub use authenticate::{Caller, authenticate};
pub use create::{NewToken, add_identity, issue};
pub use revoke::{revoke_tree, revoke_up_to};
pub use routes::routes;
pub use store::{TokenHash, TokenStore};
pub use sweep::TokenSweeper;
