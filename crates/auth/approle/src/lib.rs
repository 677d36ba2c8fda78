//! The auth method of machines: a role id that says what one is, and a secret id that proves it.
//!
//! ```text
//! named  role/<name>                  role: constraints, fields of the tokens, a random key     role
//! plain  i <hash of role id>          the role's name                                           role
//! plain  s <role key> <hash>          a secret id, under a keyed hash of itself                 secret_id
//! named  accessor/<role key>/<accessor>  that hash                                              secret_id
//! plain  e <time> <role key> <hash>   secret ids by the time they expire                        secret_id
//! plain  g <role key>                 removed roles whose secret ids still lie there            tidy
//! ```
//! A role's key is made with the role, so that a role removed and made again shares nothing with the former one, and
//! nothing that belongs to one role is found by way of another. A login reads three records, whatever there is beside.
//!
//! Not here: counting of failed logins and the token itself (`core`), the fields that all methods share (`auth/tokens`).

mod constraints;
mod login;
mod metadata;
mod parts;
mod role;
mod roles;
mod secret_id;
mod secret_ids;
mod tidy;

use bulla_kit::{BoxFuture, Ctx, Engine, EngineError, EngineKind, LoginLease, Routes, TokenLimits, View};
use bulla_types::Time;
use std::sync::Arc;

/// The method.
pub fn approle() -> Arc<dyn Engine> {
    let mut routes = vec![login::route(), tidy::route()];
    routes.extend(roles::routes());
    routes.extend(parts::routes());
    routes.extend(secret_ids::routes());
    Arc::new(AppRole { routes: Routes::new(routes) })
}

struct AppRole {
    routes: Routes<Ctx>,
}

impl Engine for AppRole {
    fn kind(&self) -> EngineKind {
        EngineKind::Auth
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.routes
    }

    fn help(&self) -> &'static str {
        "The approle method lets machines log in with a role id and a secret id that belongs to it."
    }

    fn renew_login<'a>(
        &'a self,
        ctx: &'a Ctx,
        login: &'a LoginLease,
    ) -> BoxFuture<'a, Result<TokenLimits, EngineError>> {
        Box::pin(login::renew(ctx, login))
    }

    fn tend<'a>(&'a self, view: &'a View, now: Time) -> BoxFuture<'a, Result<bool, EngineError>> {
        Box::pin(tidy::step(view, now))
    }
}
