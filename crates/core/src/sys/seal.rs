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
