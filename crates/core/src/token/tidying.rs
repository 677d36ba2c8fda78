//! `auth/token/tidy`: takes back tokens whose parents are gone. They are refused at use already; this frees space.

use super::revoke;
use super::store::TokenHash;
use crate::core::Core;
use crate::state::MountTable;
use crate::sys::SysCtx;
use crate::tidying::{Walk, start};
use bulla_barrier::Txn;
use bulla_kit::{Answer, EngineError, NoParams};
use bulla_types::Time;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub async fn tidy(ctx: SysCtx, _: NoParams) -> Answer {
    let (mut reply, begun) = start::<Tokens>(&ctx);
    reply.accepted = begun;
    Ok(reply)
}

struct Tokens;

impl Walk for Tokens {
    const WHAT: &'static str = "tokens";
    type Place = TokenHash;

    fn running(core: &Core) -> &AtomicBool {
        &core.tidying_tokens
    }

    async fn step(
        txn: &Arc<Txn>,
        mounts: &MountTable,
        after: Option<&TokenHash>,
        now: Time,
        limit: usize,
    ) -> Result<Option<TokenHash>, EngineError> {
        revoke::tidy(txn, after, mounts, now, limit).await
    }
}
