//! An envelope as a table, as JSON, and one field of it.

use bulla_client::{Auth, Json, Secret, WrapInfo};

use super::{display, go_time, human_seconds, looks_like_duration, quoted_list};

/// Members and order of an auth block in JSON output.
const AUTH: [(&str, Json); 11] = [
    ("client_token", Json::Text(String::new())),
    ("accessor", Json::Text(String::new())),
    ("policies", Json::Null),
    ("token_policies", Json::Null),
    ("identity_policies", Json::Null),
    ("metadata", Json::Null),
    ("orphan", Json::Bool(false)),
    ("entity_id", Json::Text(String::new())),
    ("lease_duration", Json::Null),
    ("renewable", Json::Bool(false)),
    ("mfa_requirement", Json::Null),
];

/// The same of a wrapping block.
const WRAP: [(&str, Json); 6] = [
    ("token", Json::Text(String::new())),
    ("accessor", Json::Text(String::new())),
    ("ttl", Json::Null),
    ("creation_time", Json::Text(String::new())),
    ("creation_path", Json::Text(String::new())),
    ("wrapped_accessor", Json::Text(String::new())),
];

/// The envelope in the order scripts know, data sorted by name.
pub fn secret_json(secret: &Secret) -> Json {
    let warnings = if secret.warnings.is_empty() { Json::Null } else { Json::texts(&secret.warnings) };
    let mut json = Json::object([
        ("request_id", Json::text(&secret.request_id)),
        ("lease_id", Json::text(&secret.lease_id)),
        ("lease_duration", Json::int(secret.lease_duration)),
        ("renewable", Json::Bool(secret.renewable)),
        ("data", secret.data.as_ref().map_or(Json::Null, Json::sorted)),
        ("warnings", warnings),
    ]);
    if let Some(auth) = &secret.auth {
        json.set("auth", block(&auth.block, &AUTH));
    }
    if let Some(wrap) = &secret.wrap_info {
        json.set("wrap_info", block(&wrap.block, &WRAP));
    }
    json
}

/// The envelope as rows of key and value; empty if there is nothing to show.
pub fn secret_rows(secret: &Secret) -> Vec<[String; 2]> {
    let mut rows = Vec::new();
    if secret.lease_duration > 0 {
        let duration = human_seconds(secret.lease_duration);
        if secret.lease_id.is_empty() {
            // There is no lease to renew: it only says how often to look again.
            rows.push(row("refresh_interval", duration));
        } else {
            rows.push(row("lease_id", secret.lease_id.clone()));
            rows.push(row("lease_duration", duration));
            rows.push(row("lease_renewable", secret.renewable.to_string()));
        }
    }
    if let Some(auth) = &secret.auth {
        auth_rows(auth, &mut rows);
    }
    if let Some(wrap) = &secret.wrap_info {
        wrap_rows(wrap, &mut rows);
    }
    if let Some(data) = &secret.data {
        rows.extend(map_rows(data));
    }
    rows
}

/// The members of an object as rows, sorted; seconds as durations where the name says so.
pub fn map_rows(data: &Json) -> Vec<[String; 2]> {
    let mut members: Vec<_> = data.members().iter().collect();
    members.sort_by(|a, b| a.0.cmp(&b.0));
    members.into_iter().map(|(name, value)| row(name, cell(name, value))).collect()
}

/// A value below its name.
pub fn cell(name: &str, value: &Json) -> String {
    match value.as_i64() {
        Some(seconds) if looks_like_duration(name) => human_seconds(seconds),
        _ => display(value),
    }
}

/// What `-field=name` selects; `None` if there is no such field or it is null.
pub fn raw_field(secret: &Secret, name: &str) -> Option<Json> {
    let own = if let Some(auth) = &secret.auth {
        auth_field(auth, name)
    } else if let Some(wrap) = &secret.wrap_info {
        wrap_field(wrap, name)
    } else {
        match name {
            "lease_duration" | "refresh_interval" => Some(Json::int(secret.lease_duration)),
            "lease_id" => Some(Json::text(&secret.lease_id)),
            "request_id" => Some(Json::text(&secret.request_id)),
            "renewable" => Some(Json::Bool(secret.renewable)),
            "data" if secret.field("data").is_none() => secret.data.clone(),
            _ => None,
        }
    };
    own.or_else(|| secret.field(name).cloned()).filter(|value| !value.is_null())
}

fn auth_field(auth: &Auth, name: &str) -> Option<Json> {
    let member = match name {
        "token" => "client_token",
        "token_accessor" => "accessor",
        "token_duration" => "lease_duration",
        "token_renewable" => "renewable",
        "token_policies" | "identity_policies" | "policies" => {
            let value = auth.value(name);
            return Some(if value.is_null() { Json::List(Vec::new()) } else { value });
        }
        _ => return None,
    };
    Some(auth.value(member))
}

