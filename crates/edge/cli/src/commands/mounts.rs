//! What `secrets` and `auth` share: mounts are listed, tuned and moved alike. Both nouns' tables say which is meant.

use bulla_client::{Json, Request};
use bulla_types::go_duration_text;

use super::{folder, tidy};
use crate::{
    context::Ctx,
    failure::{Done, Failure},
    flags::{Flag, Flags},
};

/// Which kind of mount a command is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    Secrets,
    Auth,
}

impl Noun {
    pub const fn api(self) -> &'static str {
        if matches!(self, Self::Auth) { "sys/auth" } else { "sys/mounts" }
    }

    const fn text(self) -> &'static str {
        if matches!(self, Self::Auth) { "auth method" } else { "secrets engine" }
    }

    pub const fn plural(self) -> &'static str {
        if matches!(self, Self::Auth) { "auth methods" } else { "secrets engines" }
    }
}

pub const DESCRIPTION: Flag = Flag::text("description", "What it is for.");
pub const DEFAULT_TTL: Flag = Flag::duration("default-lease-ttl", "Life of tokens and leases that ask for none.");
pub const MAX_TTL: Flag = Flag::duration("max-lease-ttl", "Longest life of tokens and leases.");
pub const LISTING: Flag = Flag::text("listing-visibility", "unauth to show the mount to everybody, or hidden.");
pub const AUDIT_REQUEST: Flag =
    Flag::repeat("audit-non-hmac-request-keys", "Request key to audit in the clear. May be given several times.");
pub const AUDIT_RESPONSE: Flag =
    Flag::repeat("audit-non-hmac-response-keys", "Response key to audit in the clear. May be given several times.");
pub const PASSTHROUGH: Flag =
    Flag::repeat("passthrough-request-headers", "Request header to hand to the plugin. May be given several times.");
pub const ALLOWED: Flag =
    Flag::repeat("allowed-response-headers", "Header the plugin may set. May be given several times.");
pub const OPTIONS: Flag = Flag::pair("options", "key=value for the plugin. May be given several times.");
pub const VERSION: Flag = Flag::int("version", "Version of the key/value store.");
pub const PLUGIN_VERSION: Flag = Flag::text("plugin-version", "Version of the plugin.");
pub const TOKEN_TYPE: Flag = Flag::text("token-type", "Kind of token the method issues.");

/// `enable`: the body both nouns send.
pub fn enable_body(flags: &Flags, kind: &str) -> Json {
    let mut config = Json::object([
        ("default_lease_ttl", ttl(flags, "default-lease-ttl").unwrap_or_else(|| Json::text(""))),
        ("max_lease_ttl", ttl(flags, "max-lease-ttl").unwrap_or_else(|| Json::text(""))),
        ("force_no_cache", Json::Bool(flags.on("force-no-cache"))),
    ]);
    add_settings(flags, &mut config);
    let mut body = Json::object([
        ("type", Json::text(kind)),
        ("description", Json::text(flags.text("description").unwrap_or_default())),
        ("config", config),
        ("local", Json::Bool(flags.on("local"))),
        ("seal_wrap", Json::Bool(flags.on("seal-wrap"))),
        ("external_entropy_access", Json::Bool(flags.on("external-entropy-access"))),
    ]);
    let options = options(flags);
    if !options.members().is_empty() {
        body.set("options", options);
    }
    body
}

/// `tune`.
pub fn tune(ctx: &mut Ctx, noun: Noun) -> Done {
    let path = folder(ctx.arg(0));
    let flags = &ctx.flags;
    let mut body = Json::Object(Vec::new());
    for (member, flag) in [("default_lease_ttl", "default-lease-ttl"), ("max_lease_ttl", "max-lease-ttl")] {
        if let Some(value) = ttl(flags, flag) {
            body.set(member, value);
        }
    }
    if let Some(description) = flags.text("description") {
        body.set("description", Json::text(description));
    }
    add_settings(flags, &mut body);
    let options = options(flags);
    if !options.members().is_empty() {
        body.set("options", options);
    }
    let what = format!("Error tuning {} {path}", noun.text());
    ctx.send(&what, Request::post(&format!("{}/{path}tune", noun.api()), &body))?;
    ctx.ui.say(&format!("Success! Tuned the {} at: {path}", noun.text()));
    Ok(0)
}

