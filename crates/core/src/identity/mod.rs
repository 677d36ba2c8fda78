//! Identity: who a token belongs to, by whichever way they logged in, and what policies that gives them.
//!
//! ```text
//! login ── alias (mount, name) ──► entity ──► groups ──► their parents …     policies add up along the way
//! request ── token's entity id ──┘   (disabled or gone: the token is refused)
//! ```
//!
//! `store` keeps records and the indexes made from them, `standing` is an entity with its groups as a request sees it,
//! `login` finds or makes the entity of a login. The rest are the routes of `identity/…`. Nothing is kept in memory
//! between requests: what an administrator changes holds for the next request of every live token.
//!
//! Not here: tokens (`token`), which policies a template reads (`rules/policy`), OIDC, second factors.

mod aliases;
mod entities;
mod group_aliases;
mod groups;
mod input;
mod login;
mod lookup;
mod merge;
mod show;
mod standing;
mod store;
#[cfg(test)]
mod tests;

pub use login::{of_alias, of_login};
pub use standing::{Standing, TokenEntity, of_token};
pub use store::IdentityStore;

use crate::sys::SysCtx;
use bulla_kit::Route;

pub fn routes() -> Vec<Route<SysCtx>> {
    let mut routes = entities::routes();
    routes.extend(aliases::routes());
    routes.extend(groups::routes());
    routes.extend(group_aliases::routes());
    routes.extend(lookup::routes());
    routes
}
