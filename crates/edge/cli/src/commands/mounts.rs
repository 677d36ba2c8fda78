//! What `secrets` and `auth` share: mounts are listed, tuned and moved alike. Both nouns' tables say which is meant.

use bulla_client::{Json, Request};
use bulla_types::go_duration_text;

use super::{folder, tidy};
use crate::{
    context::Ctx,
    failure::{Done, Failure},
    flags::{Flag, Flags},
    output,
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

    const fn plural(self) -> &'static str {
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

/// `list`, short or `-detailed`.
pub fn list(ctx: &mut Ctx, noun: Noun) -> Done {
    let mounts = fetch(ctx, &format!("Error listing {}", noun.plural()), noun.api())?;
    if !ctx.is_table() {
        let json = Json::object(mounts.iter().map(|(path, mount)| (path.clone(), in_order(mount))));
        return ctx.show_json(&json);
    }
    let text = if ctx.enabled("detailed") { detailed(&mounts, noun) } else { short(&mounts, noun) };
    ctx.ui.say(&text);
    Ok(0)
}

/// A map of mounts by path, sorted. Answers hold it under `data`; older ones at the top.
pub fn fetch(ctx: &mut Ctx, what: &str, path: &str) -> Result<Vec<(String, Json)>, Failure> {
    let answer = ctx.send(what, Request::get(path))?;
    let json = answer.json().map_err(|e| Failure::of(what, e.into()))?.unwrap_or_default();
    let data = json.get("data").filter(|data| !data.is_null()).unwrap_or(&json);
    let mut mounts: Vec<(String, Json)> =
        data.members().iter().filter(|(path, _)| path.ends_with('/')).cloned().collect();
    mounts.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(mounts)
}

fn short(mounts: &[(String, Json)], noun: Noun) -> String {
    let mut heading = vec!["Path", "Type", "Accessor", "Description"];
    if noun == Noun::Auth {
        heading.push("Version");
    }
    let rows: Vec<Vec<String>> = mounts
        .iter()
        .map(|(path, mount)| {
            let mut row = vec![path.clone(), text(mount, "type"), text(mount, "accessor"), text(mount, "description")];
            if noun == Noun::Auth {
                row.push(text(mount, "plugin_version"));
            }
            row
        })
        .collect();
    output::table(&heading, &rows)
}

fn detailed(mounts: &[(String, Json)], noun: Noun) -> String {
    let special = if noun == Noun::Auth { "Token Type" } else { "Force No Cache" };
    let mut heading = vec!["Path", "Plugin", "Accessor", "Default TTL", "Max TTL", special];
    heading.extend(["Replication", "Seal Wrap", "External Entropy Access", "Options", "Description", "UUID"]);
    heading.extend(["Version", "Running Version", "Running SHA256", "Deprecation Status"]);
    let rows: Vec<Vec<String>> = mounts
        .iter()
        .map(|(path, mount)| {
            let none = Json::Null;
            let config = mount.get("config").unwrap_or(&none);
            let kind = text(mount, "type");
            let ttl = |name: &str| match config.get(name).and_then(Json::as_i64).unwrap_or_default() {
                _ if matches!(kind.as_str(), "system" | "cubbyhole") => String::new(),
                0 => "system".to_owned(),
                seconds => seconds.to_string(),
            };
            let special = match noun {
                Noun::Auth => text(config, "token_type"),
                Noun::Secrets => flag(config, "force_no_cache").to_string(),
            };
            vec![
                path.clone(),
                kind.clone(),
                text(mount, "accessor"),
                ttl("default_lease_ttl"),
                ttl("max_lease_ttl"),
                special,
                if flag(mount, "local") { "local" } else { "replicated" }.to_owned(),
                flag(mount, "seal_wrap").to_string(),
                flag(mount, "external_entropy_access").to_string(),
                options_of(mount),
                text(mount, "description"),
                text(mount, "uuid"),
                text(mount, "plugin_version"),
                text(mount, "running_plugin_version"),
                text(mount, "running_sha256"),
                text(mount, "deprecation_status"),
            ]
        })
        .collect();
    output::table(&heading, &rows)
}

/// A mount's members in the order they have always been printed, empty ones left out where they always were.
fn in_order(mount: &Json) -> Json {
    let mut json = Json::Object(Vec::new());
    let member = |name: &str| mount.get(name).cloned();
    for name in ["uuid", "type", "description", "accessor"] {
        json.set(name, member(name).unwrap_or_else(|| Json::text("")));
    }
    json.set("config", config_in_order(mount.get("config").unwrap_or(&Json::Null)));
    json.set("options", member("options").unwrap_or_default().sorted());
    for name in ["local", "seal_wrap", "external_entropy_access"] {
        json.set(name, Json::Bool(flag(mount, name)));
    }
    for name in ["plugin_version", "running_plugin_version", "running_sha256", "deprecation_status"] {
        json.set(name, member(name).unwrap_or_else(|| Json::text("")));
    }
    json
}

fn config_in_order(config: &Json) -> Json {
    let mut json = Json::Object(Vec::new());
    for name in ["default_lease_ttl", "max_lease_ttl"] {
        json.set(name, config.get(name).cloned().unwrap_or_else(|| Json::int(0)));
    }
    json.set("force_no_cache", Json::Bool(flag(config, "force_no_cache")));
    for name in [
        "audit_non_hmac_request_keys",
        "audit_non_hmac_response_keys",
        "listing_visibility",
        "passthrough_request_headers",
        "allowed_response_headers",
        "token_type",
        "user_lockout_config",
        "plugin_name",
    ] {
        match config.get(name) {
            None | Some(Json::Null) => {}
            Some(Json::Text(text)) if text.is_empty() => {}
            Some(Json::List(items)) if items.is_empty() => {}
            Some(value) => json.set(name, value.clone()),
        }
    }
    json
}

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

fn options_of(mount: &Json) -> String {
    let options = mount.get("options").cloned().unwrap_or_default();
    if options.is_null() { "map[]".to_owned() } else { output::display(&options) }
}

fn text(json: &Json, name: &str) -> String {
    json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn flag(json: &Json, name: &str) -> bool {
    json.get(name).and_then(Json::as_bool).unwrap_or_default()
}
