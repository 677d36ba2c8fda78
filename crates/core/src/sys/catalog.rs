//! `sys/plugins/catalog`: the engines this server has. All are built in; nothing can be registered.

use super::SysCtx;
use bulla_kit::{Answer, EngineError, EngineKind, NoParams, Params, Reply, Route};
use serde_json::{Value, json};

#[derive(Params)]
struct KindParams {
    /// `auth`, `database` or `secret`.
    #[param(path)]
    kind: String,
}

#[derive(Params)]
struct PluginParams {
    /// `auth`, `database` or `secret`.
    #[param(path)]
    kind: String,
    /// The name of the engine.
    #[param(path)]
    name: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        // Without sudo, as in the reference, which asks for it on all that lies below.
        Route::token("plugins/catalog")
            .help("All engines.", "By kind: auth methods and secrets engines. All are built in.")
            .read(all),
        Route::sudo("plugins/catalog/{kind:any}")
            .help("The engines of one kind.", "`auth`, `secret` or `database`.")
            .list(of_kind),
        Route::sudo("plugins/catalog/{kind:any}/{name:any}")
            .help("One engine.", "Name and version. There is nothing to install: all are built in.")
            .read(one),
    ]
}

const KINDS: [&str; 3] = ["auth", "database", "secret"];

/// `None` = no such kind.
fn names(ctx: &SysCtx, kind: &str) -> Option<Vec<&'static str>> {
    match kind {
        "auth" => Some(ctx.core.registry.names(EngineKind::Auth)),
        // Databases are plugins of an engine, and that engine would bring them itself.
        "database" => Some(Vec::new()),
        "secret" => Some(ctx.core.registry.names(EngineKind::Secrets)),
        _ => None,
    }
}

fn described(ctx: &SysCtx, name: &str) -> Value {
    json!({ "name": name, "version": ctx.core.config.running_version(), "builtin": true, "deprecation_status": "supported" })
}

async fn all(ctx: SysCtx, _: NoParams) -> Answer {
    let mut data = json!({});
    let mut detailed = Vec::new();
    for kind in KINDS {
        let names = names(&ctx, kind).unwrap_or_default();
        for name in &names {
            let mut entry = described(&ctx, name);
            entry["type"] = kind.into();
            detailed.push(entry);
        }
        data[kind] = names.into();
    }
    data["detailed"] = detailed.into();
    Reply::json(&data)
}

async fn of_kind(ctx: SysCtx, params: KindParams) -> Answer {
    let names = names(&ctx, &params.kind)
        .ok_or_else(|| EngineError::bad(format!("{:?} is not a supported plugin type", params.kind)))?;
    Reply::keys(&names.into_iter().map(str::to_owned).collect::<Vec<_>>())
}

async fn one(ctx: SysCtx, params: PluginParams) -> Answer {
    let known = names(&ctx, &params.kind).unwrap_or_default();
    if known.contains(&params.name.as_str()) { Reply::json(&described(&ctx, &params.name)) } else { Ok(Reply::none()) }
}
