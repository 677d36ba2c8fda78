//! AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags.

use crate::error::CryptoError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use bulla_secret::scrub_stack;
use std::fmt;

/// Bytes of a key.
pub const KEY_LEN: usize = 32;
/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes of a tag, which follows the ciphertext.
pub const TAG_LEN: usize = 16;

/// A key ready for use. The expanded key lies in the crypto library's own heap block, which it erases when freed.
///
/// One key takes at most 2^32 random nonces; the keyring rotates long before (`rules/seal`).
pub struct Aead(LessSafeKey);

impl Aead {
    /// Takes a few microseconds, most of them for scrubbing the stack of what the key expansion left there.
    pub fn new(key: &[u8; KEY_LEN]) -> Self {
        let this = Self(expanded(&AES_256_GCM, key));
        scrub_stack();
        this
    }

    /// Encrypts `buf` where it is and appends the tag. Give the vector [`TAG_LEN`] bytes of spare capacity, or it moves.
    pub fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut Vec<u8>) {
        self.seal_from(nonce, aad, buf, 0);
    }

    /// As [`Aead::seal`], leaving the first `from` bytes as they are: a header, written beforehand.
    // INVARIANT: AES-GCM takes up to 2^36 - 32 bytes; every caller's limit lies far below.
    #[expect(clippy::expect_used, reason = "by INVARIANT above")]
    pub fn seal_from(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut Vec<u8>, from: usize) {
        let from = from.min(buf.len());
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut buf[from..])
            .expect("the message is shorter than 64 GiB");
        buf.extend_from_slice(tag.as_ref());
    }

    /// Decrypts `buf` (ciphertext and tag) where it is and returns the length of the plaintext, which lies at its start.
    ///
    /// # Errors
    /// [`CryptoError::Forged`]; the content of `buf` is then of no use.
    pub fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<usize, CryptoError> {
        self.0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), buf)
            .map(|plain| plain.len())
            .map_err(|_| CryptoError::Forged)
    }

    /// Decrypts `sealed` (ciphertext and tag) and appends the plaintext to `out`: no copy of the ciphertext.
    ///
    /// # Errors
    /// [`CryptoError::Forged`]; `out` is then as before.
    pub fn open_into(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CryptoError> {
        let length = sealed.len().checked_sub(TAG_LEN).ok_or(CryptoError::Forged)?;
        let (cipher, tag) = sealed.split_at(length);
        let before = out.len();
        out.resize(before + length, 0);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_separate_gather(nonce, Aad::from(aad), cipher, tag, &mut out[before..]).map_err(|_| {
            out.truncate(before);
            CryptoError::Forged
        })
    }
}

#[inline(never)]
#[expect(clippy::expect_used, reason = "the key length, the only thing that could be wrong, is fixed by the type")]
pub(crate) fn expanded(algorithm: &'static Algorithm, key: &[u8; KEY_LEN]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(algorithm, key).expect("an AES-256 key has 32 bytes"))
}

impl fmt::Debug for Aead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aead(AES-256-GCM)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key(text: &str) -> Aead {
        Aead::new(&hex::decode(text).unwrap().try_into().unwrap())
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, cases 13, 14 and 16 (also NIST's).
    #[test]
    fn published_vectors() {
        let zero = "00".repeat(32);
        let mixed = "feffe9928665731c6d6a8f9467308308".repeat(2);
        let cases = [
            (zero.as_str(), "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
            (
                zero.as_str(),
                "000000000000000000000000",
                "",
                "00000000000000000000000000000000",
                "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
            ),
            (
                mixed.as_str(),
                "cafebabefacedbaddecaf888",
                "feedfacedeadbeeffeedfacedeadbeefabaddad2",
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525\
                 b16aedf5aa0de657ba637b39",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838\
                 c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
            ),
        ];
        for (k, nonce, aad, plain, sealed) in cases {
            let nonce = hex::decode(nonce).unwrap().try_into().unwrap();
            let (aad, plain) = (hex::decode(aad).unwrap(), hex::decode(plain).unwrap());
            let mut buf = plain.clone();
            key(k).seal(&nonce, &aad, &mut buf);
            assert_eq!(hex::encode(&buf), sealed);
            let mut out = b"before".to_vec();
            key(k).open_into(&nonce, &aad, &buf, &mut out).unwrap();
            assert_eq!(out.strip_prefix(b"before"), Some(plain.as_slice()));
            let length = key(k).open(&nonce, &aad, &mut buf).unwrap();
            assert_eq!(buf[..length], plain);
        }
    }

    #[test]
    fn a_header_stays_in_front() {
        let (aead, nonce) = (Aead::new(&[1; 32]), [2; 12]);
        let mut whole = b"plain".to_vec();
        aead.seal(&nonce, b"aad", &mut whole);
        let mut framed = b"headplain".to_vec();
        aead.seal_from(&nonce, b"aad", &mut framed, 4);
        assert_eq!(framed[..4], *b"head");
        assert_eq!(framed[4..], whole);
    }

    #[test]
    fn any_change_is_refused() {
        let (aead, nonce) = (Aead::new(&[1; 32]), [2; 12]);
        let mut sealed = b"some plaintext".to_vec();
        aead.seal(&nonce, b"aad", &mut sealed);
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let mut out = vec![9];
            assert_eq!(aead.open_into(&nonce, b"aad", &changed, &mut out), Err(CryptoError::Forged));
            assert_eq!(out, [9]);
            assert_eq!(aead.open(&nonce, b"aad", &mut changed), Err(CryptoError::Forged));
        }
        for length in 0..sealed.len() {
            assert!(aead.open(&nonce, b"aad", &mut sealed.clone()[..length]).is_err());
            assert!(aead.open_into(&nonce, b"aad", &sealed[..length], &mut Vec::new()).is_err());
        }
        assert!(aead.open(&nonce, b"aax", &mut sealed.clone()).is_err());
        assert!(aead.open(&[3; 12], b"aad", &mut sealed.clone()).is_err());
        assert!(Aead::new(&[0; 32]).open(&nonce, b"aad", &mut sealed).is_err());
    }
}
