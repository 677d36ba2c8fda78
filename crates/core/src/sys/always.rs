//! Routes that are open while sealed: initialisation, unsealing, status, health, leader. They get no pass, so they
//! cannot touch the barrier, and they look at no token.

use crate::answer::{Answer, ErrorKind, Outcome, Refusal};
use crate::core::Core;
use crate::init::{InitError, InitOptions};
use crate::request::{Redact, Request};
use bulla_audit::{Disclosable, Exemption};
use bulla_barrier::SealedStoreError;
use bulla_crypto::random;
use bulla_kit::{Body, RawJson};
use bulla_seal::{Progress, SealConfig, Share, UnsealFailed, Unsealing, WRONG_KEY};
use bulla_types::Operation;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The answer of an always-open route; `None` = the path is none of them.
pub async fn answer(core: &Arc<Core>, request: &Request) -> Option<Disclosable<Answer>> {
    let path = request.path.as_str();
    // A list of an always-open route asks for the same path with a slash.
    let path = if request.operation == Operation::List { path.trim_end_matches('/') } else { path };
    let reads = request.operation == Operation::Read;
    let writes = request.operation == Operation::Update;
    let (outcome, why) = match path {
        "sys/init" if reads => (init_status(core).await, Exemption::Init),
        "sys/init" if writes => (init(core, &request.body).await, Exemption::Init),
        "sys/unseal" if writes => (unseal(core, request).await, Exemption::Unseal),
        "sys/seal-status" if reads => (seal_status(core, request.redact).await, Exemption::SealStatus),
        "sys/leader" if reads => (leader(), Exemption::Leader),
        "sys/health" if reads => (health(core, request).await, Exemption::Health),
        // A sealed server is as sealed as it can be, whoever asks; one that is being sealed will be.
        "sys/seal" if writes && !core.is_unsealed() => {
            core.gate.sealed().await;
            (Outcome::NoContent, Exemption::SealStatus)
        }
        "sys/step-down" if writes && !core.is_unsealed() => (Outcome::NoContent, Exemption::SealStatus),
        "sys/init" | "sys/unseal" | "sys/seal-status" | "sys/leader" | "sys/health" | "sys/seal" | "sys/step-down"
            if !writes || !is_gated(path) =>
        {
            (Outcome::Refused(Refusal::silent(ErrorKind::Unsupported)), Exemption::Malformed)
        }
        _ => return None,
    };
    Some(Disclosable::exempt(Answer::new(outcome), why))
}

/// Routes that go through all doors when written to an unsealed server.
fn is_gated(path: &str) -> bool {
    matches!(path, "sys/seal" | "sys/step-down")
}

fn bare(value: &Value, code: Option<u16>) -> Outcome {
    match RawJson::of(value) {
        Ok(data) => Outcome::Bare { data, code },
        Err(_) => Outcome::Refused(Refusal::new(ErrorKind::Internal, "the answer could not be written as JSON")),
    }
}

fn refuse(text: impl Into<String>) -> Outcome {
    Outcome::Refused(Refusal::new(ErrorKind::BadRequest, text))
}

async fn init_status(core: &Core) -> Outcome {
    bare(&json!({ "initialized": core.is_initialised().await }), None)
}

/// A member of the body whatever its case, as the reference's decoder takes it.
fn member<'b>(body: &'b Body, name: &str) -> Option<&'b RawJson> {
    body.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null()).map(|(_, value)| value)
}

fn wrong_type(raw: &RawJson, place: &str, kind: &str) -> String {
    let got = match raw.to_value() {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Array(_) => "array",
        _ => "object",
    };
    format!("failed to decode JSON input: json: cannot unmarshal {got} into Go struct field {place} of type {kind}")
}

fn int(body: &Body, name: &str) -> Result<i64, String> {
    match member(body, name) {
        None => Ok(0),
        Some(raw) => raw.to_value().as_i64().ok_or_else(|| wrong_type(raw, &format!("InitRequest.{name}"), "int")),
    }
}

fn texts(body: &Body, name: &str) -> Result<Vec<String>, String> {
    let text = |item: &Value| {
        item.as_str().map(str::to_owned).ok_or_else(|| format!("failed to decode JSON input: {name} must hold texts"))
    };
    match member(body, name).map(RawJson::to_value) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(text).collect(),
        Some(_) => Err(format!("failed to decode JSON input: {name} must be a list")),
    }
}

/// The seal configuration that an init request asks for.
fn init_config(body: &Body) -> Result<(SealConfig, InitOptions), String> {
    let (shares, threshold) = (int(body, "secret_shares")?, int(body, "secret_threshold")?);
    let recovery = int(body, "recovery_shares")? != 0 || int(body, "recovery_threshold")? != 0;
    if recovery || !texts(body, "recovery_pgp_keys")?.is_empty() {
        return Err("parameters recovery_shares,recovery_threshold not applicable to seal type shamir".into());
    }
    let share_keys = texts(body, "pgp_keys")?;
    if !share_keys.is_empty() && i64::try_from(share_keys.len()) != Ok(shares) {
        return Err(
            "invalid seal configuration: count mismatch between number of provided PGP keys and number of shares"
                .into(),
        );
    }
    let root_token_key = member(body, "root_token_pgp_key").and_then(|raw| raw.to_value().as_str().map(str::to_owned));
    let root_token_key = root_token_key.filter(|text| !text.is_empty());
    let config = SealConfig::new(shares, threshold).map_err(|e| format!("invalid seal configuration: {e}"))?;
    Ok((config, InitOptions { share_keys, root_token_key, ..InitOptions::default() }))
}

