//! The top level of a file.

use super::{AuditBlock, Config, ConfigError, SealBlock, Storage, listener, lockout};
use bulla_hcl::{AccessError, Block, Item, Kind, Object, Value};
use bulla_types::{Seconds, parse_duration};
use indexmap::IndexMap;

/// Blocks that are known and mean nothing to this server.
const IDLE_BLOCKS: [&str; 9] = [
    "telemetry",
    "service_registration",
    "ha_storage",
    "ha_backend",
    "reporting",
    "sentinel",
    "entropy",
    "hsm",
    "plugin",
];

/// Keys that are known and mean nothing to this server.
const IDLE_KEYS: [&str; 19] = [
    "cache_size",
    "disable_cache",
    "disable_clustering",
    "disable_performance_standby",
    "disable_sealwrap",
    "disable_indexing",
    "disable_printable_check",
    "detect_deadlocks",
    "enable_response_header_hostname",
    "enable_response_header_raft_node_id",
    "imprecise_lease_role_tracking",
    "log_requests_level",
    "log_rotate_bytes",
    "log_rotate_duration",
    "log_rotate_max_files",
    "plugin_directory",
    "plugin_file_uid",
    "plugin_file_permissions",
    "plugin_tmpdir",
];

/// Where a value stands, for messages.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
}

impl Place<'_> {
    pub(super) fn at(self, line: u32, problem: impl Into<String>) -> ConfigError {
        ConfigError::At { file: self.file.to_owned(), line, problem: problem.into() }
    }

    pub(super) fn wrong(self, error: &AccessError) -> ConfigError {
        self.at(error.pos.line, format!("`{}` must be {}", error.key, error.expected))
    }

    pub(super) fn unknown(self, item: &Item, within: &str) -> String {
        format!("{}: line {}: unknown key `{}`{within} is ignored", self.file, item.pos().line, item.name())
    }
}

pub(super) fn apply(config: &mut Config, file: &str, body: &Object) -> Result<(), ConfigError> {
    let place = Place { file };
    for item in &body.items {
        top_item(config, place, item)?;
    }
    scalars(config, place, body)?;
    stores(config, place, body)?;
    for block in body.blocks("listener", 1).map_err(|e| place.wrong(&e))? {
        let settings = listener::parse(place, &block, &mut config.warnings)?;
        config.listeners.push(settings);
    }
    for block in body.blocks("seal", 1).map_err(|e| place.wrong(&e))? {
        let kind = block.labels.concat();
        if kind != "shamir" {
            config.seals.push(SealBlock { kind, options: texts(place, block.body)? });
        }
    }
    lockout::apply(config, place, body)?;
    audit(config, place, body)
}

/// Is the item known at all?
fn top_item(config: &mut Config, place: Place<'_>, item: &Item) -> Result<(), ConfigError> {
    const BLOCKS: [&str; 6] = ["storage", "backend", "listener", "seal", "audit", "user_lockout"];
    let name = item.name();
    if BLOCKS.contains(&name) || SCALARS.contains(&name) {
        return Ok(());
    }
    if IDLE_BLOCKS.contains(&name) || IDLE_KEYS.contains(&name) {
        config.warnings.push(format!("{}: line {}: `{name}` has no effect", place.file, item.pos().line));
        return Ok(());
    }
    if is_block(item) {
        return Err(place.at(item.pos().line, format!("unknown block `{name}`")));
    }
    config.warnings.push(place.unknown(item, ""));
    Ok(())
}

fn is_block(item: &Item) -> bool {
    let holds_objects = match &item.value.kind {
        Kind::Object(_) => true,
        Kind::List(elements) => elements.iter().any(|e| matches!(e.kind, Kind::Object(_))),
        _ => false,
    };
    item.assign.is_none() || item.keys.len() > 1 || holds_objects
}

const SCALARS: [&str; 16] = [
    "api_addr",
    "cluster_addr",
    "cluster_name",
    "default_lease_ttl",
    "max_lease_ttl",
    "log_level",
    "log_format",
    "log_file",
    "pid_file",
    "disable_mlock",
    "ui",
    "raw_storage_endpoint",
    "introspection_endpoint",
    "unsafe_allow_api_audit_creation",
    "allow_audit_log_prefixing",
    "enable_ui",
];

