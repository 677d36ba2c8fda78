//! New shares come into force, and those from before end once somebody surely has the new ones
//! (`docs/decisions/0010-shares-nobody-was-told.md`).
//!
//! ```text
//! rekey --> both unseal --the answer has left, or the new ones unseal-----> only the new ones
//!                     \---the old ones unseal (`Core::unseal_with`)---------> only the old ones
//! ```

use super::rekey::NewShares;
use super::{Held, seal_config};
use crate::core::Core;
use crate::delivery::{Delivered, Delivery};
use crate::sys::{Effect, SysCtx};
use bulla_barrier::{BarrierError, Former, SealedStore, Txn};
use bulla_kit::EngineError;
use bulla_seal::{SealConfig, UnsealKey};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long a seal waits for an answer with new shares that is on its way. The bytes are with the system a moment before we
/// know it, and a client that is quick must not find the old shares in force; one that is stuck must not hold up the seal.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

fn not_sealed<E>(_: E) -> EngineError {
    EngineError::internal("the root key could not be sealed")
}

/// The new key seals the root key as soon as the request's batch is durable. All that knows the new shares then is an answer
/// that may never arrive, so that the old ones unseal as well until it has left.
///
/// # Errors
/// The keys cannot be sealed.
pub async fn hand_over(
    ctx: &SysCtx,
    mut held: Held<NewShares>,
    key: UnsealKey,
    config: &SealConfig,
) -> Result<(), EngineError> {
    let keys = &ctx.pass.owner().keys;
    let former = seal_config(ctx).await?;
    SealedStore::rekey(ctx.txn(), config, &key, &Former::Kept(&former, &keys.unseal_key())).map_err(not_sealed)?;
    // A wrapped answer stays in the store: nobody has the shares before the next unseal proves it.
    let delivered = ctx.request.wrap.is_none().then(|| {
        let (delivery, delivered) = Delivery::new();
        ctx.after_commit(Effect::TellDelivery(delivery));
        delivered
    });
    let (pass, core) = (ctx.pass.clone(), Arc::downgrade(&ctx.core));
    ctx.once_answered(move || {
        let keys = &pass.owner().keys;
        let former = Arc::downgrade(&keys.set_new_unseal_key(key));
        if let Some(delivered) = delivered {
            keys.set_settling(tokio::spawn(end_once_delivered(core, former, delivered)));
        }
        *held = None;
    });
    Ok(())
}

/// As [`hand_over`], where the new shares have been presented: the old ones end with the same batch.
///
/// # Errors
/// The keys cannot be sealed.
pub fn put_in_force(
    ctx: &SysCtx,
    mut held: Held<NewShares>,
    key: UnsealKey,
    config: &SealConfig,
) -> Result<(), EngineError> {
    SealedStore::rekey(ctx.txn(), config, &key, &Former::Gone).map_err(not_sealed)?;
    let pass = ctx.pass.clone();
    ctx.once_answered(move || {
        pass.owner().keys.set_unseal_key(key);
        *held = None;
    });
    Ok(())
}

/// Ends the old shares once the answer with the new ones has left.
async fn end_once_delivered(core: Weak<Core>, former: Weak<UnsealKey>, delivered: Delivered) {
    if !delivered.known().await {
        tracing::warn!(
            "new unseal shares were made, but the answer did not reach the client: until the new shares unseal for the \
             first time, the old ones do as well, and take the rekey back"
        );
        return;
    }
    let Some(core) = core.upgrade() else { return };
    match end(&core, &former).await {
        Ok(true) => tracing::info!("the new unseal shares were handed out; the old ones have ended"),
        Ok(false) => {}
        Err(error) => {
            tracing::warn!(%error, "the old unseal shares could not be ended; they end with the next unseal by new ones");
        }
    }
}

/// `false` = there is nothing to end any more, or not by us: sealed meanwhile, or replaced by the next rekey.
async fn end(core: &Core, former: &Weak<UnsealKey>) -> Result<bool, BarrierError> {
    let Ok(pass) = core.gate.pass() else { return Ok(false) };
    let keys = &pass.owner().keys;
    let _alone = keys.alone().await;
    let (Some(held), Some(ours)) = (keys.former(), former.upgrade()) else { return Ok(false) };
    if !Arc::ptr_eq(&held, &ours) {
        return Ok(false);
    }
    let txn = Txn::begin(&pass)?;
    SealedStore::forget_former(&txn);
    txn.commit(()).await?;
    keys.forget_former();
    Ok(true)
}

