//! `sys/locked-users`: who is locked out, and letting somebody in again.

use super::lockout::{folder, forget, read};
use crate::sys::SysCtx;
use bulla_barrier::{Page, View};
use bulla_kit::{Answer, EngineError, Params, Reply, Route};
use bulla_types::NamespaceId;
use serde_json::{Value, json};

#[derive(Params)]
struct ListParams {
    /// Only of this auth mount.
    mount_accessor: String,
}

#[derive(Params)]
struct UnlockParams {
    /// The accessor of the auth mount.
    #[param(path)]
    mount_accessor: String,
    /// The name as logins give it.
    #[param(path)]
    alias_identifier: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("locked-users")
            .help("Names that are locked out after failed logins.", "By auth mount.")
            .read(list),
        Route::token("locked-users/{mount_accessor}/unlock/{alias_identifier:any}")
            .help("Let a name in again.", "All its failures are forgotten.")
            .update(unlock),
    ]
}

async fn list(ctx: SysCtx, params: ListParams) -> Answer {
    let mut mounts: Vec<(u64, Value)> = Vec::new();
    for mount in ctx.state.mounts.iter() {
        let accessor = &mount.record.accessor;
        let wanted = params.mount_accessor.is_empty() || *accessor == params.mount_accessor;
        let Some(settings) = ctx.core.config.user_lockout.of(&mount.record).filter(|_| wanted) else { continue };
        let view = View::new(ctx.txn(), NamespaceId::ROOT.0);
        let mut names = Vec::new();
        for key in view.list(&folder(accessor), &Page::default()).await? {
            let failed = read(&view, &format!("{}/{key}", folder(accessor))).await?;
            if let Some(failed) = failed.filter(|f| !f.name.is_empty() && settings.locks(f, ctx.now())) {
                names.push(failed.name);
            }
        }
        if !names.is_empty() {
            names.sort_unstable();
            let counts = names.len() as u64;
            mounts.push((counts, json!({ "mount_accessor": accessor, "counts": counts, "alias_identifiers": names })));
        }
    }
    // The most first, as the reference sorts them.
    mounts.sort_by_key(|(counts, _)| std::cmp::Reverse(*counts));
    let total: u64 = mounts.iter().map(|(counts, _)| counts).sum();
    let mounts: Vec<Value> = mounts.into_iter().map(|(_, mount)| mount).collect();
    let namespace = json!({ "namespace_id": "root", "namespace_path": "", "counts": total, "mount_accessors": mounts });
    Reply::json(&json!({ "by_namespace": [namespace], "total": total }))
}

async fn unlock(ctx: SysCtx, params: UnlockParams) -> Answer {
    if params.alias_identifier.is_empty() {
        return Err(EngineError::bad("missing alias_identifier"));
    }
    forget(ctx.txn(), ctx.pass.owner(), &params.mount_accessor, &params.alias_identifier).await?;
    Ok(Reply::none())
}
