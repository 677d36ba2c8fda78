//! Copying and moving a secret with all its versions to another path of the mount; see `docs/decisions/0009-copy-and-move.md`.
//!
//! Not here: whether the caller may use the route at all (policy has decided that before). What the caller may do at the
//! place that the body names is asked here.

use super::records::{KeyId, Metadata};
use super::secret;
use crate::params::{Sent, secret_path, writable_path};
use bulla_kit::{Answer, Ctx, EngineError, Params, Reply};
use bulla_types::{Operation, RequestPath};

/// The most bytes of values copied at once. With metadata, keys and encryption (up to 1.5 MiB more) they still fit the
/// 32 MiB that the store takes in one batch.
pub const MAX_COPY: usize = 30 << 20;
/// What a version costs beside its value: key, frame, and a margin.
const OVERHEAD: usize = 128;

#[derive(Params)]
pub struct TransferParams {
    /// Location of the secret.
    #[param(path)]
    path: String,
    /// Path of the secret it becomes, in the same mount. There must be none yet.
    to: Sent<String>,
}

/// From where to where, inside the mount.
struct Way {
    from: String,
    to: String,
}

pub async fn copy(ctx: Ctx, sent: TransferParams) -> Answer {
    let way = Way::open(&ctx, &sent)?;
    let before = way.ends(&ctx).await?;
    let after = Metadata { key_id: KeyId(ctx.random()?), ..before.clone() };
    copy_values(&ctx, &before, after.key_id).await?;
    secret::put_metadata(&ctx.view, &way.to, &after)?;
    Ok(Reply::none())
}

/// The values stay where they are: they go by the key id, which the metadata takes along.
pub async fn relocate(ctx: Ctx, sent: TransferParams) -> Answer {
    let way = Way::open(&ctx, &sent)?;
    let metadata = way.ends(&ctx).await?;
    secret::put_metadata(&ctx.view, &way.to, &metadata)?;
    ctx.view.delete(&secret::record(&way.from))?;
    Ok(Reply::none())
}

impl Way {
    /// Refuses before anything is read, so that nobody without rights learns what is there.
    fn open(ctx: &Ctx, sent: &TransferParams) -> Result<Self, EngineError> {
        let to = sent.to.0.as_deref().unwrap_or_default();
        if to.is_empty() {
            return Err(EngineError::bad("missing target: `to` says where the secret is to be"));
        }
        let (target, target_notes) = (place(ctx, "data", to)?, place(ctx, "metadata", to)?);
        let to = writable_path(to)?.to_owned();
        let from = secret_path(&sent.path).ok_or(EngineError::NotFound)?.to_owned();
        if from == to {
            return Err(EngineError::bad("the secret is at the target already: both paths are the same"));
        }
        let closed = [&target_notes, &place(ctx, "data", &from)?, &place(ctx, "metadata", &from)?];
        if !ctx.caller_may(Operation::Create, &target, &["data"])
            || closed.iter().any(|path| ctx.caller_is_denied(path))
        {
            return Err(EngineError::Denied);
        }
        Ok(Self { from, to })
    }

    /// What is to be taken over; the other end is free.
    async fn ends(&self, ctx: &Ctx) -> Result<Metadata, EngineError> {
        let found = secret::metadata(&ctx.view, &self.from).await?.ok_or(EngineError::NotFound)?;
        if secret::exists(&ctx.view, &self.to).await? {
            return Err(EngineError::bad(format!("there is a secret at `{}` already", self.to)));
        }
        Ok(found)
    }
}

/// A path of the mount as a request for it would have it. Whatever no request could name is refused.
fn place(ctx: &Ctx, tree: &str, path: &str) -> Result<RequestPath, EngineError> {
    RequestPath::parse(&format!("{}{tree}/{path}", ctx.mount.path)).map_err(|error| EngineError::bad(error.to_string()))
}

/// Every value that has not been destroyed, deleted ones too: they can come back.
async fn copy_values(ctx: &Ctx, metadata: &Metadata, to: KeyId) -> Result<(), EngineError> {
    let mut bytes = 0;
    for (number, _) in metadata.versions.iter().filter(|(_, version)| !version.destroyed) {
        let value = secret::raw_value(&ctx.view, metadata.key_id, *number).await?;
        bytes += value.len() + OVERHEAD;
        if bytes > MAX_COPY {
            return Err(EngineError::bad(format!(
                "the secret is too large to be copied at once: its versions are more than {MAX_COPY} bytes"
            )));
        }
        secret::put_raw_value(&ctx.view, to, *number, value);
    }
    Ok(())
}