impl Core {
    /// Waits until it is known whether the answer to the last rekey has left, and what follows is durable; not for long.
    pub async fn settle_shares(&self) {
        let Ok(pass) = self.gate.pass() else { return };
        let settling = pass.owner().keys.take_settling();
        drop(pass);
        if let Some(settling) = settling {
            let _ = tokio::time::timeout(ON_ITS_WAY, settling).await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::{Server, told};
    use crate::{CoreConfig, Delivery, WrapRequest};
    use bulla_types::{Operation, Seconds};
    use serde_json::json;

    async fn server() -> Server {
        Server::start(1, 1, CoreConfig::default()).await
    }

    /// A rekey of one share, authorised by `share`: what tells of its answer, and the new share.
    async fn rekey(server: &Server, share: &str, wrap: Option<WrapRequest>) -> (Option<Delivery>, String) {
        let asked = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let nonce = server.write("sys/rotate/root/init", asked).await.text("nonce");
        let body = json!({ "key": share, "nonce": nonce });
        let request = server.request(Some(&server.root), Operation::Update, "sys/rotate/root/update", &body);
        let mut answer = server.answer(crate::Request { wrap, ..request }).await;
        let delivery = answer.delivery.take();
        let told = told(answer).ok();
        (delivery, told["keys"][0].as_str().unwrap_or_default().to_owned())
    }

    async fn seal(server: &Server) {
        server.core.seal(Duration::from_secs(1), 0).await;
    }

    async fn unseals(server: &Server, share: &str) -> bool {
        server.unseal(&[share.to_owned()]).await.is_ok()
    }

    async fn both_unseal(server: &Server) -> bool {
        server.core.sealed.former_config().await.unwrap().is_some()
    }

    #[tokio::test]
    async fn old_shares_end_when_the_answer_has_left() {
        let server = server().await;
        let (delivery, new) = rekey(&server, &server.shares[0], None).await;
        assert!(both_unseal(&server).await);
        delivery.unwrap().arrived();
        server.core.settle_shares().await;
        assert!(!both_unseal(&server).await && server.core.gate.pass().unwrap().owner().keys.former().is_none());
        seal(&server).await;
        assert!(!unseals(&server, &server.shares[0]).await && unseals(&server, &new).await);
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_the_old_shares_until_an_unseal() {
        for by_new in [false, true] {
            let server = server().await;
            let (delivery, new) = rekey(&server, &server.shares[0], None).await;
            drop(delivery);
            server.core.settle_shares().await;
            assert!(both_unseal(&server).await);
            seal(&server).await;
            let (these, those) = if by_new { (&new, &server.shares[0]) } else { (&server.shares[0], &new) };
            assert!(unseals(&server, these).await && !both_unseal(&server).await);
            // The key in memory is that of the shares that count: what is sealed now opens with them.
            server.write("sys/rotate/root", json!({})).await.ok();
            seal(&server).await;
            assert!(!unseals(&server, those).await && unseals(&server, these).await, "by new: {by_new}");
        }
    }

    /// They open the door again; they do not make shares or root tokens behind the back of those who have the new ones.
    #[tokio::test]
    async fn old_shares_authorise_nothing_meanwhile() {
        let server = server().await;
        drop(rekey(&server, &server.shares[0], None).await);
        assert!(both_unseal(&server).await);
        let attempt = server.write("sys/generate-root-token/attempt", json!({})).await.text("nonce");
        let asked = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let nonce = server.write("sys/rotate/root/init", asked).await.text("nonce");
        for (path, nonce) in [("sys/generate-root-token/update", attempt), ("sys/rotate/root/update", nonce)] {
            let told = server.write(path, json!({ "key": server.shares[0], "nonce": nonce })).await;
            assert!(told.error().contains("unable to authenticate"), "{told:?}");
        }
    }

    #[tokio::test]
    async fn a_seal_waits_for_an_answer_on_its_way_but_not_for_ever() {
        let server = server().await;
        let (delivery, new) = rekey(&server, &server.shares[0], None).await;
        let core = Arc::clone(&server.core);
        let sealing = tokio::spawn(async move { core.seal(Duration::from_secs(1), 0).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(server.core.is_unsealed());
        delivery.unwrap().arrived();
        sealing.await.unwrap();
        assert!(!both_unseal(&server).await);
        assert!(unseals(&server, &new).await);
        let (_never, _) = rekey(&server, &new, None).await;
        seal(&server).await;
        assert!(!server.core.is_unsealed() && both_unseal(&server).await);
    }

    /// The shares are in a store that the old shares may have to open.
    #[tokio::test]
    async fn a_wrapped_answer_proves_nothing() {
        let server = server().await;
        let wrap = WrapRequest { ttl: Seconds(600), jwt: false };
        let (delivery, new) = rekey(&server, &server.shares[0], Some(wrap)).await;
        assert!(delivery.is_none() && new.is_empty());
        server.core.settle_shares().await;
        assert!(both_unseal(&server).await);
        seal(&server).await;
        assert!(unseals(&server, &server.shares[0]).await);
    }

    #[tokio::test]
    async fn a_late_answer_ends_nothing_of_the_next_rekey() {
        let server = server().await;
        let (first, second_share) = rekey(&server, &server.shares[0], None).await;
        let (second, third_share) = rekey(&server, &second_share, None).await;
        first.unwrap().arrived();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(both_unseal(&server).await);
        drop(second);
        seal(&server).await;
        assert!(!unseals(&server, &server.shares[0]).await, "the second share was presented");
        assert!(unseals(&server, &second_share).await);
        seal(&server).await;
        assert!(!unseals(&server, &third_share).await);
    }
}