fn scalars(config: &mut Config, place: Place<'_>, body: &Object) -> Result<(), ConfigError> {
    let text = |name: &str, slot: &mut Option<String>| -> Result<(), ConfigError> {
        if let Some(value) = body.string(name).map_err(|e| place.wrong(&e))? {
            *slot = Some(value);
        }
        Ok(())
    };
    text("api_addr", &mut config.api_addr)?;
    text("cluster_addr", &mut config.cluster_addr)?;
    text("cluster_name", &mut config.cluster_name)?;
    text("log_level", &mut config.log_level)?;
    text("log_format", &mut config.log_format)?;
    for (name, slot) in [("log_file", &mut config.log_file), ("pid_file", &mut config.pid_file)] {
        if let Some(path) = body.string(name).map_err(|e| place.wrong(&e))? {
            *slot = Some(path.into());
        }
    }
    for (name, slot) in
        [("default_lease_ttl", &mut config.default_lease_ttl), ("max_lease_ttl", &mut config.max_lease_ttl)]
    {
        if let Some(value) = body.value(name) {
            *slot = Seconds::of_nanos(nanos(place, name, value)?.into());
        }
    }
    for (name, slot) in [
        ("disable_mlock", &mut config.disable_mlock),
        ("ui", &mut config.ui),
        ("raw_storage_endpoint", &mut config.raw_storage_endpoint),
        ("introspection_endpoint", &mut config.introspection_endpoint),
        ("unsafe_allow_api_audit_creation", &mut config.unsafe_allow_api_audit_creation),
        ("allow_audit_log_prefixing", &mut config.allow_audit_log_prefixing),
    ] {
        if let Some(value) = body.boolean(name).map_err(|e| place.wrong(&e))? {
            *slot = value;
        }
    }
    Ok(())
}

/// A later file may name another store; within one file that is a mistake, and the wrong one would be a store without
/// anybody's secrets.
fn stores(config: &mut Config, place: Place<'_>, body: &Object) -> Result<(), ConfigError> {
    let mut found = body.blocks("storage", 1).map_err(|e| place.wrong(&e))?;
    found.extend(body.blocks("backend", 1).map_err(|e| place.wrong(&e))?);
    if let [_, second, ..] = found.as_slice() {
        return Err(place.at(second.pos.line, "there is more than one storage; a server has one"));
    }
    if let Some(block) = found.first() {
        config.storage = Some(storage(place, block)?);
    }
    Ok(())
}

fn storage(place: Place<'_>, block: &Block<'_>) -> Result<Storage, ConfigError> {
    let kind = block.labels.concat();
    match kind.as_str() {
        "inmem" | "inmem_ha" | "memory" => Ok(Storage::Memory),
        "file" | "raft" | "disk" => {
            let path = block.body.string("path").map_err(|e| place.wrong(&e))?.filter(|p| !p.is_empty());
            let missing = || place.at(block.pos.line, format!("storage `{kind}` needs a `path`"));
            Ok(Storage::Disk(path.ok_or_else(missing)?.into()))
        }
        _ => Err(place.at(block.pos.line, format!("unknown storage `{kind}`; there are inmem, disk, file and raft"))),
    }
}

/// `audit "file" "main" { … }` or `audit "file" { path = "main" … }`.
fn audit(config: &mut Config, place: Place<'_>, body: &Object) -> Result<(), ConfigError> {
    // A block with one label less than asked for is an error of its own, so look at what is there.
    let labels = body.items.iter().filter(|i| i.name() == "audit").map(|i| i.keys.len() - 1).max();
    let wanted = if labels == Some(1) { 1 } else { 2 };
    for block in body.blocks("audit", wanted).map_err(|e| place.wrong(&e))? {
        let text = |name: &str| block.body.string(name).map_err(|e| place.wrong(&e));
        let kind = block.labels.first().copied().unwrap_or_default().to_owned();
        let path = match block.labels.get(1) {
            Some(path) => (*path).to_owned(),
            None => text("path")?.unwrap_or_else(|| kind.clone()),
        };
        let options = block.body.object("options").map_err(|e| place.wrong(&e))?;
        config.audit.push(AuditBlock {
            path: format!("{}/", path.trim_matches('/')),
            description: text("description")?.unwrap_or_default(),
            local: block.body.boolean("local").map_err(|e| place.wrong(&e))?.unwrap_or(false),
            options: options.map(|o| texts(place, o)).transpose()?.unwrap_or_default(),
            kind,
        });
    }
    Ok(())
}

fn texts(place: Place<'_>, body: &Object) -> Result<IndexMap<String, String>, ConfigError> {
    let mut found = IndexMap::new();
    for item in &body.items {
        let text = item.value.text();
        let text = text.ok_or_else(|| place.at(item.pos().line, format!("`{}` must be a string", item.name())))?;
        found.insert(item.name().to_owned(), text);
    }
    Ok(found)
}

/// A duration that is not negative, in nanoseconds: `30`, `"30s"`, `"5m"`.
pub(super) fn nanos(place: Place<'_>, name: &str, value: &Value) -> Result<u64, ConfigError> {
    let text = value.text().unwrap_or_default();
    let wrong = |why: String| place.at(value.pos.line, format!("`{name}` must be a duration: {why}"));
    if text.is_empty() {
        return Err(wrong("it is empty".into()));
    }
    let nanos = parse_duration(&text).map_err(|e| wrong(e.to_string()))?;
    u64::try_from(nanos).map_err(|_| wrong("it is negative or too long".into()))
}
