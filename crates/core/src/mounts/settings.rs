//! Settings of a mount as clients send them, at enabling and at tuning: parsed here, checked here.

use crate::config::CoreConfig;
use bulla_kit::{CommaList, EngineError, Field, RawJson};
use bulla_records::{MountClass, MountConfig, MountRecord, TokenTypeTune, UserLockout};
use bulla_types::{Seconds, parse_duration};
use serde_json::Value;
use std::collections::BTreeMap;

/// The fields that enabling has in `config` and tuning at the top.
#[derive(Clone, Debug, Default)]
pub struct Settings(pub BTreeMap<String, RawJson>);

impl Settings {
    /// The members of a JSON object; anything else is none.
    pub fn of_object(raw: Option<&RawJson>) -> Self {
        Self(raw.and_then(|r| serde_json::from_str(r.get()).ok()).unwrap_or_default())
    }

    fn text(&self, name: &str) -> Result<Option<String>, EngineError> {
        self.0.get(name).map(|raw| decode::<String>(raw, name)).transpose()
    }

    fn list(&self, name: &str) -> Result<Option<Vec<String>>, EngineError> {
        let list = self.0.get(name).map(|raw| decode::<CommaList>(raw, name)).transpose()?;
        Ok(list.map(|l| l.0.into_iter().filter(|s| !s.is_empty()).collect()))
    }

    /// A lease time: `None` = not given, `Some(None)` = back to the system's.
    fn ttl(&self, name: &str, error: impl Fn(&str, String) -> String) -> Result<Option<Option<Seconds>>, EngineError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        if text == "system" {
            return Ok(Some(None));
        }
        let nanos = parse_duration(&text).map_err(|e| EngineError::bad(error(&text, e.to_string())))?;
        let seconds = u64::try_from(nanos / 1_000_000_000)
            .map_err(|_| EngineError::bad(error(&text, "cannot be negative".into())))?;
        Ok(Some((seconds > 0).then_some(Seconds(seconds))))
    }
}

fn decode<T: Field>(raw: &RawJson, name: &str) -> Result<T, EngineError> {
    T::decode(raw).map_err(|why| {
        EngineError::bad(format!("Field validation failed: error converting input for field \"{name}\": {why}"))
    })
}

/// The configuration of a mount that is being enabled.
///
/// # Errors
/// 400 with the reference's texts.
pub fn for_new(settings: &Settings, class: MountClass, system: &CoreConfig) -> Result<MountConfig, EngineError> {
    let mut config = MountConfig::default();
    let unparsable =
        |which: &'static str| move |text: &str, why: String| format!("unable to parse {which} TTL of {text}: {why}");
    config.default_ttl = settings.ttl("default_lease_ttl", unparsable("default"))?.flatten();
    config.max_ttl = settings.ttl("max_lease_ttl", unparsable("max"))?.flatten();
    if let (Some(default), Some(max)) = (config.default_ttl, config.max_ttl)
        && default > max
    {
        return Err(EngineError::bad("given default lease TTL greater than given max lease TTL"));
    }
    if config.max_ttl.is_none() && config.default_ttl.is_some_and(|default| default > system.max_ttl) {
        let most = system.max_ttl.0;
        return Err(EngineError::bad(format!("given default lease TTL greater than system max lease TTL of {most}")));
    }
    if let Some(raw) = settings.0.get("force_no_cache") {
        config.force_no_cache = decode(raw, "force_no_cache")?;
    }
    common(settings, &mut config)?;
    if let Some(word) = settings.text("token_type")?.filter(|w| !w.is_empty()) {
        if class != MountClass::Auth {
            return Err(EngineError::bad("'token_type' can only be set on auth mounts"));
        }
        config.token_type = token_type(&word)?;
    }
    check_version(settings, system)?;
    Ok(config)
}

fn token_type(word: &str) -> Result<TokenTypeTune, EngineError> {
    TokenTypeTune::parse(word).ok_or_else(|| EngineError::bad("invalid value for 'token_type'"))
}

/// What enabling and tuning share.
fn common(settings: &Settings, config: &mut MountConfig) -> Result<(), EngineError> {
    if let Some(visibility) = settings.text("listing_visibility")? {
        match visibility.as_str() {
            "" => config.listing_visibility = None,
            "hidden" | "unauth" => config.listing_visibility = Some(visibility),
            other => return Err(EngineError::bad(format!("invalid listing_visibility {other}"))),
        }
    }
    for (name, slot) in [
        ("audit_non_hmac_request_keys", &mut config.audit_non_hmac_request_keys),
        ("audit_non_hmac_response_keys", &mut config.audit_non_hmac_response_keys),
        ("passthrough_request_headers", &mut config.passthrough_request_headers),
        ("allowed_response_headers", &mut config.allowed_response_headers),
        ("allowed_managed_keys", &mut config.allowed_managed_keys),
    ] {
        if let Some(list) = settings.list(name)? {
            *slot = list;
        }
    }
    Ok(())
}