async fn init(core: &Arc<Core>, body: &Body) -> Outcome {
    let (config, options) = match init_config(body) {
        Ok(asked) => asked,
        Err(text) => return refuse(text),
    };
    match core.initialise(&config, options).await {
        Ok(made) => {
            let (out, token) = (made.handed_out, made.told_token);
            bare(&json!({ "keys": out.keys, "keys_base64": out.keys_base64, "root_token": token }), None)
        }
        Err(InitError::Already) => refuse("Vault is already initialized"),
        Err(error @ InitError::Pgp(_)) => refuse(error.to_string()),
        Err(error) => internal(&error),
    }
}

fn internal(error: &InitError) -> Outcome {
    tracing::error!(error = %crate::refusal::Chain(error), "the store refused");
    Outcome::Refused(Refusal::new(ErrorKind::Internal, error.to_string()))
}

async fn unseal(core: &Arc<Core>, request: &Request) -> Outcome {
    let body = &request.body;
    let reset = match member(body, "reset").map(|raw| (raw, raw.to_value())) {
        Some((_, Value::Bool(flag))) => flag,
        Some((raw, _)) => return refuse(wrong_type(raw, "UnsealRequest.Reset", "bool")),
        None => false,
    };
    if member(body, "migrate").is_some_and(|raw| raw.to_value() == Value::Bool(true)) && core.is_initialised().await {
        return refuse("can't perform a seal migration, no migration seal found");
    }
    let key = match member(body, "key") {
        None => String::new(),
        Some(raw) => match raw.to_value() {
            Value::String(text) => text,
            _ => return refuse(wrong_type(raw, "UnsealRequest.Key", "string")),
        },
    };
    if reset {
        if core.is_unsealed() {
            return refuse("vault is unsealed");
        }
        *core.unsealing.lock().await = None;
        return seal_status(core, request.redact).await;
    }
    if key.is_empty() {
        return refuse("'key' must be specified in request body as JSON, or 'reset' set to true");
    }
    match add_share(core, &key).await {
        Ok(()) => seal_status(core, request.redact).await,
        Err(outcome) => outcome,
    }
}

/// Counts one share, and opens the gate when there are enough.
async fn add_share(core: &Arc<Core>, text: &str) -> Result<(), Outcome> {
    if core.is_unsealed() {
        return Ok(());
    }
    let share = Share::parse(text).map_err(|e| refuse(e.to_string()))?;
    let config = match core.sealed.seal_config().await {
        Ok(Some(config)) => config,
        Ok(None) => return Err(refuse("Vault is not initialized")),
        Err(error) => return Err(internal(&InitError::Store(error))),
    };
    let mut held = core.unsealing.lock().await;
    // Another share may have opened the gate meanwhile: this one must not be kept for a round that nobody needs.
    if core.is_unsealed() {
        return Ok(());
    }
    let unsealing = match held.take() {
        Some(unsealing) => unsealing,
        None => {
            let nonce = random::uuid().map_err(|_| refuse("no randomness could be had from the system"))?;
            match former_config(core).await {
                Some(former) => Unsealing::of_either(config, former, nonce),
                None => Unsealing::new(config, nonce),
            }
        }
    };
    let (key, unsealing) = match unsealing.add(share).map_err(|error: UnsealFailed| refuse(error.to_string()))? {
        Progress::More(unsealing) | Progress::Repeated(unsealing) => {
            *held = Some(unsealing);
            return Ok(());
        }
        Progress::Perhaps(key, unsealing) => (key, Some(unsealing)),
        Progress::Done(key) => (key, None),
    };
    match core.unseal_with(&key).await {
        Err(InitError::Store(SealedStoreError::WrongKey)) if unsealing.is_some() => *held = unsealing,
        Err(InitError::Store(SealedStoreError::WrongKey)) => return Err(refuse(WRONG_KEY)),
        Err(error) => return Err(internal(&error)),
        Ok(()) => {}
    }
    Ok(())
}

/// Of the shares that unseal besides those in force. What cannot be read must not keep the others from unsealing.
async fn former_config(core: &Core) -> Option<SealConfig> {
    core.sealed.former_config().await.unwrap_or_else(|error| {
        tracing::error!(error = %crate::refusal::Chain(&error), "the shares from before the last rekey are left out");
        None
    })
}

