//! `sys/policies/acl/<name>` and the older `sys/policy/<name>`: one set of handlers, two spellings of the answer.
//! Here are reading, listing and deleting; `writing` has what makes and changes a policy.

use super::store::PolicyStore;
use super::writing::{change, write};
use crate::sys::SysCtx;
use bulla_kit::{Answer, EngineError, NoParams, Params, Reply, Route};
use bulla_records::PolicyRecord;
use bulla_types::PolicyName;
use serde_json::{Map, Value, json};

#[derive(Params)]
struct NameParams {
    /// The name of the policy.
    #[param(path)]
    name: String,
}

/// Which of the two spellings answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Acl,
    Legacy,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    let mut routes = vec![
        Route::token("policies/acl").help("List the ACL policies.", "Names only.").list(list_acl),
        Route::token("policies/acl/{name..}")
            .help("Read, write or delete an ACL policy.", "Names are lower case.")
            .folded(&["name"])
            .read(|ctx, p| read(ctx, p, Form::Acl))
            .update(write)
            .patch(change)
            .delete(delete),
        Route::token("policy").help("List the ACL policies.", "Names only.").read(list_legacy).list(list_legacy),
        Route::token("policy/{name..}")
            .help("Read, write or delete an ACL policy.", "The older spelling of policies/acl.")
            .folded(&["name"])
            .read(|ctx, p| read(ctx, p, Form::Legacy))
            .update(write)
            .patch(change)
            .delete(delete),
        // The folder itself: older clients list with a slash at the end.
        Route::token("policy/{rest..?}").help("List the ACL policies.", "Names only.").read(list_legacy),
    ];
    routes.extend(super::password::routes());
    routes
}

async fn names(ctx: &SysCtx) -> Result<Vec<String>, EngineError> {
    let store = ctx.policies();
    let mut names = Vec::new();
    for name in store.names().await? {
        // The policy of wrapping tokens is the server's own business.
        if name != "response-wrapping" {
            names.push(name);
        }
    }
    names.push("root".into());
    names.sort_unstable();
    Ok(names)
}

async fn list_acl(ctx: SysCtx, _: NoParams) -> Answer {
    Reply::keys(&names(&ctx).await?)
}

async fn list_legacy(ctx: SysCtx, _: NoParams) -> Answer {
    let names = names(&ctx).await?;
    Ok(Reply::json(&json!({ "keys": names, "policies": names }))?.at_top_too())
}

pub(super) fn parse_name(text: &str) -> Result<PolicyName, EngineError> {
    PolicyName::parse(text).map_err(|e| EngineError::bad(format!("invalid policy name: {e}")))
}

async fn read(ctx: SysCtx, params: NameParams, form: Form) -> Answer {
    let name = parse_name(&params.name)?;
    let record = if name.is_root() { Some(PolicyRecord::default()) } else { ctx.policies().read(&name).await? };
    let Some(record) = record.filter(|r| r.in_force(ctx.now())) else { return Ok(Reply::none()) };
    let mut data: Map<String, Value> = Map::new();
    data.insert("name".into(), name.as_str().into());
    data.insert(if form == Form::Acl { "policy" } else { "rules" }.into(), record.text.into());
    data.insert("version".into(), record.version.into());
    data.insert("cas_required".into(), record.cas_required.into());
    data.insert("allow_slashes_in_identity_templates".into(), record.allow_slashes_in_identity_templates.into());
    data.insert("allow_wildcards_in_identity_templates".into(), record.allow_wildcards_in_identity_templates.into());
    if record.version > 0 {
        data.insert("modified".into(), record.modified.rfc3339().into());
    }
    if let Some(end) = record.expires {
        data.insert("expiration".into(), end.rfc3339().into());
    }
    let reply = Reply::json(&data)?;
    Ok(if form == Form::Acl { reply } else { reply.at_top_too() })
}

async fn delete(ctx: SysCtx, params: NameParams) -> Answer {
    let name = parse_name(&params.name)?;
    match name.as_str() {
        "root" | "response-wrapping" => {
            return Err(EngineError::bad(format!("cannot delete {:?} policy", name.as_str())));
        }
        "default" => return Err(EngineError::bad("cannot delete default policy")),
        _ => {}
    }
    let store: PolicyStore = ctx.policies();
    store.delete(&name)?;
    ctx.after_commit(crate::sys::Effect::PoliciesChanged);
    Ok(Reply::none())
}
