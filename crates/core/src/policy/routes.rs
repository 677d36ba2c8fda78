//! `sys/policies/acl/<name>` and the older `sys/policy/<name>`: one set of handlers, two spellings of the answer.
//! Here are reading, listing and deleting; `writing` has what makes and changes a policy.

use super::spelling::check_with_and_without_slash;
use super::store::PolicyStore;
use super::writing::{change, write};
use crate::listing;
use crate::sys::SysCtx;
use bulla_kit::{Answer, EngineError, Params, Reply, Route};
use bulla_policy::Permit;
use bulla_records::PolicyRecord;
use bulla_types::PolicyName;
use serde_json::{Map, Value, json};

#[derive(Params)]
struct NameParams {
    /// The name of the policy.
    #[param(path)]
    name: String,
}

#[derive(Params)]
pub(super) struct PageParams {
    /// Only names after this one.
    after: String,
    /// At most this many names; 0 = all.
    limit: i64,
}

impl PageParams {
    fn limit(&self) -> Option<usize> {
        usize::try_from(self.limit).ok().filter(|limit| *limit > 0)
    }

    /// The page of a list that is in order.
    pub(super) fn of(&self, names: Vec<String>) -> Vec<String> {
        let after = names.into_iter().filter(|name| *name > self.after);
        after.take(self.limit().unwrap_or(usize::MAX)).collect()
    }
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

/// Names in order, without policies that are over and without those that the caller's rule hides. Reads each record to
/// know its end: a few microseconds a policy.
async fn names(ctx: &SysCtx, page: &PageParams) -> Result<Vec<String>, EngineError> {
    let store = ctx.policies();
    let mut all = store.names().await?;
    all.push("root".into());
    all.sort_unstable();
    let (permit, acl) = (ctx.permit.as_deref(), &ctx.caller()?.acl);
    let most = [page.limit().map(|limit| limit as u64), permit.and_then(Permit::most_keys)].into_iter().flatten().min();
    let mut names = Vec::new();
    for name in all.into_iter().filter(|name| *name > page.after) {
        if most.is_some_and(|most| names.len() as u64 >= most) {
            break;
        }
        // The policy of wrapping tokens is the server's own business.
        let seen = name != "response-wrapping" && listing::sees(&name, permit, acl, &ctx.request.path);
        if seen && in_force(ctx, &store, &name).await? {
            names.push(name);
        }
    }
    Ok(names)
}

async fn in_force(ctx: &SysCtx, store: &PolicyStore, name: &str) -> Result<bool, EngineError> {
    let Ok(name) = PolicyName::parse(name) else { return Ok(true) };
    Ok(name.is_root() || store.read(&name).await?.is_some_and(|record| record.in_force(ctx.now())))
}

async fn list_acl(ctx: SysCtx, page: PageParams) -> Answer {
    Reply::keys(&names(&ctx, &page).await?)
}

async fn list_legacy(ctx: SysCtx, page: PageParams) -> Answer {
    check_with_and_without_slash(&ctx)?;
    let names = names(&ctx, &page).await?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_types::Operation;
    use serde_json::{Value, json};

    const LISTS: [(Operation, &str); 5] = [
        (Operation::List, "sys/policies/acl"),
        (Operation::List, "sys/policies/acl/"),
        (Operation::List, "sys/policy"),
        (Operation::Read, "sys/policy"),
        (Operation::Read, "sys/policy/"),
    ];

    /// All names that an answer shows, wherever it shows them.
    fn names(shown: &Value) -> Vec<&str> {
        let list = |value: &'_ Value| value.as_array().map(Vec::len);
        assert!(shown.get("policies").is_none_or(|older| list(older) == list(&shown["keys"])), "{shown}");
        shown["keys"].as_array().map(|keys| keys.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    async fn write_policy(server: &Server, name: &str, more: Value) {
        let mut body = json!({ "policy": "# nothing" });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        server.write(&format!("sys/policies/acl/{name}"), body).await.ok();
    }

    /// A policy that was over could not be read, and its name showed.
    #[tokio::test]
    async fn policies_that_are_over_are_in_no_list() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        write_policy(&server, "long", json!({ "ttl": "1h" })).await;
        write_policy(&server, "short", json!({ "ttl": 1 })).await;
        for (operation, path) in LISTS {
            let shown = server.call(operation, path, Value::Null).await.ok();
            assert_eq!(names(&shown), ["default", "long", "root", "short"], "{operation:?} {path}");
        }
        let over = async {
            while server.read("sys/policies/acl/short").await.refused.is_none() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), over).await.unwrap();
        for (operation, path) in LISTS {
            let shown = server.call(operation, path, Value::Null).await.ok();
            assert_eq!(names(&shown), ["default", "long", "root"], "{operation:?} {path}");
        }
    }

    #[tokio::test]
    async fn lists_come_in_pages() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        for name in ["a", "b/c", "b%", "e"] {
            write_policy(&server, name, json!({})).await;
        }
        let all = ["a", "b%", "b/c", "default", "e", "root"];
        for (operation, path) in LISTS {
            for (page, expected) in [
                (json!({}), &all[..]),
                (json!({ "limit": 0 }), &all),
                (json!({ "limit": -1 }), &all),
                (json!({ "limit": 1 }), &all[..1]),
                (json!({ "limit": 5 }), &all[..5]),
                (json!({ "limit": 6 }), &all),
                (json!({ "limit": 7 }), &all),
                (json!({ "after": "b%", "limit": 2 }), &all[2..4]),
                (json!({ "after": "b/c" }), &all[3..]),
                (json!({ "after": "e" }), &all[5..]),
            ] {
                let shown = server.call(operation, path, page.clone()).await.ok();
                assert_eq!(names(&shown), expected, "{operation:?} {path} {page}");
            }
        }
    }

