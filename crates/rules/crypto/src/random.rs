//! Randomness from the crypto library's generator: the only source of keys, nonces, ids and one-time passwords.

use crate::error::CryptoError;
use zeroize::{Zeroize, Zeroizing};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// # Errors
/// [`CryptoError::Randomness`]: the system gives none.
pub fn fill(out: &mut [u8]) -> Result<(), CryptoError> {
    aws_lc_rs::rand::fill(out).map_err(|_| CryptoError::Randomness)
}

/// For nonces and ids. Keys are filled in place with [`fill`], so that no copy stays on the stack.
///
/// # Errors
/// As for [`fill`].
pub fn bytes<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}

/// `len` characters of 0-9, A-Z, a-z, each equally likely: 5.95 bits a character.
///
/// # Errors
/// As for [`fill`].
pub fn base62(len: usize) -> Result<String, CryptoError> {
    let mut text = String::with_capacity(len);
    let mut pool = Zeroizing::new([0u8; 64]);
    while text.len() < len {
        fill(&mut pool[..])?;
        let fresh = pool.iter().filter_map(|byte| digit(*byte));
        text.extend(fresh.take(len - text.len()));
    }
    pool.zeroize();
    Ok(text)
}

/// 248 is the largest multiple of 62 a byte can reach; what lies above is thrown away, or the first 8 characters would
/// come up more often than the rest.
fn digit(byte: u8) -> Option<char> {
    (byte < 248).then(|| char::from(BASE62[usize::from(byte % 62)]))
}

/// A random UUID (RFC 9562, version 4), lower case with hyphens.
///
/// # Errors
/// As for [`fill`].
pub fn uuid() -> Result<String, CryptoError> {
    let mut raw: [u8; 16] = bytes()?;
    raw[6] = raw[6] & 0x0f | 0x40;
    raw[8] = raw[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in raw.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    Ok(text)
}

/// A random number below `limit`, each equally likely; 0 for a limit of 0.
///
/// # Errors
/// As for [`fill`].
pub(crate) fn below(limit: u8) -> Result<u8, CryptoError> {
    let limit = u16::from(limit.max(1));
    let fair = 256 / limit * limit;
    loop {
        let [byte] = bytes::<1>()?;
        if u16::from(byte) < fair {
            // Fits: the remainder is below `limit`, which is at most 255.
            return Ok((u16::from(byte) % limit) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_character_has_the_same_number_of_bytes() {
        let mut counts = std::collections::BTreeMap::new();
        for byte in 0..=255 {
            *counts.entry(digit(byte)).or_insert(0) += 1;
        }
        assert_eq!(counts.remove(&None), Some(8));
        assert_eq!(counts.len(), 62);
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
    }

    #[test]
    fn base62_has_the_length_asked_for() {
        for len in [0, 1, 24, 63, 64, 65, 1000] {
            let text = base62(len).unwrap();
            assert_eq!(text.len(), len);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        assert_ne!(base62(24).unwrap(), base62(24).unwrap());
    }

    #[test]
    fn uuid_has_version_and_variant() {
        for _ in 0..64 {
            let text = uuid().unwrap();
            let bytes = text.as_bytes();
            assert_eq!(text.len(), 36);
            assert!([8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-'));
            assert_eq!(bytes[14], b'4');
            assert!(b"89ab".contains(&bytes[19]));
        }
        assert_ne!(uuid().unwrap(), uuid().unwrap());
    }

    #[test]
    fn numbers_stay_below_their_limit_and_reach_it() {
        for limit in [1, 2, 3, 200, 255] {
            assert!((0..50).all(|_| below(limit).unwrap() < limit));
        }
        assert!((0..500).any(|_| below(3).unwrap() == 2));
    }
}