/// `disable`.
pub fn disable(ctx: &mut Ctx, noun: Noun) -> Done {
    let path = folder(ctx.arg(0));
    let what = format!("Error disabling {} at {path}", noun.text());
    ctx.send(&what, Request::delete(&format!("{}/{path}", noun.api())))?;
    ctx.ui.say(&format!("Success! Disabled the {} (if it existed) at: {path}", noun.text()));
    Ok(0)
}

/// `move`: starts it and waits for its end.
pub fn remount(ctx: &mut Ctx, noun: Noun) -> Done {
    let (from, to) = (folder(ctx.arg(0)), folder(ctx.arg(1)));
    let what = format!("Error moving {} {from} to {to}", noun.text());
    let body = Json::object([("from", Json::text(&from)), ("to", Json::text(&to))]);
    let secret = ctx.write(&what, Request::post("sys/remount", &body))?.unwrap_or_default();
    let Some(id) = secret.field("migration_id").and_then(Json::as_str).map(str::to_owned) else {
        ctx.ui.say(&format!("Success! Moved {} {from} to {to}", noun.text()));
        return Ok(0);
    };
    ctx.ui.say(&format!("Started moving {} {from} to {to}, with migration ID {id}", noun.text()));
    loop {
        let secret = ctx.read(&what, Request::get(&format!("sys/remount/status/{id}")))?.unwrap_or_default();
        let status = secret.field("migration_info").and_then(|info| info.get("status")).and_then(Json::as_str);
        match status.unwrap_or_default() {
            "success" => {
                ctx.ui.say(&format!("Success! Finished moving {} {from} to {to}, with migration ID {id}", noun.text()));
                return Ok(0);
            }
            "in-progress" => std::thread::sleep(std::time::Duration::from_millis(500)),
            other => {
                let text = format!(
                    "Failure! Error encountered moving {} {from} to {to}, with migration ID {id}: {other}",
                    noun.text()
                );
                return Err(Failure::remote(text));
            }
        }
    }
}

/// The mount path of `enable`: `-path`, or the type.
pub fn path_for(flags: &Flags, kind: &str) -> String {
    folder(flags.filled("path").map_or(kind, tidy))
}

fn add_settings(flags: &Flags, json: &mut Json) {
    for name in [
        "audit-non-hmac-request-keys",
        "audit-non-hmac-response-keys",
        "passthrough-request-headers",
        "allowed-response-headers",
    ] {
        if flags.knows(name) && flags.text(name).is_some() {
            json.set(&name.replace('-', "_"), Json::texts(&flags.split(name)));
        }
    }
    for name in ["listing-visibility", "token-type", "plugin-version"] {
        if let Some(value) = flags.knows(name).then(|| flags.text(name)).flatten() {
            json.set(&name.replace('-', "_"), Json::text(value));
        }
    }
}

fn options(flags: &Flags) -> Json {
    let mut options = Json::object(flags.pairs("options").map(|(name, value)| (name, Json::text(value))));
    if let Some(version) = flags.knows("version").then(|| flags.int("version")).flatten().filter(|v| *v > 0) {
        options.set("version", Json::text(version.to_string()));
    }
    options
}

/// A life as the API takes it: negative means the system's own.
fn ttl(flags: &Flags, name: &str) -> Option<Json> {
    flags
        .duration(name)
        .filter(|value| *value != 0)
        .map(|value| if value < 0 { Json::text("system") } else { Json::text(go_duration_text(value)) })
}
