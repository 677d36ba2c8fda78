//! Whom new shares are for: everybody in clear, or each share for one PGP key. Keys are read before anything is made, so
//! that nothing is made that could not be handed over.

use bulla_kit::EngineError;
use bulla_pgp::{PgpError, PgpKey};
use bulla_seal::Share;
use bulla_secret::{SecretBytes, SecretText};
use bulla_types::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// No keys = in clear.
#[derive(Clone, Debug, Default)]
pub struct Recipients(Vec<PgpKey>);

/// Shares in the two forms of an answer.
pub struct HandedOut {
    /// Hex: the shares, or the messages that hold their hex texts.
    pub keys: Vec<String>,
    pub keys_base64: Vec<String>,
}

/// Encrypted shares that the server keeps.
#[derive(Serialize, Deserialize)]
pub struct Backup {
    pub nonce: String,
    /// Messages in hex, by fingerprint.
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Recipients {
    /// # Errors
    /// The first key that cannot be used.
    pub fn parse(texts: &[String], now: Time) -> Result<Self, PgpError> {
        texts.iter().map(|text| PgpKey::parse(text, now)).collect::<Result<_, _>>().map(Self)
    }

    /// `null` where shares go out in clear.
    pub fn fingerprints(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        self.0.iter().map(|key| Value::from(key.fingerprint())).collect()
    }

    /// As many shares as keys, if there are keys.
    ///
    /// # Errors
    /// No randomness.
    pub fn hand_out(&self, shares: &[Share]) -> Result<HandedOut, PgpError> {
        if self.0.is_empty() {
            let hex = shares.iter().map(|s| s.to_hex().dangerous_expose().to_owned()).collect();
            let base64 = shares.iter().map(|s| s.to_base64().dangerous_expose().to_owned()).collect();
            return Ok(HandedOut { keys: hex, keys_base64: base64 });
        }
        let messages = self.0.iter().zip(shares).map(|(key, share)| encrypt(key, &share.to_hex()));
        let messages: Vec<Vec<u8>> = messages.collect::<Result<_, _>>()?;
        Ok(HandedOut {
            keys: messages.iter().map(hex::encode).collect(),
            keys_base64: messages.iter().map(|message| base64_of(message)).collect(),
        })
    }

    /// What is kept of shares that were handed out.
    pub fn backup(&self, nonce: &str, out: &HandedOut) -> Backup {
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, message) in self.0.iter().zip(&out.keys) {
            keys.entry(key.fingerprint().to_owned()).or_default().push(message.clone());
        }
        Backup { nonce: nonce.to_owned(), keys }
    }
}

/// A token for one key, in base64.
///
/// # Errors
/// No randomness.
pub fn token_for(key: &PgpKey, token: &SecretText) -> Result<String, PgpError> {
    Ok(base64_of(&encrypt(key, token)?))
}

/// What a client is told of a key that cannot be used, or the log of a system without randomness.
pub fn refusal(prefix: &str, error: PgpError) -> EngineError {
    match error {
        PgpError::Randomness => EngineError::internal("no randomness could be had from the system"),
        other => EngineError::bad(format!("{prefix}{other}")),
    }
}

fn encrypt(key: &PgpKey, text: &SecretText) -> Result<Vec<u8>, PgpError> {
    key.encrypt(&SecretBytes::copy_of(text.dangerous_expose().as_bytes()))
}

pub fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
