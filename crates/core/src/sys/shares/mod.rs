//! What shares can do besides unsealing: new shares (`sys/rotate/root/…`, `sys/rekey/…`) and a new root token
//! (`sys/generate-root-token/…`, `sys/generate-root/…`). Each exists twice, for callers with a token and, where a
//! listener opens it, for anybody.
//!
//! The rules are `rules/seal`'s. Here: one place for each kind of operation, who may touch it, and the spellings of the
//! answers. A handler works on a copy; the copy takes the place of the original once the answer has been recorded.

mod former;
mod rekey;
mod root;
#[cfg(test)]
mod tests;
mod work;

use super::SysCtx;
use bulla_barrier::SealedStoreError;
use bulla_crypto::random;
use bulla_kit::{EngineError, Params, Route};
use bulla_seal::{SealConfig, Share, UnsealKey, WRONG_KEY};
pub use work::KeyWork;
use work::{Begun, Family, Held};

pub fn routes() -> Vec<Route<SysCtx>> {
    let mut routes = rekey::routes();
    routes.extend(root::routes());
    routes
}

#[derive(Params)]
struct ShareParams {
    /// One share, hex or base64.
    key: String,
    /// The nonce of the operation that the share is meant for.
    nonce: String,
}

#[derive(Params)]
struct CancelParams {
    /// The nonce of the operation to cancel.
    nonce: String,
}

fn fresh_nonce() -> Result<String, EngineError> {
    random::uuid().map_err(|_| EngineError::internal("no randomness could be had from the system"))
}

fn parse_share(text: &str) -> Result<Share, EngineError> {
    Share::parse(text).map_err(|error| EngineError::bad(error.to_string()))
}

async fn seal_config(ctx: &SysCtx) -> Result<SealConfig, EngineError> {
    let config = ctx.core.sealed.seal_config().await;
    config.ok().flatten().ok_or_else(|| EngineError::damaged("seal configuration"))
}

/// Whether the key that the shares gave is the one in force.
async fn authenticate(ctx: &SysCtx, key: &UnsealKey) -> Result<(), EngineError> {
    match ctx.core.sealed.check(key).await {
        Ok(_) => Ok(()),
        Err(SealedStoreError::WrongKey) => Err(EngineError::bad(format!("unable to authenticate: {WRONG_KEY}"))),
        Err(_) => Err(EngineError::damaged("root key")),
    }
}
