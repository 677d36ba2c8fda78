//! AES-256-GCM-SIV (RFC 8452) with a fixed nonce: a deterministic AEAD for names.

use crate::aead::{KEY_LEN, NONCE_LEN, TAG_LEN, expanded};
use crate::error::CryptoError;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce};
use bulla_secret::scrub_stack;
use std::fmt;

/// The same name below the same parent always looks the same, which is what makes it findable; nothing else leaks (RFC
/// 8452, section 9). The key must serve this purpose alone.
pub struct Siv(LessSafeKey);

const FIXED: [u8; NONCE_LEN] = [0; NONCE_LEN];

impl Siv {
    pub fn new(key: &[u8; KEY_LEN]) -> Self {
        let this = Self(expanded(&AES_256_GCM_SIV, key));
        scrub_stack();
        this
    }

    /// Appends ciphertext and tag of `plain` to `out`: [`TAG_LEN`] bytes more than `plain` has.
    pub fn seal(&self, aad: &[u8], plain: &[u8], out: &mut Vec<u8>) {
        self.seal_with(FIXED, aad, plain, out);
    }

    /// Appends the plaintext of `sealed` (ciphertext and tag) to `out`.
    ///
    /// # Errors
    /// [`CryptoError::Forged`]; `out` is then as before.
    pub fn open(&self, aad: &[u8], sealed: &[u8], out: &mut Vec<u8>) -> Result<(), CryptoError> {
        self.open_with(FIXED, aad, sealed, out)
    }

    // INVARIANT: AES-GCM-SIV takes up to 2^36 bytes; names are shorter than 64 KiB.
    #[expect(clippy::expect_used, reason = "by INVARIANT above")]
    fn seal_with(&self, nonce: [u8; NONCE_LEN], aad: &[u8], plain: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        out.reserve(plain.len() + TAG_LEN);
        out.extend_from_slice(plain);
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut out[before..])
            .expect("the message is shorter than 64 GiB");
        out.extend_from_slice(tag.as_ref());
    }

    fn open_with(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let before = out.len();
        out.extend_from_slice(sealed);
        let opened = self.0.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut out[before..]);
        let length = opened.map(|plain| plain.len());
        out.truncate(before + length.unwrap_or(0));
        length.map(|_| ()).map_err(|_| CryptoError::Forged)
    }
}

impl fmt::Debug for Siv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Siv(AES-256-GCM-SIV)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// RFC 8452, appendix C.2.
    #[test]
    fn published_vectors() {
        let mut key = [0; 32];
        key[0] = 1;
        let siv = Siv::new(&key);
        let mut nonce = [0; 12];
        nonce[0] = 3;
        for (aad, plain, sealed) in [
            ("", "", "07f5f4169bbf55a8400cd47ea6fd400f"),
            ("", "0100000000000000", "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"),
            ("01", "0200000000000000", "1de22967237a813291213f267e3b452f02d01ae33e4ec854"),
        ] {
            let (aad, plain) = (hex::decode(aad).unwrap(), hex::decode(plain).unwrap());
            let mut out = Vec::new();
            siv.seal_with(nonce, &aad, &plain, &mut out);
            assert_eq!(hex::encode(&out), sealed);
            let mut back = Vec::new();
            siv.open_with(nonce, &aad, &out, &mut back).unwrap();
            assert_eq!(back, plain);
        }
    }

    #[test]
    fn same_name_same_parent_same_bytes() {
        let siv = Siv::new(&[7; 32]);
        let seal = |aad: &[u8], plain: &[u8]| {
            let mut out = b"before".to_vec();
            siv.seal(aad, plain, &mut out);
            out
        };
        assert_eq!(seal(b"parent", b"name"), seal(b"parent", b"name"));
        assert_ne!(seal(b"parent", b"name"), seal(b"other", b"name"));
        assert_ne!(seal(b"parent", b"name"), seal(b"parent", b"nome"));
        assert_eq!(seal(b"parent", b"name").len(), 6 + 4 + TAG_LEN);
    }

    #[test]
    fn any_change_is_refused_and_leaves_the_output_alone() {
        let siv = Siv::new(&[7; 32]);
        let mut sealed = Vec::new();
        siv.seal(b"parent", b"name", &mut sealed);
        let mut out = b"before".to_vec();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(siv.open(b"parent", &changed, &mut out), Err(CryptoError::Forged));
        }
        for length in 0..sealed.len() {
            assert!(siv.open(b"parent", &sealed[..length], &mut out).is_err());
        }
        assert!(siv.open(b"elsewhere", &sealed, &mut out).is_err());
        assert_eq!(out, b"before");
        siv.open(b"parent", &sealed, &mut out).unwrap();
        assert_eq!(out, b"beforename");
    }
}
