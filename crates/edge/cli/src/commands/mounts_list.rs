//! `secrets list` and `auth list`: short, detailed, and as JSON.

use bulla_client::{Json, Request};

use super::mounts::Noun;
use crate::{
    context::Ctx,
    failure::{Done, Failure},
    output,
};

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
    let json = answer.json().map_err(|e| Failure::of(what, e))?.unwrap_or_default();
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
