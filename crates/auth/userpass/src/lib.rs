//! The auth method of people with a name and a password.
//!
//! ```text
//! named  user/<name>      password hash (bcrypt), fields of the tokens      records
//! named  highest-cost     the most costly hash ever taken over ready-made   records
//!
//! routes users/, users/<name>, users/<name>/password, users/<name>/policies: users
//!        login/<name>:                                                       login
//! ```
//! A name is one in any case. Whether somebody has it cannot be told from outside: answers and work are the same.
//! Not here: counting of failed logins and the token itself (`core`), the fields that all methods share (`auth/tokens`).

mod login;
mod password;
mod pool;
mod records;
mod users;

use bulla_kit::{BoxFuture, Ctx, Engine, EngineError, EngineKind, LoginLease, Routes, TokenLimits};
use std::sync::Arc;

/// The method. All mounts of the process hash on the same few threads.
pub fn userpass() -> Arc<dyn Engine> {
    let mut routes = users::routes();
    routes.push(login::route());
    Arc::new(Userpass { routes: Routes::new(routes) })
}

struct Userpass {
    routes: Routes<Ctx>,
}

impl Engine for Userpass {
    fn kind(&self) -> EngineKind {
        EngineKind::Auth
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.routes
    }

    fn help(&self) -> &'static str {
        "The userpass method lets people log in with a name and a password that are kept here."
    }

    fn renew_login<'a>(
        &'a self,
        ctx: &'a Ctx,
        login: &'a LoginLease,
    ) -> BoxFuture<'a, Result<TokenLimits, EngineError>> {
        Box::pin(login::renew(ctx, login))
    }
}
