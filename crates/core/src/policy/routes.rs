//! `sys/policies/acl/<name>` and the older `sys/policy/<name>`: one set of handlers, two spellings of the answer.

use super::store::PolicyStore;
use crate::sys::SysCtx;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_kit::{Answer, EngineError, Flag, NoParams, Params, Reply, Route};
use bulla_policy::{Options, Policy};
use bulla_records::PolicyRecord;
use bulla_types::{PolicyName, Seconds, Time};
use serde_json::{Map, Value, json};

#[derive(Params)]
struct NameParams {
    /// The name of the policy.
    #[param(path)]
    name: String,
}

#[derive(Params)]
struct WriteParams {
    /// The name of the policy.
    #[param(path)]
    name: String,
    /// The rules, as HCL or JSON, plain or base64.
    policy: Option<bulla_kit::RawJson>,
    #[param(older_name_of = "policy")]
    rules: Option<String>,
    /// The version this write replaces; -1 = the policy must not exist.
    cas: Option<i64>,
    /// Whether later writes must give `cas`.
    cas_required: bool,
    /// When the policy stops granting anything, RFC 3339.
    expiration: Option<String>,
    /// How long until the policy stops granting anything.
    ttl: Option<Seconds>,
    /// Values of identity templates may hold slashes.
    allow_slashes_in_identity_templates: Flag,
    /// Values of identity templates may hold `*` and `+`.
    allow_wildcards_in_identity_templates: Flag,
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
            .patch(write)
            .delete(delete),
        Route::token("policy").help("List the ACL policies.", "Names only.").read(list_legacy).list(list_legacy),
        Route::token("policy/{name..}")
            .help("Read, write or delete an ACL policy.", "The older spelling of policies/acl.")
            .folded(&["name"])
            .read(|ctx, p| read(ctx, p, Form::Legacy))
            .update(write)
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

fn parse_name(text: &str) -> Result<PolicyName, EngineError> {
    PolicyName::parse(text).map_err(|e| EngineError::bad(format!("invalid policy name: {e}")))
}

async fn read(ctx: SysCtx, params: NameParams, form: Form) -> Answer {
    let name = parse_name(&params.name)?;
    let record = if name.is_root() { Some(PolicyRecord::default()) } else { ctx.policies().read(&name).await? };
    let Some(record) = record.filter(|r| r.expires.is_none_or(|end| ctx.now() < end)) else { return Ok(Reply::none()) };
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

async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    let name = parse_name(&params.name)?;
    if name.is_root() || name.as_str() == "response-wrapping" {
        return Err(EngineError::bad(format!("cannot update {:?} policy", name.as_str())));
    }
    let mut reply = Reply::none();
    let typed = ctx.typed_policy_name().unwrap_or_default();
    if typed != name.as_str() {
        reply = reply.warn(format!("policy name was converted to {name}"));
    }
    let text = match (&params.policy, &params.rules) {
        // A number or object in the place of a text is handed to the parser, which says what is wrong with it.
        (Some(raw), _) => raw.to_value().as_str().map_or_else(|| raw.get().to_owned(), str::to_owned),
        (None, Some(rules)) => {
            reply = reply.warn("'rules' is deprecated, please use 'policy' instead");
            rules.clone()
        }
        (None, None) => String::new(),
    };
    if text.is_empty() {
        return Err(EngineError::bad("'policy' parameter not supplied or empty"));
    }
    let text = decoded(text);
    let store = ctx.policies();
    let before = store.read(&name).await?.filter(|r| r.expires.is_none_or(|end| ctx.now() < end));
    check_and_set(params.cas, before.as_ref())?;
    let record = PolicyRecord {
        version: before.as_ref().map_or(1, |r| r.version + 1),
        modified: ctx.now(),
        cas_required: params.cas_required,
        expires: expiry(&params, ctx.now())?,
        allow_slashes_in_identity_templates: params.allow_slashes_in_identity_templates.unwrap_or(false),
        allow_wildcards_in_identity_templates: params.allow_wildcards_in_identity_templates.unwrap_or(false),
        text,
    };
    let options = Options {
        namespace: String::new(),
        allow_slashes: record.allow_slashes_in_identity_templates,
        allow_wildcards: record.allow_wildcards_in_identity_templates,
        expires: record.expires,
    };
    Policy::parse(name.clone(), &record.text, options).map_err(|e| EngineError::bad(e.to_string()))?;
    store.write(&name, &record)?;
    ctx.after_commit(crate::sys::Effect::PoliciesChanged);
    Ok(reply)
}

/// A policy in base64 decodes to text; anything else is the text itself.
pub(super) fn decoded(text: String) -> String {
    let bytes = STANDARD.decode(text.trim()).ok();
    bytes.and_then(|b| String::from_utf8(b).ok()).unwrap_or(text)
}

fn check_and_set(cas: Option<i64>, before: Option<&PolicyRecord>) -> Result<(), EngineError> {
    match (cas, before) {
        (None, Some(record)) if record.cas_required => {
            Err(EngineError::bad("check-and-set parameter required for this call"))
        }
        (None, _) | (Some(-1), None) => Ok(()),
        (Some(-1), Some(_)) => Err(EngineError::bad("check-and-set parameter set to -1 on existing entry")),
        (Some(cas), record) => {
            let current = record.map_or(0, |r| r.version);
            if u64::try_from(cas) == Ok(current) {
                return Ok(());
            }
            Err(EngineError::bad("check-and-set parameter did not match the current version"))
        }
    }
}

fn expiry(params: &WriteParams, now: Time) -> Result<Option<Time>, EngineError> {
    match (&params.expiration, params.ttl.filter(|t| !t.is_zero())) {
        (Some(_), Some(_)) => Err(EngineError::bad("cannot supply both 'expiration' and 'ttl' for policies")),
        (None, Some(ttl)) => Ok(Some(now.plus(ttl))),
        (None, None) => Ok(None),
        (Some(text), None) => {
            let end =
                Time::parse_rfc3339(text).ok_or_else(|| EngineError::bad("'expiration' is not an RFC 3339 time"))?;
            if end <= now {
                return Err(EngineError::bad("refusing to update policy as expiration time has already elapsed"));
            }
            Ok(Some(end))
        }
    }
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
