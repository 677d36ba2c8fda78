//! The barrier's data keys: `sys/key-status`, `sys/rotate`, `sys/rotate/config`.

use super::SysCtx;
use bulla_barrier::{SealedStore, Txn, View};
use bulla_kit::{Answer, EngineError, Flag, NoParams, Params, Reply, Route, SignedDuration};
use bulla_seal::{ROTATE_AFTER, RootKey};
use bulla_types::{NamespaceId, Time, go_duration_text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Params)]
struct ConfigParams {
    /// Whether the key is rotated by itself.
    enabled: Flag,
    /// Values encrypted under one key.
    max_operations: Option<i64>,
    /// Time between rotations; 0 = by count alone.
    interval: Option<SignedDuration>,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    let config = |pattern| {
        Route::token(pattern)
            .help(
                "When the key is rotated by itself.",
                "After so many encryptions or so long a time, and always before the cipher's limit.",
            )
            .read(read_config)
            .update(write_config)
    };
    vec![
        Route::token("key-status")
            .help("The data key in use.", "Its number, since when, and how often it has encrypted.")
            .read(status),
        config("rotate/config"),
        config("rotate/keyring/config"),
        Route::sudo("rotate").help("Add a data key.", "Old ones stay readable.").update(rotate),
        Route::sudo("rotate/root").help("Make a new root key.", "The shares stay as they are.").update(rotate_root),
        Route::sudo("rotate/keyring").help("Add a data key.", "Old ones stay readable.").update(rotate),
    ]
}

async fn status(ctx: SysCtx, _: NoParams) -> Answer {
    let (term, installed, encryptions) = ctx.txn().barrier().key_status();
    let data =
        json!({ "term": term, "install_time": Time::from_unix(installed).rfc3339(), "encryptions": encryptions });
    Ok(Reply::json(&data)?.at_top_too())
}

fn no_randomness<E>(_: E) -> EngineError {
    EngineError::internal("no randomness could be had from the system")
}

async fn rotate(ctx: SysCtx, _: NoParams) -> Answer {
    let alone = ctx.pass.owner().keys.alone().await;
    let next = ctx.txn().barrier().with_keyring(|keyring| keyring.rotated(ctx.now().unix())).map_err(no_randomness)?;
    SealedStore::put_keyring(ctx.txn(), &next).map_err(|_| EngineError::internal("the keyring could not be sealed"))?;
    let pass = ctx.pass.clone();
    ctx.once_answered(move || {
        pass.barrier().install(next);
        drop(alone);
    });
    Ok(Reply::none())
}

/// The keyring is sealed anew under the new key, and that key under the unseal key in force.
async fn rotate_root(ctx: SysCtx, _: NoParams) -> Answer {
    let keys = &ctx.pass.owner().keys;
    let alone = keys.alone().await;
    let root = RootKey::generate().map_err(no_randomness)?;
    SealedStore::rotate_root(ctx.txn(), &keys.unseal_key(), keys.former().as_deref(), &root).map_err(no_randomness)?;
    let pass = ctx.pass.clone();
    ctx.once_answered(move || {
        pass.barrier().install_root(root);
        drop(alone);
    });
    Ok(Reply::none())
}

/// Automatic rotation. Lies at `core/rotation`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rotation {
    enabled: bool,
    max_operations: i64,
    /// Nanoseconds.
    interval: i64,
}

/// A tenth below 2^32: AES-GCM with random nonces stays far from a repeated one (NIST SP 800-38D, section 8.3).
const MOST: i64 = 3_865_470_566;
const LEAST: i64 = 1_000_000;
const DAY: i128 = 86_400_000_000_000;
const PLACE: &str = "core/rotation";

fn view(txn: &Arc<Txn>) -> View {
    View::new(txn, NamespaceId::ROOT.0)
}

/// Whether the settings ask for a new data key at `now`.
///
/// # Errors
/// Storage.
pub async fn rotation_due(txn: &Arc<Txn>, now: Time) -> Result<bool, EngineError> {
    let rotation = load(txn).await?;
    let (_, installed, encryptions) = txn.barrier().key_status();
    let interval = u64::try_from(rotation.interval / 1_000_000_000).unwrap_or_default();
    let old = interval > 0 && now.unix().saturating_sub(installed) >= interval;
    // The limit of the cipher holds whatever the settings say.
    let most = u64::try_from(rotation.max_operations).unwrap_or(ROTATE_AFTER).min(ROTATE_AFTER);
    Ok(rotation.enabled && (old || encryptions >= most))
}

async fn load(txn: &Arc<Txn>) -> Result<Rotation, EngineError> {
    match view(txn).get(PLACE).await? {
        Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| EngineError::damaged("rotation settings")),
        None => Ok(Rotation { enabled: true, max_operations: MOST, interval: 0 }),
    }
}

async fn read_config(ctx: SysCtx, _: NoParams) -> Answer {
    let rotation = load(ctx.txn()).await?;
    let interval: Value = match rotation.interval {
        0 => 0.into(),
        nanos => go_duration_text(i128::from(nanos)).into(),
    };
    Reply::json(
        &json!({ "enabled": rotation.enabled, "max_operations": rotation.max_operations, "interval": interval }),
    )
}

async fn write_config(ctx: SysCtx, params: ConfigParams) -> Answer {
    let mut rotation = load(ctx.txn()).await?;
    if let Some(enabled) = params.enabled {
        rotation.enabled = enabled;
    }
    if let Some(most) = params.max_operations {
        if !(LEAST..=MOST).contains(&most) {
            return Err(EngineError::bad(format!("max_operations must be in the range [{LEAST},{MOST}]")));
        }
        rotation.max_operations = most;
    }
    if let Some(SignedDuration(nanos)) = params.interval {
        if nanos != 0 && nanos < DAY {
            return Err(EngineError::bad(format!("interval must be greater or equal to {}", go_duration_text(DAY))));
        }
        rotation.interval = i64::try_from(nanos).map_err(|_| EngineError::bad("interval is too long"))?;
    }
    let bytes =
        serde_json::to_vec(&rotation).map_err(|_| EngineError::internal("the settings could not be written"))?;
    view(ctx.txn()).put(PLACE, bytes)?;
    Ok(Reply::none())
}
