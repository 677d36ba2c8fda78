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

const NO_IDENTITY_TOKENS: &str = "there are no identity tokens for plugins";

/// What is set when a mount is made and changed later.
pub const SETTINGS: [Flag; 12] = [
    Flag::text("description", "What it is for."),
    Flag::duration("default-lease-ttl", "Life of tokens and leases that ask for none."),
    Flag::duration("max-lease-ttl", "Longest life of tokens and leases."),
    Flag::text("listing-visibility", "unauth to show the mount to everybody, or hidden."),
    Flag::repeat("audit-non-hmac-request-keys", "Request key to audit in the clear. May be given several times."),
    Flag::repeat("audit-non-hmac-response-keys", "Response key to audit in the clear. May be given several times."),
    Flag::repeat("passthrough-request-headers", "Request header to hand to the plugin. May be given several times."),
    Flag::repeat("allowed-response-headers", "Header the plugin may set. May be given several times."),
    Flag::pair("options", "key=value for the plugin. May be given several times."),
    Flag::int("version", "Version of the key/value store."),
    Flag::text("plugin-version", "Version of the plugin."),
    Flag::text("identity-token-key", "Not available.").missing(NO_IDENTITY_TOKENS),
];

/// Of auth methods only.
pub const TOKEN_TYPE: Flag = Flag::text("token-type", "Kind of token the method issues.");

/// Of secrets engines only.
pub const KEYS: [Flag; 2] = [
    Flag::repeat("allowed-managed-keys", "Managed key the engine may use. May be given several times."),
    Flag::repeat("delegated-auth-accessors", "Not available.")
        .missing("secrets engines cannot log in on behalf of others"),
];

/// What is set once, when a mount is made.
pub const MAKING: [Flag; 6] = [
    Flag::text("path", "Where to mount it; its type if not given."),
    Flag::text("plugin-name", "Name of the plugin, with the type `plugin`."),
    Flag::switch("force-no-cache", "Read from storage every time."),
    Flag::switch("local", "Not replicated."),
    Flag::switch("seal-wrap", "Wrap its values by the seal, too."),
    Flag::switch("external-entropy-access", "Take randomness from the seal."),
];

/// `enable`.
pub fn enable(ctx: &mut Ctx, noun: Noun) -> Done {
    let word = ctx.arg(0).trim().to_owned();
    let kind = match ctx.flags.filled("plugin-name") {
        Some(plugin) if word == "plugin" => plugin.to_owned(),
        _ => word,
    };
    let path = path_for(&ctx.flags, &kind);
    let (what, done) = match noun {
        Noun::Secrets => ("Error enabling".to_owned(), format!("Enabled the {kind} secrets engine")),
        Noun::Auth => (format!("Error enabling {kind} auth"), format!("Enabled {kind} auth method")),
    };
    ctx.send(&what, Request::post(&format!("{}/{path}", noun.api()), &enable_body(&ctx.flags, &kind)))?;
    ctx.ui.say(&format!("Success! {done} at: {path}"));
    Ok(0)
}

/// The body both nouns send.
fn enable_body(flags: &Flags, kind: &str) -> Json {
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
    let lockout = lockout(flags);
    if !lockout.members().is_empty() {
        body.set("user_lockout_config", lockout);
    }
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
        "allowed-managed-keys",
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

/// Of auth methods: when names that fail too often are locked out, and for how long.
pub const LOCKOUT: [Flag; 4] = [
    Flag::int("user-lockout-threshold", "Failed logins after which a name is locked out."),
    Flag::duration("user-lockout-duration", "How long it is locked out."),
    Flag::duration("user-lockout-counter-reset-duration", "After how long failed logins are forgotten."),
    Flag::switch("user-lockout-disable", "Lock nobody out."),
];

fn lockout(flags: &Flags) -> Json {
    let mut json = Json::Object(Vec::new());
    if !flags.knows("user-lockout-disable") {
        return json;
    }
    if let Some(threshold) = flags.int("user-lockout-threshold") {
        json.set("lockout_threshold", Json::text(threshold.to_string()));
    }
    for name in ["duration", "counter-reset-duration"] {
        if let Some(time) = flags.duration(&format!("user-lockout-{name}")) {
            json.set(&format!("lockout_{}", name.replace('-', "_")), Json::text(go_duration_text(time)));
        }
    }
    if let Some(disabled) = flags.switch("user-lockout-disable") {
        json.set("lockout_disable", Json::Bool(disabled));
    }
    json
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
