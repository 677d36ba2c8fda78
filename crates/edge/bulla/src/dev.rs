//! Setting up a development server: initialised, unsealed, `secret/` mounted, root token known. All of it is asked of
//! core as a client would, so that nothing can be done here that a client could not do.

use crate::house::House;
use crate::options::{DevOptions, DevSecret, DevTls};
use crate::start::StartError;
use bulla_core::{Answer, Outcome, Request};
use bulla_http::{DevCertificates, TlsSettings};
use bulla_kit::{Body, BodyLimits};
use bulla_secret::SecretText;
use bulla_types::{Operation, RequestPath, Time};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// What the operator of a development server is told.
pub struct Ready {
    pub unseal_key: String,
    pub root_token: String,
}

pub async fn set_up(house: &dyn House, options: &DevOptions) -> Result<Ready, StartError> {
    let init = ask(house, "sys/init", "", json!({ "secret_shares": 1, "secret_threshold": 1 })).await?;
    let unseal_key = text_at(&init, "/keys_base64/0")?;
    let first_token = text_at(&init, "/root_token")?;
    ask(house, "sys/unseal", "", json!({ "key": unseal_key })).await?;
    let root_token = match &options.root_token_id {
        None => first_token,
        Some(id) => replace_token(house, &first_token, id).await?,
    };
    if let Some(body) = mount(options.secret) {
        ask(house, "sys/mounts/secret", &root_token, body).await?;
    }
    Ok(Ready { unseal_key, root_token })
}

async fn replace_token(house: &dyn House, old: &str, id: &str) -> Result<String, StartError> {
    let wanted = json!({ "id": id, "policies": ["root"], "no_parent": true, "no_default_policy": true });
    ask(house, "auth/token/create", old, wanted).await?;
    ask(house, "auth/token/revoke-self", old, json!({})).await?;
    Ok(id.to_owned())
}

fn mount(secret: DevSecret) -> Option<Value> {
    let options = match secret {
        DevSecret::KvV2 => json!({ "version": "2" }),
        DevSecret::KvV1 => json!({ "version": "1" }),
        DevSecret::LeasedKv => json!({ "version": "1", "leased_passthrough": "true" }),
        DevSecret::None => return None,
    };
    Some(json!({ "type": "kv", "description": "key/value secret storage", "options": options }))
}

/// Sends one write and gives back the data of the answer, `null` if there is none.
async fn ask(house: &dyn House, path: &str, token: &str, body: Value) -> Result<Value, StartError> {
    let fail = |why: String| StartError::Dev(format!("{path}: {why}"));
    let body = Body::parse(body.to_string().as_bytes(), &BodyLimits::default()).map_err(|e| fail(e.to_string()))?;
    let request = Request {
        id: "00000000-0000-4000-8000-000000000000".into(),
        namespace: String::new(),
        path: RequestPath::parse(path).map_err(|e| fail(e.to_string()))?,
        operation: Operation::Update,
        token: (!token.is_empty()).then(|| SecretText::from(token.to_owned())),
        body: Arc::new(body),
        wrap: None,
        remote: None,
        headers: Box::new(Vec::new()),
        client_certificates: Vec::new(),
        help: false,
        legacy_routes_open: false,
        connection: 0,
    };
    data_of(house.handle(request).await.into_inner()).map_err(fail)
}

fn data_of(answer: Answer) -> Result<Value, String> {
    match answer.outcome {
        Outcome::Bare { data, .. } => Ok(data.to_value()),
        Outcome::Envelope { envelope, .. } => Ok(envelope.data.map_or(Value::Null, |d| d.to_value())),
        Outcome::NoContent => Ok(Value::Null),
        Outcome::Raw(_) => Err("an unexpected answer".into()),
        Outcome::Refused(refusal) => Err(format!("{:?} {}", refusal.kind, refusal.errors.join("; "))),
    }
}

fn text_at(value: &Value, pointer: &str) -> Result<String, StartError> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| StartError::Dev(format!("the answer to sys/init has no {pointer}")))
}

/// Makes certificates and writes them where clients find them: `vault-ca.pem`, `vault-cert.pem`, `vault-key.pem`.
pub fn make_certificates(tls: &DevTls) -> Result<TlsSettings, StartError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let made = DevCertificates::new(&tls.names, Time::from_unix(now))?;
    let fail = |e: std::io::Error| StartError::Dev(format!("certificates cannot be written: {e}"));
    let folder = match &tls.folder {
        Some(folder) => folder.clone(),
        None => std::env::temp_dir().join(format!("vault-tls{}", std::process::id())),
    };
    std::fs::create_dir_all(&folder).map_err(fail)?;
    let (cert, key) = (folder.join("vault-cert.pem"), folder.join("vault-key.pem"));
    write_private(&folder.join("vault-ca.pem"), &made.authority).map_err(fail)?;
    write_private(&cert, &made.certificate).map_err(fail)?;
    write_private(&key, &made.key).map_err(fail)?;
    Ok(TlsSettings::new(cert, key))
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Where the command line finds the token of who is logged in.
///
/// # Errors
/// As writing a file.
pub fn store_token(home: &Path, token: &str) -> std::io::Result<()> {
    write_private(&home.join(".vault-token"), token)
}
