//! Setting up a development server: initialised, unsealed, `secret/` mounted, root token known. All of it is asked of
//! core as a client would, so that nothing can be done here that a client could not do.

use crate::house::House;
use crate::options::{DevOptions, DevSecret, DevTls};
use crate::start::StartError;
use bulla_cli::write_private;
use bulla_core::{Answer, Outcome, Redact, Request};
use bulla_http::{DevCertificates, TlsSettings};
use bulla_kit::{Body, BodyLimits};
use bulla_secret::SecretText;
use bulla_types::{Operation, RequestPath, Time};
use serde_json::{Value, json};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file with the authority of a development server's certificate.
const AUTHORITY: &str = "vault-ca.pem";

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
        redact: Redact::default(),
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

/// Certificates of a development server, where clients find them.
pub struct Certificates {
    pub settings: TlsSettings,
    /// Held as long as the files are needed: those of a folder made for them are removed with it.
    _folder: Option<OwnFolder>,
}

/// Makes certificates and writes `vault-ca.pem`, `vault-cert.pem`, `vault-key.pem`.
pub fn make_certificates(tls: &DevTls) -> Result<Certificates, StartError> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let made = DevCertificates::new(&tls.names, Time::from_unix(now))?;
    let fail = |e: std::io::Error| StartError::Dev(format!("certificates cannot be written: {e}"));
    let (folder, own) = match &tls.folder {
        Some(folder) => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
            (std::path::absolute(folder).map_err(fail)?, None)
        }
        None => {
            let own = OwnFolder::new(&std::env::temp_dir()).map_err(fail)?;
            (own.0.clone(), Some(own))
        }
    };
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        write_private(&file, text.as_bytes()).map_err(fail).map(|()| file)
    };
    write(AUTHORITY, &made.authority)?;
    let settings = TlsSettings::new(write("vault-cert.pem", &made.certificate)?, write("vault-key.pem", &made.key)?);
    Ok(Certificates { settings, _folder: own })
}

/// Where the authority is that clients should trust, beside the certificate made with it.
pub fn authority(settings: &TlsSettings) -> PathBuf {
    settings.certificate.with_file_name(AUTHORITY)
}

/// A folder that was not there before and that its owner alone may enter. Removed when dropped.
struct OwnFolder(PathBuf);

impl OwnFolder {
    fn new(within: &Path) -> std::io::Result<Self> {
        let tail = bulla_crypto::random::base62(12).map_err(std::io::Error::other)?;
        let folder = within.join(format!("vault-tls{tail}"));
        // Without `recursive`, what is there already is an error, whatever it is.
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where the command line finds the token of who is logged in.
///
/// # Errors
/// As writing a file.
pub fn store_token(home: &Path, token: &str) -> std::io::Result<()> {
    write_private(&home.join(".vault-token"), token.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_stored_token_is_its_owners_whatever_was_there() {
        let home = tempfile::tempdir().unwrap();
        let (file, other) = (home.path().join(".vault-token"), home.path().join("other"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        store_token(home.path(), "root").unwrap();
        assert_eq!((mode(&file), std::fs::read_to_string(&file).unwrap().as_str()), (0o600, "root"));
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, &file).unwrap();
        store_token(home.path(), "root").unwrap();
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine", "a link is not followed");
    }

    #[test]
    fn a_folder_of_its_own_is_closed_to_others_and_goes_at_the_end() {
        let made = make_certificates(&DevTls::default()).unwrap();
        let folder = made.settings.key.parent().unwrap().to_owned();
        assert_eq!((mode(&folder), mode(&made.settings.key)), (0o700, 0o600));
        assert!(authority(&made.settings).is_file());
        let other = make_certificates(&DevTls::default()).unwrap();
        assert_ne!(other.settings.key.parent().unwrap(), folder, "nobody can guess the next");
        drop(made);
        assert!(!folder.exists());
    }

    #[test]
    fn a_named_folder_stays_and_older_files_in_it_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (key, other) = (folder.path().join("vault-key.pem"), folder.path().join("other"));
        std::fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, &key).unwrap();
        drop(make_certificates(&DevTls { folder: Some(folder.path().into()), names: Vec::new() }).unwrap());
        assert!(std::fs::read_to_string(&key).unwrap().contains("PRIVATE KEY"));
        assert_eq!((mode(&key), std::fs::read_to_string(&other).unwrap().as_str()), (0o600, "mine"));
    }
}
