//! Password policies: how long a generated password is and what must be in it. `rules` is what such a policy means, here
//! is `sys/policies/password/…`.

mod rules;

use super::routes::PageParams;
use super::writing::decoded;
use crate::refusal::one_error;
use crate::sys::SysCtx;
use bulla_barrier::{Page, View};
use bulla_kit::{Answer, EngineError, Params, Reply, Route};
use rules::PasswordPolicy;
use serde_json::json;

/// Records lie at `password-policy/<name>` of the namespace: the policy's text as it was written.
const FOLDER: &str = "password-policy";

#[derive(Params)]
struct NameParams {
    /// The name of the password policy.
    #[param(path)]
    name: String,
}

#[derive(Params)]
struct WriteParams {
    /// The name of the password policy.
    #[param(path)]
    name: String,
    /// Length and rules, as HCL or JSON, plain or base64.
    policy: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("policies/password").help("List the password policies.", "Names only.").list(list),
        Route::token("policies/password/{name..}/generate")
            .help("Make a password by a password policy.", "Nothing is kept of it.")
            .read(generate),
        Route::token("policies/password/{name..}")
            .help(
                "Read, write or delete a password policy.",
                "Rules in HCL: a length, and sets of characters with how many of each there must be.",
            )
            .read(read)
            .update(write)
            .delete(delete),
    ]
}

/// A slash in a name is escaped, so that a name is one segment.
fn key(name: &str) -> String {
    format!("{FOLDER}/{}", name.replace('%', "%25").replace('/', "%2f"))
}

fn view(ctx: &SysCtx) -> View {
    View::new(ctx.txn(), ctx.ctx.request.namespace.0)
}

fn refused(text: &str) -> EngineError {
    EngineError::bad(one_error(text))
}

async fn load(view: &View, name: &str) -> Result<String, EngineError> {
    let Some(bytes) = view.get(&key(name)).await? else {
        return Err(EngineError::NotFoundBecause(one_error("policy does not exist")));
    };
    String::from_utf8(bytes.to_vec()).map_err(|_| EngineError::damaged("password policy"))
}

async fn list(ctx: SysCtx, params: PageParams) -> Answer {
    let names = view(&ctx).list(FOLDER, &Page::default()).await?;
    let mut names: Vec<String> = names.iter().map(|name| name.replace("%2f", "/").replace("%25", "%")).collect();
    names.sort_unstable();
    Reply::keys(&params.of(names))
}

async fn read(ctx: SysCtx, params: NameParams) -> Answer {
    Reply::json(&json!({ "policy": load(&view(&ctx), &params.name).await? }))
}

async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    if params.policy.is_empty() {
        return Err(refused("missing policy"));
    }
    let text = decoded(params.policy);
    PasswordPolicy::parse(&text).map_err(|error| refused(&error.to_string()))?;
    view(&ctx).put(&key(&params.name), text.into_bytes())?;
    Ok(Reply::none())
}

async fn delete(ctx: SysCtx, params: NameParams) -> Answer {
    view(&ctx).delete(&key(&params.name))?;
    Ok(Reply::none())
}

async fn generate(ctx: SysCtx, params: NameParams) -> Answer {
    let text = load(&view(&ctx), &params.name).await?;
    let policy = PasswordPolicy::parse(&text).map_err(|_| EngineError::damaged("password policy"))?;
    let no_randomness = |_| EngineError::internal("no randomness could be had from the system");
    let password = policy.generate().map_err(no_randomness)?;
    Reply::json(&json!({ "password": password.as_str() }))
}

#[cfg(test)]
mod tests {
    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_types::Operation;
    use serde_json::json;

    #[tokio::test]
    async fn the_list_comes_in_pages() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        for name in ["a", "b/c", "b%", "d"] {
            let policy = "length = 8\nrule \"charset\" { charset = \"abc\" }";
            server.write(&format!("sys/policies/password/{name}"), json!({ "policy": policy })).await.ok();
        }
        let all = ["a", "b%", "b/c", "d"];
        for (page, expected) in [
            (json!({}), &all[..]),
            (json!({ "limit": 0 }), &all),
            (json!({ "limit": 3 }), &all[..3]),
            (json!({ "limit": 4 }), &all),
            (json!({ "after": "b%", "limit": 1 }), &all[2..3]),
        ] {
            let shown = server.call(Operation::List, "sys/policies/password", page.clone()).await.ok();
            assert_eq!(shown["keys"], json!(expected), "{page}");
        }
    }
}
