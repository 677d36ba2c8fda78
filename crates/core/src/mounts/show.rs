//! How a mount reads in `sys/mounts`, `sys/auth`, their tuning and the UI's list.

use crate::config::CoreConfig;
use crate::core::Core;
use bulla_kit::EngineKind;
use bulla_records::{MountClass, MountRecord};
use bulla_types::Seconds;
use serde_json::{Map, Value, json};

fn set(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    map.insert(name.to_owned(), value.into());
}

/// Lists that are shown only when they hold something.
fn lists(record: &MountRecord, into: &mut Map<String, Value>) {
    let config = &record.config;
    for (name, list) in [
        ("audit_non_hmac_request_keys", &config.audit_non_hmac_request_keys),
        ("audit_non_hmac_response_keys", &config.audit_non_hmac_response_keys),
        ("passthrough_request_headers", &config.passthrough_request_headers),
        ("allowed_response_headers", &config.allowed_response_headers),
        ("allowed_managed_keys", &config.allowed_managed_keys),
    ] {
        if !list.is_empty() {
            set(into, name, list.clone());
        }
    }
    if let Some(visibility) = config.listing_visibility.as_ref().filter(|v| !v.is_empty()) {
        set(into, "listing_visibility", visibility.as_str());
    }
    if record.class == MountClass::Auth {
        set(into, "token_type", config.token_type.word());
    }
    if let Some(version) = &config.plugin_version {
        set(into, "plugin_version", version.as_str());
    }
}

/// A mount as the table shows it.
pub fn describe(record: &MountRecord, core: &Core) -> Map<String, Value> {
    let mut config = Map::new();
    set(&mut config, "default_lease_ttl", record.config.default_ttl.map_or(0, |s| s.0));
    set(&mut config, "max_lease_ttl", record.config.max_ttl.map_or(0, |s| s.0));
    set(&mut config, "force_no_cache", record.config.force_no_cache);
    lists(record, &mut config);
    let mut lockout_config = Map::new();
    lockout(record, &mut lockout_config);
    if !lockout_config.is_empty() {
        set(&mut config, "user_lockout_config", lockout_config);
    }
    let mut out = Map::new();
    set(&mut out, "type", record.kind.as_str());
    set(&mut out, "description", record.description.as_str());
    set(&mut out, "accessor", record.accessor.as_str());
    set(&mut out, "uuid", record.uuid.to_string());
    set(&mut out, "local", record.local);
    set(&mut out, "seal_wrap", record.seal_wrap);
    set(&mut out, "external_entropy_access", record.external_entropy_access);
    set(&mut out, "options", json!(record.options));
    set(&mut out, "config", config);
    set(&mut out, "plugin_version", record.config.plugin_version.as_deref().unwrap_or_default());
    set(&mut out, "running_plugin_version", core.config.running_version());
    // What is built in has no file of its own.
    set(&mut out, "running_sha256", "");
    let kind = if record.class == MountClass::Auth { EngineKind::Auth } else { EngineKind::Secrets };
    // Core's own mounts are no plugins and have no status.
    let status = if core.registry.find(kind, &record.kind).is_some() { "supported" } else { "" };
    set(&mut out, "deprecation_status", status);
    out
}

/// As [`describe`], with what `sys/internal/ui/mounts/<path>` adds.
pub fn describe_for_ui(record: &MountRecord, core: &Core) -> Map<String, Value> {
    let mut out = describe(record, core);
    set(&mut out, "path", short_path(record));
    out
}

/// The path below `auth/` for auth methods.
pub fn short_path(record: &MountRecord) -> &str {
    let path = record.path.as_str();
    if record.class == MountClass::Auth { path.strip_prefix("auth/").unwrap_or(path) } else { path }
}

/// What `…/tune` reads: lease times in force instead of those set.
pub fn tuning(record: &MountRecord, system: &CoreConfig) -> Map<String, Value> {
    let in_force = |own: Option<Seconds>, system: Seconds| own.unwrap_or(system).0;
    let mut out = Map::new();
    set(&mut out, "description", record.description.as_str());
    set(&mut out, "default_lease_ttl", in_force(record.config.default_ttl, system.default_ttl));
    set(&mut out, "max_lease_ttl", in_force(record.config.max_ttl, system.max_ttl));
    set(&mut out, "force_no_cache", record.config.force_no_cache);
    lists(record, &mut out);
    lockout(record, &mut out);
    if let Some(options) = &record.options {
        set(&mut out, "options", json!(options));
    }
    out
}

fn lockout(record: &MountRecord, into: &mut Map<String, Value>) {
    if let Some(lockout) = &record.config.user_lockout {
        set(into, "user_lockout_threshold", lockout.threshold);
        set(into, "user_lockout_duration", lockout.duration.0);
        set(into, "user_lockout_counter_reset_duration", lockout.counter_reset.0);
        set(into, "user_lockout_disable", lockout.disabled);
    }
}
