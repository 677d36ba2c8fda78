//! The keyed hash that stands in a line instead of a secret, and who is behind it.
//! Not here: walking JSON (`transcode`), which member is hashed (`line`).

use crate::json;
use bulla_crypto::HmacKey;
use serde::{Deserialize, Serialize};
use std::fmt;

const LABEL: &[u8] = b"hmac-sha256:";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// The random text a device's hashes are keyed with. Kept in the device's stored record, so that hashes stay
/// comparable across restarts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(String);

impl Salt {
    /// From text that nobody can guess: at least 128 bits of randomness in any printable form (a random UUID is usual).
    pub fn from_random_text(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Salt({} bytes)", self.0.len())
    }
}

/// Whether strings of a device are hashed at all (`log_raw`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strings {
    Hashed,
    Raw,
}

/// Whether accessors are hashed (`hmac_accessor`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accessors {
    Hashed,
    Clear,
}

/// Puts strings into a line the way one device wants them. Each device owns its own: nothing about what is hashed is
/// shared between devices.
pub(crate) struct Veil {
    key: HmacKey,
    pub(crate) strings: Strings,
    pub(crate) accessors: Accessors,
}

impl Veil {
    pub(crate) fn new(salt: &Salt, strings: Strings, accessors: Accessors) -> Self {
        Self { key: HmacKey::new(salt.0.as_bytes()), strings, accessors }
    }

    /// `hmac-sha256:` and 64 hexadecimal digits, as `sys/audit-hash` answers.
    pub(crate) fn identify(&self, text: &str) -> String {
        let mut out = Vec::with_capacity(LABEL.len() + 64);
        self.push_hash(text.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// A JSON string: the hash, or with `log_raw` the text. Bytes that are no UTF-8 are shown as good as possible
    /// there; the hash is always over the bytes themselves.
    pub(crate) fn secret(&self, secret: &[u8], out: &mut Vec<u8>) {
        match self.strings {
            Strings::Hashed => {
                out.push(b'"');
                self.push_hash(secret, out);
                out.push(b'"');
            }
            Strings::Raw => json::string(&String::from_utf8_lossy(secret), out),
        }
    }

    pub(crate) fn accessor(&self, accessor: &str, out: &mut Vec<u8>) {
        match self.accessors {
            Accessors::Hashed => self.secret(accessor.as_bytes(), out),
            Accessors::Clear => json::string(accessor, out),
        }
    }

    fn push_hash(&self, secret: &[u8], out: &mut Vec<u8>) {
        // Digits first into an array: appending them one by one to a vector took longer than the hash.
        let mut digits = [0_u8; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.key.sign(secret)) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        out.extend_from_slice(LABEL);
        out.extend_from_slice(&digits);
    }
}
