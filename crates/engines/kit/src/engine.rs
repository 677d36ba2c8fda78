//! What an engine is to the server: its routes, and what happens to a mount and to a lease around requests.

use crate::{Answer, Ctx, EngineError, Input, RawJson, Routes, TokenLimits, View};
use bulla_types::{PolicyName, Seconds, Time};
use indexmap::IndexMap;
use std::future::Future;
use std::pin::Pin;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineKind {
    Secrets,
    Auth,
}

/// What a mount was given when it was enabled or tuned.
#[derive(Clone, Debug, Default)]
pub struct MountSettings {
    pub options: IndexMap<String, String>,
}

/// How far the setup of a mount has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    Done,
    /// The rest follows in batches of its own ([`Engine::go_on_setup`]); until then the mount answers nothing.
    Unfinished,
}

/// A lease as its engine sees it again at renewal and revocation.
#[derive(Clone, Debug)]
pub struct SecretLease {
    pub kind: String,
    /// What the engine asked to keep when it issued the secret.
    pub internal: RawJson,
    pub issued: Time,
    pub ttl: Seconds,
    pub increment: Option<Seconds>,
}

/// A token that a login made, as its auth method sees it again at renewal.
#[derive(Clone, Debug)]
pub struct LoginLease {
    /// What the method asked to keep when it let the login in.
    pub internal: Option<RawJson>,
    /// As the login gave them; identity's are not among them.
    pub policies: Vec<PolicyName>,
    pub metadata: IndexMap<String, String>,
    pub issued: Time,
    pub ttl: Seconds,
    pub increment: Option<Seconds>,
}

/// Why a secret is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeReason {
    Expired,
    Asked,
    TokenGone,
    MountGone,
}

/// A secrets engine or auth method.
pub trait Engine: Send + Sync + 'static {
    fn kind(&self) -> EngineKind;

    fn routes(&self) -> &Routes<Ctx>;

    /// One paragraph for `?help=1` on the mount itself.
    fn help(&self) -> &'static str;

    /// Reads and lists of this engine do nothing but read the store: they may be dropped half-way when the client hangs up.
    /// An engine that hands out secrets when it is read leaves this as it is.
    fn only_reads_on_read(&self) -> bool {
        false
    }

    /// The answer to a path that fits no route.
    fn unmatched(&self, _input: &Input) -> Answer {
        Err(EngineError::UnsupportedPath)
    }

    /// Runs inside the transaction that enables the mount or changes its options.
    fn setup<'a>(
        &'a self,
        _view: &'a View,
        _settings: &'a MountSettings,
        _now: Time,
    ) -> BoxFuture<'a, Result<Setup, EngineError>> {
        Box::pin(std::future::ready(Ok(Setup::Done)))
    }

    /// One more step of a setup too large for one transaction, in a transaction of its own. May be called again after a
    /// crash: what an earlier step made durable must not be done twice.
    fn go_on_setup<'a>(&'a self, _view: &'a View, _now: Time) -> BoxFuture<'a, Result<Setup, EngineError>> {
        Box::pin(std::future::ready(Ok(Setup::Done)))
    }

    /// Renews a secret; answers the new duration.
    fn renew<'a>(&'a self, _ctx: &'a Ctx, _lease: &'a SecretLease) -> BoxFuture<'a, Result<Seconds, EngineError>> {
        Box::pin(std::future::ready(Err(EngineError::bad("lease is not renewable"))))
    }

    /// Renews a token that a login made: the limits as the method's configuration has them now.
    ///
    /// An error refuses the renewal: whoever logged in is gone, or would get other policies today.
    fn renew_login<'a>(
        &'a self,
        _ctx: &'a Ctx,
        _login: &'a LoginLease,
    ) -> BoxFuture<'a, Result<TokenLimits, EngineError>> {
        Box::pin(std::future::ready(Err(EngineError::bad("lease is not renewable"))))
    }

    /// A small step of work in the background, in a transaction of its own; `true` = there is more. It frees space and
    /// nothing else: whatever is over is refused at use, whether this ran or not.
    fn tend<'a>(&'a self, _view: &'a View, _now: Time) -> BoxFuture<'a, Result<bool, EngineError>> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Takes a secret back. Called again after a failure or a restart: must not mind that it is gone already.
    fn revoke<'a>(
        &'a self,
        _ctx: &'a Ctx,
        _lease: &'a SecretLease,
        _why: RevokeReason,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
