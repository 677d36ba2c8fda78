//! `sys/seal` and `sys/step-down`.

use super::{Effect, SysCtx};
use bulla_kit::{Answer, NoParams, Reply, Route};

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::sudo("seal").help("Seal the server.", "Erases all keys from memory.").update(seal),
        Route::sudo("step-down").help("Give up being active.", "Nothing to do on a single node.").update(step_down),
    ]
}

/// The pipeline carries the seal out once this request is committed and recorded.
async fn seal(ctx: SysCtx, _: NoParams) -> Answer {
    ctx.after_commit(Effect::Seal);
    Ok(Reply::none())
}

async fn step_down(_: SysCtx, _: NoParams) -> Answer {
    Ok(Reply::none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_types::Operation;
    use serde_json::json;
    use std::sync::Arc;

    /// Whoever asked while another seal was waiting for requests in flight was told at once that all is erased.
    #[tokio::test]
    async fn a_seal_beside_another_is_answered_when_all_is_erased() {
        let server = Arc::new(Server::start(1, 1, CoreConfig::default()).await);
        let in_flight = server.core.gate.pass().unwrap();
        let seal = |token: Option<String>| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                server.call_as(token.as_deref(), Operation::Update, "sys/seal", json!({})).await.ok();
            })
        };
        let first = seal(Some(server.root.clone()));
        while server.core.is_unsealed() {
            tokio::task::yield_now().await;
        }
        let second = seal(None);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!first.is_finished() && !second.is_finished(), "a request is still in flight");
        drop(in_flight);
        first.await.unwrap();
        second.await.unwrap();
    }
}
