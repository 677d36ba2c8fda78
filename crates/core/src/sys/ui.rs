//! `sys/internal/ui/…`: what login pages and the command line ask to find their way.

use super::SysCtx;
use crate::mounts::{describe, describe_for_ui};
use bulla_kit::{Answer, EngineError, NoParams, Params, Reply, Route};
use bulla_records::{MountClass, MountRecord};
use serde_json::{Map, Value, json};

#[derive(Params)]
struct PathParams {
    /// A path somewhere below a mount.
    #[param(path)]
    path: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::public("internal/ui/mounts")
            .help(
                "Mounts to show on a login page.",
                "Those whose `listing_visibility` is `unauth`; with a token, also those the caller can use.",
            )
            .read(mounts),
        Route::public("internal/ui/mounts/{path..}")
            .help(
                "The mount of a path.",
                "For programs that have to know which engine answers; only if the caller may use something there.",
            )
            .read(mount_of),
        Route::token("internal/ui/resultant-acl")
            .help("The caller's rules, merged.", "For an interface that hides what would be refused.")
            .read(resultant),
        Route::public("internal/ui/namespaces")
            .help("Namespaces the caller can see.", "Answers nothing: there is only the root namespace.")
            .read(namespaces),
    ]
}

fn listed(record: &MountRecord) -> bool {
    record.config.listing_visibility.as_deref() == Some("unauth")
}

async fn mounts(ctx: SysCtx, _: NoParams) -> Answer {
    // Open to those without a token, not to those with one that is none of ours.
    if ctx.caller.is_none() && ctx.request.token.is_some() {
        return Err(EngineError::DeniedBecause("permission denied".into()));
    }
    let acl = ctx.caller.as_ref().map(|caller| caller.acl.at(ctx.now()).into_owned());
    let (mut secret, mut auth) = (Map::new(), Map::new());
    for mount in ctx.state.mounts.iter() {
        let record = &mount.record;
        let path = record.path.as_str();
        let allowed = acl.as_ref().is_some_and(|a| a.is_root() || a.has_any_capability_below("", path));
        if !listed(record) && !allowed {
            continue;
        }
        let shown = if acl.is_some() { describe(record, &ctx.core) } else { brief(record) };
        if record.class == MountClass::Auth {
            auth.insert(path.strip_prefix("auth/").unwrap_or(path).to_owned(), Value::Object(shown));
        } else {
            secret.insert(path.to_owned(), Value::Object(shown));
        }
    }
    Reply::json(&json!({ "secret": secret, "auth": auth }))
}

/// What everybody may see.
fn brief(record: &MountRecord) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("type".into(), record.kind.as_str().into());
    out.insert("description".into(), record.description.as_str().into());
    out.insert("options".into(), json!(record.options));
    out
}

async fn mount_of(ctx: SysCtx, params: PathParams) -> Answer {
    let Some(caller) = &ctx.caller else { return Err(EngineError::DeniedBecause("permission denied".into())) };
    let path = format!("{}/", params.path.trim_end_matches('/'));
    let refused = || {
        EngineError::DeniedBecause(format!(
            "preflight capability check returned 403, please ensure client's policies grant access to path {path:?}"
        ))
    };
    let (mount, _) = ctx.state.mounts.find(&path).ok_or_else(refused)?;
    let acl = caller.acl.at(ctx.now());
    if !acl.is_root() && !acl.has_any_capability_below("", mount.record.path.as_str()) {
        return Err(refused());
    }
    Reply::json(&describe_for_ui(&mount.record, &ctx.core))
}

async fn resultant(ctx: SysCtx, _: NoParams) -> Answer {
    Reply::json(&ctx.caller()?.acl.at(ctx.now()).resultant())
}

async fn namespaces(_: SysCtx, _: NoParams) -> Answer {
    Ok(Reply::none())
}
