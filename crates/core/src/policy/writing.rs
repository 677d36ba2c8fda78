//! Making and changing ACL policies: POST and PUT replace all of a policy, PATCH only what is sent.

use super::routes::parse_name;
use crate::sys::{Effect, SysCtx};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_kit::{Answer, EngineError, Flag, Params, RawJson, Reply};
use bulla_policy::{Options, Policy};
use bulla_records::PolicyRecord;
use bulla_types::{PolicyName, Seconds, Time};

#[derive(Params)]
pub(super) struct WriteParams {
    /// The name of the policy.
    #[param(path)]
    name: String,
    /// The rules, as HCL or JSON, plain or base64.
    policy: Option<RawJson>,
    #[param(older_name_of = "policy")]
    rules: Option<String>,
    /// The version this write replaces; -1 = the policy must not exist.
    cas: Option<i64>,
    /// Whether later writes must give `cas`.
    cas_required: Flag,
    /// When the policy stops granting anything, RFC 3339.
    expiration: Option<String>,
    /// How long until the policy stops granting anything.
    ttl: Option<Seconds>,
    /// Values of identity templates may hold slashes.
    allow_slashes_in_identity_templates: Flag,
    /// Values of identity templates may hold `*` and `+`.
    allow_wildcards_in_identity_templates: Flag,
}

/// What is not sent goes back to its default.
pub(super) async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    let name = writable(&params.name)?;
    let before = in_force(&ctx, &name).await?;
    let after = PolicyRecord { version: before.as_ref().map_or(0, |r| r.version), ..PolicyRecord::default() };
    put(&ctx, &name, &params, before.as_ref(), after)
}

/// What is not sent stays; null takes away what there was (RFC 7396). Makes no policy.
pub(super) async fn change(ctx: SysCtx, params: WriteParams) -> Answer {
    let name = writable(&params.name)?;
    let Some(before) = in_force(&ctx, &name).await? else { return Err(EngineError::NotFound) };
    let mut after = before.clone();
    let is_null = |name| ctx.request.body.get(name).is_some_and(RawJson::is_null);
    if is_null("policy") {
        after.text.clear();
    }
    if is_null("expiration") {
        after.expires = None;
    }
    after.cas_required &= !is_null("cas_required");
    after.allow_slashes_in_identity_templates &= !is_null("allow_slashes_in_identity_templates");
    after.allow_wildcards_in_identity_templates &= !is_null("allow_wildcards_in_identity_templates");
    put(&ctx, &name, &params, Some(&before), after)
}

fn writable(text: &str) -> Result<PolicyName, EngineError> {
    let name = parse_name(text)?;
    if name.is_root() || name == PolicyName::response_wrapping() {
        return Err(EngineError::bad(format!("cannot update {:?} policy", name.as_str())));
    }
    Ok(name)
}

/// A policy that is over counts as none: the next one of the name begins anew.
async fn in_force(ctx: &SysCtx, name: &PolicyName) -> Result<Option<PolicyRecord>, EngineError> {
    let record = ctx.policies().read(name).await?;
    Ok(record.filter(|record| record.in_force(ctx.now())))
}

/// Writes `record` with what was sent in it.
fn put(
    ctx: &SysCtx,
    name: &PolicyName,
    params: &WriteParams,
    before: Option<&PolicyRecord>,
    mut record: PolicyRecord,
) -> Answer {
    let mut reply = Reply::none();
    if ctx.typed_policy_name() != Some(name.as_str()) {
        reply = reply.warn(format!("policy name was converted to {name}"));
    }
    if params.policy.is_none() && params.rules.is_some() {
        reply = reply.warn("'rules' is deprecated, please use 'policy' instead");
    }
    if let Some(text) = text_of(params) {
        record.text = text;
    }
    if record.text.is_empty() {
        return Err(EngineError::bad("'policy' parameter not supplied or empty"));
    }
    check_and_set(params.cas, before)?;
    record.version += 1;
    record.modified = ctx.now();
    record.expires = expiry(params, ctx.now())?.or(record.expires);
    set(&mut record.cas_required, params.cas_required);
    set(&mut record.allow_slashes_in_identity_templates, params.allow_slashes_in_identity_templates);
    set(&mut record.allow_wildcards_in_identity_templates, params.allow_wildcards_in_identity_templates);
    let options = Options {
        namespace: String::new(),
        allow_slashes: record.allow_slashes_in_identity_templates,
        allow_wildcards: record.allow_wildcards_in_identity_templates,
        expires: record.expires,
    };
    Policy::parse(name.clone(), &record.text, options).map_err(|e| EngineError::bad(e.to_string()))?;
    ctx.policies().write(name, &record)?;
    ctx.after_commit(Effect::PoliciesChanged);
    Ok(reply)
}

fn set(flag: &mut bool, sent: Flag) {
    *flag = sent.unwrap_or(*flag);
}

