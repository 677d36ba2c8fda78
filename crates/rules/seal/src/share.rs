//! One share as a person holds it: hex or base64 text at the door, bytes inside.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bulla_crypto::shamir;
use bulla_secret::{SecretBytes, SecretText, ct_eq};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of the shortest share that is looked at.
pub const MIN_SHARE: usize = 16;
/// Bytes of the longest: a 32-byte key and the coordinate.
pub const MAX_SHARE: usize = 33;

/// As lenient as the reference: bits that do not count in the last character may be set.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Texts are the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareTextError {
    /// The wording is that of `sys/unseal`; other routes have their own for a missing key.
    #[error("'key' must be specified in request body as JSON, or 'reset' set to true")]
    Empty,
    #[error("'key' must be a valid hex or base64 string")]
    Undecodable,
    #[error("invalid key: key is shorter than minimum {MIN_SHARE} bytes")]
    TooShort,
    #[error("invalid key: key is longer than maximum {MAX_SHARE} bytes")]
    TooLong,
}

/// A share of the unseal key, or the key itself where there is one share only. Erased on drop.
pub struct Share(SecretBytes);

impl Share {
    /// Hex if it can be hex, else base64.
    ///
    /// # Errors
    /// See [`ShareTextError`]; nothing counts, nothing changes.
    pub fn parse(text: &str) -> Result<Self, ShareTextError> {
        if text.is_empty() {
            return Err(ShareTextError::Empty);
        }
        let bytes = match hex::decode(text) {
            Ok(bytes) => SecretBytes::from(bytes),
            Err(_) => decode_base64(text)?,
        };
        match bytes.len() {
            ..MIN_SHARE => Err(ShareTextError::TooShort),
            MIN_SHARE..=MAX_SHARE => Ok(Self(bytes)),
            _ => Err(ShareTextError::TooLong),
        }
    }

    pub(crate) fn of(bytes: SecretBytes) -> Self {
        Self(bytes)
    }

    pub fn to_hex(&self) -> SecretText {
        SecretText::new(self.0.expose(|bytes| hex::encode(bytes)))
    }

    pub fn to_base64(&self) -> SecretText {
        SecretText::new(self.0.expose(|bytes| STANDARD.encode(bytes)))
    }

    pub fn expose<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        self.0.expose(look)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Constant time.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.expose(|own| other.0.expose(|other| ct_eq(own, other)))
    }

    /// A second copy, erased for itself.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.expose(SecretBytes::copy_of))
    }

    pub(crate) fn into_bytes(self) -> SecretBytes {
        self.0
    }

    pub(crate) fn into_shamir(self) -> shamir::Share {
        shamir::Share::from_bytes(self.0)
    }
}

/// Line ends inside are passed over, as the reference does: shares get pasted from mails.
fn decode_base64(text: &str) -> Result<SecretBytes, ShareTextError> {
    let decoded = if text.contains(['\r', '\n']) {
        let mut joined = Zeroizing::new(String::with_capacity(text.len()));
        joined.extend(text.chars().filter(|c| !matches!(c, '\r' | '\n')));
        LENIENT.decode(joined.as_bytes())
    } else {
        LENIENT.decode(text)
    };
    decoded.map(SecretBytes::from).map_err(|_| ShareTextError::Undecodable)
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn lengths_have_limits() {
        for (length, refusal) in
            [(15, Some(ShareTextError::TooShort)), (16, None), (33, None), (34, Some(ShareTextError::TooLong))]
        {
            assert_eq!(Share::parse(&hex::encode(vec![7; length])).err(), refusal, "{length}");
            assert_eq!(Share::parse(&STANDARD.encode(vec![0xfe; length])).err(), refusal, "{length}");
        }
    }

    /// Inputs and refusals as recorded from the reference.
    #[test]
    fn unfit_texts_are_refused_in_the_words_of_the_api() {
        for (text, refusal) in [
            ("", "'key' must be specified in request body as JSON, or 'reset' set to true"),
            ("!!", "'key' must be a valid hex or base64 string"),
            ("c2hvcnQ=", "invalid key: key is shorter than minimum 16 bytes"),
            (
                "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWEYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=",
                "'key' must be a valid hex or base64 string",
            ),
            (
                "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
                "invalid key: key is longer than maximum 33 bytes",
            ),
        ] {
            assert_eq!(Share::parse(text).unwrap_err().to_string(), refusal);
        }
    }

    #[test]
    fn both_spellings_are_the_same_share() {
        let share = Share::of(SecretBytes::from((0u8..33).collect::<Vec<_>>()));
        let hex = share.to_hex();
        let base64 = share.to_base64();
        for text in [hex.dangerous_expose(), &hex.dangerous_expose().to_uppercase(), base64.dangerous_expose()] {
            assert!(Share::parse(text).unwrap().ct_eq(&share));
        }
        let (left, right) = base64.dangerous_expose().split_at(20);
        assert!(Share::parse(&format!("{left}\r\n{right}\n")).unwrap().ct_eq(&share));
        assert_eq!(format!("{share:?}"), "Share(33 bytes)");
    }
}
