//! Clearing away: expired secret ids, and secret ids of roles that are gone. It frees space only; a login looks at all of
//! it itself.

use crate::role::RoleKey;
use crate::secret_id::{self, EXPIRY, Place};
use bulla_kit::{Answer, Ctx, EngineError, NoParams, Reply, Route, View};
use bulla_types::Time;

const GONE: u8 = b'g';

/// Secret ids cleared in one batch: small, so that requests get between.
const BATCH: usize = 500;

pub fn route() -> Route<Ctx> {
    Route::token("tidy/secret-id")
        .help(
            "Clears away secret ids that have expired.",
            "Done in the background anyway; this begins at once. It frees space, expired secret ids are refused either way.",
        )
        .update(tidy)
}

async fn tidy(ctx: Ctx, _: NoParams) -> Answer {
    step(&ctx.view, ctx.now).await?;
    let mut reply = Reply::empty().warn(
        "Tidy operation successfully started. Any information from the operation will be printed to Bulla's server logs.",
    );
    reply.accepted = true;
    Ok(reply)
}

/// Clears one batch; `true` = there is more.
///
/// # Errors
/// Storage.
pub async fn step(view: &View, now: Time) -> Result<bool, EngineError> {
    let gone = view.plain_range(&[GONE], 1).await?;
    if let Some(role) = gone.first().and_then(|(key, _)| key.strip_prefix(&[GONE])?.try_into().ok()) {
        forget_role(view, RoleKey(role)).await?;
        return Ok(true);
    }
    clear_expired(view, now).await
}

async fn clear_expired(view: &View, now: Time) -> Result<bool, EngineError> {
    // Up to now only, so that secret ids made meanwhile, which expire later, do not collide with it.
    let due = view.plain_range_before(&[EXPIRY], &secret_id::expiry_end(now), BATCH).await?;
    for (key, _) in &due {
        if let Some((_, place)) = Place::of_expiry(key)
            && let Some(expired) = secret_id::read_any(view, &place).await?
        {
            secret_id::remove(view, &place, &expired)?;
        }
        view.plain_delete(key);
    }
    Ok(due.len() == BATCH)
}

/// Clears a batch of the secret ids of a role that is gone; what is left is noted for the steps to come.
pub async fn forget_role(view: &View, role: RoleKey) -> Result<(), EngineError> {
    let found = view.plain_range(&secret_id::prefix(role), BATCH).await?;
    for (key, value) in &found {
        match (Place::of_record(role, key), secret_id::decode(value)) {
            (Some(place), Ok(record)) => secret_id::remove(view, &place, &record)?,
            _ => view.plain_delete(key),
        }
    }
    let note = [&[GONE][..], &role.0].concat();
    // Those of damaged records, if any, are left.
    let more = found.len() == BATCH || !secret_id::clear_accessors(view, role, BATCH).await?;
    if more {
        view.plain_put(&note, Vec::new());
    } else {
        view.plain_delete(&note);
    }
    Ok(())
}