fn wrap_field(wrap: &WrapInfo, name: &str) -> Option<Json> {
    let member = match name {
        "wrapping_token" => "token",
        "wrapping_accessor" => "accessor",
        "wrapping_token_ttl" => "ttl",
        "wrapping_token_creation_time" => "creation_time",
        "wrapping_token_creation_path" => "creation_path",
        "wrapped_accessor" => "wrapped_accessor",
        _ => return None,
    };
    Some(wrap.value(member))
}

fn auth_rows(auth: &Auth, rows: &mut Vec<[String; 2]>) {
    let mfa = auth.value("mfa_requirement");
    if !mfa.is_null() {
        let id = mfa.get("mfa_request_id").and_then(Json::as_str).unwrap_or_default();
        rows.push(row("mfa_request_id", id.to_owned()));
        let constraints = mfa.get("mfa_constraints").map(Json::members).unwrap_or_default();
        for (name, set) in constraints {
            for one in set.get("any").map(Json::items).unwrap_or_default() {
                let member = |m: &str| one.get(m).map(display).unwrap_or_default();
                let kind = member("type");
                rows.push(row(&format!("mfa_constraint_{name}_{kind}_id"), member("id")));
                rows.push(row(&format!("mfa_constraint_{name}_{kind}_uses_passcode"), member("uses_passcode")));
                if !member("name").is_empty() {
                    rows.push(row(&format!("mfa_constraint_{name}_{kind}_name"), member("name")));
                }
            }
        }
        return;
    }
    rows.push(row("token", auth.text("client_token").to_owned()));
    rows.push(row("token_accessor", auth.text("accessor").to_owned()));
    let seconds = auth.number("lease_duration");
    rows.push(row("token_duration", if seconds == 0 { "∞".to_owned() } else { human_seconds(seconds) }));
    rows.push(row("token_renewable", auth.flag("renewable").to_string()));
    for name in ["token_policies", "identity_policies", "policies"] {
        rows.push(row(name, quoted_list(&auth.value(name))));
    }
    for (name, value) in auth.value("metadata").sorted().members() {
        rows.push(row(&format!("token_meta_{name}"), display(value)));
    }
}

fn wrap_rows(wrap: &WrapInfo, rows: &mut Vec<[String; 2]>) {
    // The colons are part of the keys as they have always been printed.
    rows.push(row("wrapping_token:", wrap.text("token").to_owned()));
    rows.push(row("wrapping_accessor:", wrap.text("accessor").to_owned()));
    rows.push(row("wrapping_token_ttl:", human_seconds(wrap.number("ttl"))));
    rows.push(row("wrapping_token_creation_time:", go_time(wrap.text("creation_time"))));
    rows.push(row("wrapping_token_creation_path:", wrap.text("creation_path").to_owned()));
    if !wrap.text("wrapped_accessor").is_empty() {
        rows.push(row("wrapped_accessor:", wrap.text("wrapped_accessor").to_owned()));
    }
}

fn block(sent: &Json, members: &[(&str, Json)]) -> Json {
    Json::object(members.iter().map(|(name, default)| {
        let default = if matches!(*name, "lease_duration" | "ttl") { Json::int(0) } else { default.clone() };
        (*name, sent.get(name).map_or(default, Json::sorted))
    }))
}

fn row(key: &str, value: String) -> [String; 2] {
    [key.to_owned(), value]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::output::table;

    fn secret(text: &str) -> Secret {
        Secret::from_json(&Json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_token_as_a_table() {
        let secret = secret(
            r#"{"auth":{"client_token":"t","accessor":"a","policies":["default"],"token_policies":["default"],
               "metadata":{"a":"b"},"lease_duration":3600,"renewable":true},"data":null}"#,
        );
        let want = "Key                  Value\n---                  -----\ntoken                t\n\
                    token_accessor       a\ntoken_duration       1h\ntoken_renewable      true\n\
                    token_policies       [\"default\"]\nidentity_policies    []\n\
                    policies             [\"default\"]\ntoken_meta_a         b";
        assert_eq!(table(&["Key", "Value"], &secret_rows(&secret)), want);
        assert_eq!(raw_field(&secret, "token"), Some(Json::text("t")));
        assert_eq!(raw_field(&secret, "nope"), None);
    }

    #[test]
    fn json_has_the_known_order_and_defaults() {
        let json = secret_json(&secret(r#"{"renewable":false,"data":{"b":1,"a":2},"request_id":"r","extra":1}"#));
        let want = r#"{"request_id":"r","lease_id":"","lease_duration":0,"renewable":false,"data":{"a":2,"b":1},"warnings":null}"#;
        assert_eq!(json.compact(), want);
    }
}
