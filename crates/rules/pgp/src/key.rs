//! A key as clients send it.

use crate::PgpError;
use base64::DecodeError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_secret::SecretBytes;
use bulla_types::Time;
use std::fmt;

/// Bytes of a key, decoded. A key with some dozens of signatures by others has a few tens of KiB.
pub const MAX_KEY: usize = 256 << 10;

/// A public key that can be encrypted to; tried when it was read.
#[derive(Clone)]
pub struct PgpKey {
    fingerprint: String,
    #[cfg(feature = "pgp")]
    recipient: crate::library::Recipient,
}

impl PgpKey {
    /// `text` is the binary key in base64, as clients have always sent it, or an armoured key; line breaks in base64 do
    /// not count. `now` decides which parts of it are in force.
    ///
    /// # Errors
    /// Anything but one public key that can be encrypted to now.
    pub fn parse(text: &str, now: Time) -> Result<Self, PgpError> {
        if text.len() > 2 * MAX_KEY {
            return Err(PgpError::TooLarge);
        }
        if text.trim_start().starts_with("-----BEGIN PGP ") {
            return Self::armoured(text.trim(), now);
        }
        let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let bytes = STANDARD.decode(&text).map_err(|error| PgpError::NotBase64 { at: position(&error, &text) })?;
        if bytes.len() > MAX_KEY {
            return Err(PgpError::TooLarge);
        }
        match bytes.first() {
            None => Err(PgpError::Empty),
            Some(first) if first & 0x80 == 0 => Err(PgpError::NotOpenPgp),
            Some(_) => Self::binary(&bytes, now),
        }
    }

    /// The fingerprint of the primary key, hex in lower case.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

#[cfg(feature = "pgp")]
impl PgpKey {
    fn armoured(text: &str, now: Time) -> Result<Self, PgpError> {
        Self::of(crate::library::Recipient::armoured(text, now)?)
    }

    fn binary(bytes: &[u8], now: Time) -> Result<Self, PgpError> {
        Self::of(crate::library::Recipient::binary(bytes, now)?)
    }

    fn of(recipient: crate::library::Recipient) -> Result<Self, PgpError> {
        // Better refused now than when the secret is there and has nowhere to go.
        recipient.encrypt(b"trial")?;
        Ok(Self { fingerprint: recipient.fingerprint(), recipient })
    }

    /// An OpenPGP message, binary.
    ///
    /// # Errors
    /// No randomness.
    pub fn encrypt(&self, secret: &SecretBytes) -> Result<Vec<u8>, PgpError> {
        secret.expose(|bytes| self.recipient.encrypt(bytes))
    }
}

#[cfg(not(feature = "pgp"))]
impl PgpKey {
    fn armoured(_: &str, _: Time) -> Result<Self, PgpError> {
        Err(PgpError::NotBuiltIn)
    }

    fn binary(_: &[u8], _: Time) -> Result<Self, PgpError> {
        Err(PgpError::NotBuiltIn)
    }

    /// # Errors
    /// Always.
    pub fn encrypt(&self, _: &SecretBytes) -> Result<Vec<u8>, PgpError> {
        Err(PgpError::NotBuiltIn)
    }
}

impl fmt::Debug for PgpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PgpKey({})", self.fingerprint)
    }
}

fn position(error: &DecodeError, text: &str) -> usize {
    match *error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len(),
    }
}