/// What the status says, in every state.
async fn status(core: &Core) -> Map<String, Value> {
    let config = core.sealed.seal_config().await.ok().flatten();
    let (progress, nonce) = match &*core.unsealing.lock().await {
        Some(unsealing) => (unsealing.progress(), unsealing.nonce().to_owned()),
        None => (0, String::new()),
    };
    let pass = core.gate.pass().ok();
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    put("type", "shamir".into());
    put("initialized", config.is_some().into());
    put("sealed", pass.is_none().into());
    put("t", config.as_ref().map_or(0, |c| c.threshold()).into());
    put("n", config.as_ref().map_or(0, |c| c.shares()).into());
    put("progress", progress.into());
    put("nonce", nonce.into());
    put("version", core.config.version.as_str().into());
    put("build_date", core.config.build_date.as_str().into());
    put("commit_date", core.config.build_date.as_str().into());
    put("migration", false.into());
    put("recovery_seal", false.into());
    put("storage_type", core.config.storage_type.as_str().into());
    if let Some(pass) = &pass {
        put("cluster_name", pass.owner().cluster.name.as_str().into());
        put("cluster_id", pass.owner().cluster.id.as_str().into());
    }
    out
}

async fn seal_status(core: &Core, redact: Redact) -> Outcome {
    let mut told = status(core).await;
    leave_out(&mut told, redact);
    bare(&Value::Object(told), None)
}

/// Takes out what strangers on this listener are not told. The version stays as an empty text, the cluster's name goes as
/// a whole: clients expect the one, and know that the other may be missing.
fn leave_out(told: &mut Map<String, Value>, redact: Redact) {
    if redact.version {
        for name in ["version", "build_date", "commit_date"] {
            if let Some(value) = told.get_mut(name) {
                *value = Value::String(String::new());
            }
        }
    }
    if redact.cluster_name {
        told.remove("cluster_name");
    }
}

fn leader() -> Outcome {
    bare(&json!({ "ha_enabled": false }), None)
}

/// A code or flag of the health query that does not parse.
struct BadQuery;

fn query_text(body: &Body, name: &str) -> Option<String> {
    body.get(name).map(|raw| raw.to_value().as_str().map_or_else(|| raw.get().to_owned(), str::to_owned))
}

fn code(body: &Body, name: &str, default: u16) -> Result<u16, BadQuery> {
    match query_text(body, name) {
        None => Ok(default),
        // Codes below 200 are not answers: 101 would end HTTP on the connection.
        Some(text) => text.parse().ok().filter(|c| (200..=999).contains(c)).ok_or(BadQuery),
    }
}

fn flag(body: &Body, name: &str) -> Result<bool, BadQuery> {
    match query_text(body, name).as_deref() {
        None => Ok(false),
        Some("" | "1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(_) => Err(BadQuery),
    }
}

async fn health(core: &Core, request: &Request) -> Outcome {
    health_of(core, &request.body, request.redact)
        .await
        .unwrap_or_else(|_| Outcome::Refused(Refusal::silent(ErrorKind::BadRequest)))
}

async fn health_of(core: &Core, query: &Body, redact: Redact) -> Result<Outcome, BadQuery> {
    let (active, sealed, uninit) =
        (code(query, "activecode", 200)?, code(query, "sealedcode", 503)?, code(query, "uninitcode", 501)?);
    // Checked like the others; a single node is never one.
    code(query, "standbycode", 429)?;
    code(query, "drsecondarycode", 472)?;
    code(query, "performancestandbycode", 473)?;
    flag(query, "standbyok")?;
    flag(query, "perfstandbyok")?;
    let initialised = core.is_initialised().await;
    let pass = core.gate.pass().ok();
    let mode = if pass.is_some() { "disabled" } else { "unknown" };
    let mut data = json!({
        "initialized": initialised,
        "sealed": pass.is_none(),
        "standby": pass.is_none(),
        "performance_standby": false,
        "replication_performance_mode": mode,
        "replication_dr_mode": mode,
        "server_time_utc": core.clock.now().unix(),
        "version": core.config.version,
    });
    if let Value::Object(told) = &mut data {
        if let Some(pass) = &pass {
            told.insert("cluster_name".into(), pass.owner().cluster.name.as_str().into());
            told.insert("cluster_id".into(), pass.owner().cluster.id.as_str().into());
        }
        leave_out(told, redact);
    }
    let code = if !initialised {
        uninit
    } else if pass.is_none() {
        sealed
    } else {
        active
    };
    Ok(bare(&data, Some(code)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use crate::CoreConfig;
    use crate::testing::Server;
    use bulla_types::Operation;
    use serde_json::json;
    use std::sync::Arc;

    /// A share that waited while another one opened the gate began a round of its own, and stayed in memory.
    #[tokio::test]
    async fn a_share_that_comes_too_late_is_not_kept() {
        let server = Arc::new(Server::start(3, 2, CoreConfig::default()).await);
        server.write("sys/seal", json!({})).await.ok();
        let held = server.core.unsealing.lock().await;
        let late = Arc::clone(&server);
        let late = tokio::spawn(async move {
            let share = json!({ "key": late.shares[2] });
            late.call_as(None, Operation::Update, "sys/unseal", share).await.ok()
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!late.is_finished());
        server.unseal(&server.shares[..2]).await.unwrap();
        drop(held);
        let status = late.await.unwrap();
        assert_eq!((&status["sealed"], &status["progress"]), (&json!(false), &json!(0)));
        assert!(server.core.unsealing.lock().await.is_none());
    }
}