fn text_of(params: &WriteParams) -> Option<String> {
    let text = match &params.policy {
        // A number or object in the place of a text is handed to the parser, which says what is wrong with it.
        Some(raw) => raw.to_value().as_str().map_or_else(|| raw.get().to_owned(), str::to_owned),
        None => params.rules.clone()?,
    };
    Some(decoded(text))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::CoreConfig;
    use crate::testing::{Server, Told};
    use bulla_types::Operation;
    use serde_json::{Value, json};

    const PATH: &str = "sys/policies/acl/p";
    const TEXT: &str = r#"path "a" { capabilities = ["read"] }"#;
    const OTHER: &str = r#"path "b" { capabilities = ["read"] }"#;

    async fn patch(server: &Server, body: Value) -> Told {
        server.call(Operation::Patch, PATH, body).await
    }

    /// A patch was a write of the whole: it took the end and the demand for `cas` away.
    #[tokio::test]
    async fn a_patch_keeps_what_is_not_sent() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        let whole = json!({
            "policy": TEXT, "cas_required": true, "expiration": "2100-01-01T00:00:00Z",
            "allow_slashes_in_identity_templates": true, "allow_wildcards_in_identity_templates": true,
        });
        server.write(PATH, whole.clone()).await.ok();
        patch(&server, json!({ "policy": OTHER, "cas": 1 })).await.ok();
        let mut now = server.read(PATH).await.ok();
        assert_eq!(now["version"], 2);
        for field in ["cas_required", "allow_slashes_in_identity_templates", "allow_wildcards_in_identity_templates"] {
            assert_eq!(now[field], true, "{field}");
        }
        assert_eq!((&now["policy"], &now["expiration"]), (&json!(OTHER), &whole["expiration"]));
        // The text stays, too.
        patch(&server, json!({ "cas": 2, "allow_slashes_in_identity_templates": false, "cas_required": null }))
            .await
            .ok();
        now = server.read(PATH).await.ok();
        assert_eq!((&now["policy"], &now["expiration"]), (&json!(OTHER), &whole["expiration"]));
        assert_eq!((&now["cas_required"], &now["allow_slashes_in_identity_templates"]), (&json!(false), &json!(false)));
        assert_eq!(now["allow_wildcards_in_identity_templates"], true);
        patch(&server, json!({ "expiration": null })).await.ok();
        assert!(server.read(PATH).await.ok().get("expiration").is_none());
        patch(&server, json!({ "ttl": "1h" })).await.ok();
        assert!(server.read(PATH).await.ok().get("expiration").is_some());
        // Both spellings of the route are one.
        server.call(Operation::Patch, "sys/policy/p", json!({ "cas_required": true })).await.ok();
        now = server.read(PATH).await.ok();
        assert_eq!((&now["policy"], &now["cas_required"], &now["version"]), (&json!(OTHER), &json!(true), &json!(6)));
    }

    #[tokio::test]
    async fn a_patch_makes_nothing_and_heeds_the_version() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        assert_eq!(patch(&server, json!({ "policy": TEXT })).await.refused, Some(crate::ErrorKind::NotFound));
        assert_eq!(server.read(PATH).await.refused, Some(crate::ErrorKind::NotFound));
        server.write(PATH, json!({ "policy": TEXT, "cas_required": true })).await.ok();
        for (body, error) in [
            (json!({ "policy": OTHER }), "check-and-set parameter required for this call"),
            (json!({ "policy": OTHER, "cas": 0 }), "check-and-set parameter did not match the current version"),
            (json!({ "policy": OTHER, "cas": 2 }), "check-and-set parameter did not match the current version"),
            (json!({ "policy": OTHER, "cas": -1 }), "check-and-set parameter set to -1 on existing entry"),
            // The demand cannot be lifted by a request that does not meet it.
            (json!({ "cas_required": false }), "check-and-set parameter required for this call"),
            (json!({ "policy": "", "cas": 1 }), "'policy' parameter not supplied or empty"),
            (json!({ "policy": null, "cas": 1 }), "'policy' parameter not supplied or empty"),
        ] {
            assert_eq!(patch(&server, body.clone()).await.error(), error, "{body}");
        }
        assert!(patch(&server, json!({ "policy": "path {", "cas": 1 })).await.refused.is_some());
        let now = server.read(PATH).await.ok();
        assert_eq!((&now["policy"], &now["version"]), (&json!(TEXT), &json!(1)));
        patch(&server, json!({ "policy": OTHER, "cas": 1 })).await.ok();
    }

    #[tokio::test]
    async fn what_is_the_servers_own_is_not_patched() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        for name in ["root", "response-wrapping", "Root"] {
            let told =
                server.call(Operation::Patch, &format!("sys/policies/acl/{name}"), json!({ "policy": TEXT })).await;
            assert!(told.error().starts_with("cannot update"), "{name}: {}", told.error());
        }
    }
}
