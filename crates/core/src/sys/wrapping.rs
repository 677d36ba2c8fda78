//! `sys/wrapping/…`: what can be done with wrapped answers. How they are kept is `crate::wrapping`.

use super::SysCtx;
use crate::request::WrapRequest;
use crate::wrapping::{self, Site, Wrapper};
use bulla_kit::{Answer, EngineError, Input, Params, Reply, Route};
use serde_json::json;

#[derive(Params)]
struct WrapperParams {
    /// The wrapping token; the request's own token if not given.
    token: Option<String>,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("wrapping/wrap")
            .help(
                "Wrap the request's own data.",
                "The answer is a token that gives it back, once, until the time in `X-Vault-Wrap-TTL` is over.",
            )
            .update(wrap),
        Route::public("wrapping/lookup")
            .help("Where and when an answer was wrapped.", "Spends no use of the wrapping token.")
            .read(lookup)
            .update(lookup),
        Route::token("wrapping/unwrap")
            .help("Take a wrapped answer out, once.", "By the wrapping token, in the body or as the request's own.")
            .update(unwrap),
        Route::token("wrapping/rewrap")
            .help("Move a wrapped answer to a new wrapping token.", "The former one is worthless afterwards.")
            .update(rewrap),
    ]
}

async fn wrapper(ctx: &SysCtx, params: WrapperParams) -> Result<Wrapper, EngineError> {
    let text = params.token.filter(|t| !t.is_empty()).unwrap_or_else(|| ctx.token_text());
    wrapping::find(ctx.txn(), &text, &ctx.state.mounts, ctx.now()).await
}

async fn wrap(ctx: SysCtx, input: Input) -> Answer {
    if ctx.request.wrap.is_none() {
        return Err(EngineError::bad("endpoint requires response wrapping to be used"));
    }
    Ok(Reply::data(input.body.to_json()))
}

async fn lookup(ctx: SysCtx, params: WrapperParams) -> Answer {
    if params.token.as_deref().unwrap_or_default().is_empty() && ctx.token_text().is_empty() {
        return Err(EngineError::DeniedBecause("error validating wrapping token: token is empty".into()));
    }
    let record = wrapper(&ctx, params).await?.record;
    Reply::json(&json!({
        "creation_path": record.path,
        "creation_time": record.created.rfc3339(),
        "creation_ttl": record.creation_ttl.0,
    }))
}

async fn unwrap(ctx: SysCtx, params: WrapperParams) -> Answer {
    let wrapper = wrapper(&ctx, params).await?;
    Ok(wrapping::take(ctx.txn(), &wrapper, ctx.now()).await?.into_reply())
}

/// The new token lives as long as the first one did when it was made, or shorter if the caller asks for that.
async fn rewrap(ctx: SysCtx, params: WrapperParams) -> Answer {
    let wrapper = wrapper(&ctx, params).await?;
    let kept = wrapping::take(ctx.txn(), &wrapper, ctx.now()).await?;
    let record = &wrapper.record;
    let asked = ctx.request.wrap;
    let wrap = WrapRequest {
        ttl: asked.map_or(record.creation_ttl, |wrap| wrap.ttl.min(record.creation_ttl)),
        jwt: asked.is_some_and(|wrap| wrap.jwt),
    };
    let site = Site { api_addr: &ctx.core.config.api_addr, now: ctx.now() };
    let envelope = wrapping::keep(ctx.txn(), &kept, &record.path, wrap, site).await?;
    Ok(Reply { whole: Some(Box::new(envelope)), ..Reply::empty() })
}