/// Mounts whose settings a client may not change.
const FIXED: [&str; 2] = ["sys/", "cubbyhole/"];

/// Changes a mount by the fields given; those not given stay.
///
/// # Errors
/// 400 with the reference's texts; the record is not to be used then.
pub fn tune(settings: &Settings, record: &mut MountRecord, system: &CoreConfig) -> Result<(), EngineError> {
    let path = record.path.as_str().to_owned();
    if let (true, Some(name)) = (FIXED.contains(&path.as_str()), settings.0.keys().next()) {
        return Err(EngineError::bad(format!("cannot tune parameter {name} of {path}")));
    }
    let plain = |_: &str, why: String| why;
    let default = settings.ttl("default_lease_ttl", plain)?;
    let max = settings.ttl("max_lease_ttl", plain)?;
    let default_ttl = default.unwrap_or(record.config.default_ttl);
    let max_ttl = max.unwrap_or(record.config.max_ttl);
    check_order(default_ttl, max_ttl, system)?;
    (record.config.default_ttl, record.config.max_ttl) = (default_ttl, max_ttl);
    if let Some(description) = settings.text("description")? {
        record.description = description;
    }
    common(settings, &mut record.config)?;
    if let Some(word) = settings.text("token_type")? {
        if record.class != MountClass::Auth {
            return Err(EngineError::bad("'token_type' can only be modified on auth mounts"));
        }
        if record.kind == "token" {
            return Err(EngineError::bad("'token_type' cannot be set for 'token' or 'ns_token' auth mounts"));
        }
        record.config.token_type = token_type(&word)?;
    }
    if let Some(raw) = settings.0.get("user_lockout_config") {
        record.config.user_lockout = Some(lockout(raw, record)?);
    }
    if check_version(settings, system)? {
        record.config.plugin_version = None;
    }
    Ok(())
}

/// There is one version of each engine, the one that is built in; naming it pins nothing. `true` = a version was given.
///
/// # Errors
/// Another version.
fn check_version(settings: &Settings, system: &CoreConfig) -> Result<bool, EngineError> {
    match settings.text("plugin_version")? {
        None => Ok(false),
        Some(version) if version.is_empty() || version == system.running_version() => Ok(true),
        Some(version) => Err(EngineError::bad(format!("plugin version {version} not found in the catalog"))),
    }
}

fn check_order(default: Option<Seconds>, max: Option<Seconds>, system: &CoreConfig) -> Result<(), EngineError> {
    let limit = max.unwrap_or(system.max_ttl);
    match default {
        Some(default) if default > limit => Err(EngineError::bad(format!(
            "backend max lease TTL of {} would be less than backend default lease TTL of {}",
            limit.0, default.0
        ))),
        _ => Ok(()),
    }
}

fn lockout(raw: &RawJson, record: &MountRecord) -> Result<UserLockout, EngineError> {
    if !matches!(record.kind.as_str(), "userpass" | "ldap" | "approle") {
        return Err(EngineError::bad(format!(
            "tuning of user lockout configuration for auth type {:?} not allowed",
            record.kind
        )));
    }
    let given = Settings::of_object(Some(raw));
    let mut lockout = record.config.user_lockout.clone().unwrap_or_default();
    if let Some(text) = given.text("lockout_threshold")? {
        lockout.threshold = text.parse().map_err(|_| {
            EngineError::bad(format!(
                "unable to parse user lockout threshold: strconv.ParseUint: parsing {text:?}: invalid syntax"
            ))
        })?;
    }
    let unparsable = |_: &str, why: String| format!("unable to parse user lockout duration: {why}");
    if let Some(duration) = given.ttl("lockout_duration", unparsable)? {
        lockout.duration = duration.unwrap_or_default();
    }
    if let Some(reset) = given.ttl("lockout_counter_reset_duration", unparsable)? {
        lockout.counter_reset = reset.unwrap_or_default();
    }
    if let Some(Value::Bool(disabled)) = given.0.get("lockout_disable").map(RawJson::to_value) {
        lockout.disabled = disabled;
    }
    Ok(lockout)
}