    /// The limit held for one of the two members of the older answer, and for reads not at all.
    #[tokio::test]
    async fn the_rules_limit_and_filter_hold_for_each_list() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        for number in 0..6 {
            write_policy(&server, &format!("p{number}"), json!({})).await;
        }
        let rule = |more: &str| {
            ["sys/policies/acl", "sys/policies/acl/", "sys/policy", "sys/policy/"]
                .map(|path| format!("path \"{path}\" {{ capabilities = [\"read\", \"list\"] {more} }}\n"))
                .concat()
        };
        let limited = rule("pagination_limit = 3");
        let filtered = rule("list_scan_response_keys_filter_path = \"seen/{{ .key }}\"")
            + "path \"seen/p1\" { capabilities = [\"read\"] }\npath \"seen/p4\" { capabilities = [\"read\"] }";
        let mut tokens = Vec::new();
        for (name, text) in [("limited", limited), ("filtered", filtered)] {
            server.write(&format!("sys/policies/acl/{name}"), json!({ "policy": text })).await.ok();
            let body = json!({ "policies": name, "no_default_policy": true });
            tokens.push(server.write("auth/token/create", body).await.token());
        }
        for (operation, path) in LISTS {
            for page in [json!({}), json!({ "limit": 0 }), json!({ "limit": -5 }), json!({ "limit": 3 })] {
                let shown = server.call_as(Some(&tokens[0]), operation, path, page.clone()).await.ok();
                assert_eq!(names(&shown), ["default", "filtered", "limited"], "{operation:?} {path} {page}");
            }
            let page = json!({ "limit": 4 });
            let told = server.call_as(Some(&tokens[0]), operation, path, page).await;
            assert!(told.refused.is_some() || names(&told.body).len() == 3, "{operation:?} {path}: {}", told.body);
            let shown = server.call_as(Some(&tokens[0]), operation, path, json!({ "limit": 2 })).await.ok();
            assert_eq!(names(&shown).len(), 2, "{operation:?} {path}");
            let shown = server.call_as(Some(&tokens[1]), operation, path, Value::Null).await.ok();
            assert_eq!(names(&shown), ["p1", "p4"], "{operation:?} {path}");
        }
    }
}
