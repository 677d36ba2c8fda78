//! HKDF (RFC 5869): keys from a key.

use crate::error::CryptoError;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};

/// Extract and expand in one step.
pub struct Hkdf;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Hkdf {
    /// Fills `out` with key material from `ikm` by HKDF-SHA-256. `info` keeps the purposes of one key apart.
    ///
    /// # Errors
    /// [`CryptoError::TooMuchOutput`] above 8160 bytes.
    pub fn sha256(salt: &[u8], ikm: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), CryptoError> {
        Salt::new(HKDF_SHA256, salt)
            .extract(ikm)
            .expand(&[info], Length(out.len()))
            .and_then(|material| material.fill(out))
            .map_err(|_| CryptoError::TooMuchOutput)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn derive(salt: &str, ikm: &str, info: &str, length: usize) -> String {
        let mut out = vec![0; length];
        let bytes = |text| hex::decode(text).unwrap();
        Hkdf::sha256(&bytes(salt), &bytes(ikm), &bytes(info), &mut out).unwrap();
        hex::encode(out)
    }

    /// RFC 5869, appendix A, cases 1 and 3.
    #[test]
    fn published_vectors() {
        let ikm = "0b".repeat(22);
        assert_eq!(
            derive("000102030405060708090a0b0c", &ikm, "f0f1f2f3f4f5f6f7f8f9", 42),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
        assert_eq!(
            derive("", &ikm, "", 42),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }

    #[test]
    fn output_is_limited() {
        assert_eq!(Hkdf::sha256(b"", b"key", b"", &mut [0; 8160]), Ok(()));
        assert_eq!(Hkdf::sha256(b"", b"key", b"", &mut [0; 8161]), Err(CryptoError::TooMuchOutput));
    }
}
