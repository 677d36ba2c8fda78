//! How root key and keyring are stored: sealed under the key above them.
//!
//! ```text
//! version (1) = 1 | kind (1) 'R' or 'K' | nonce (12) | ciphertext | tag (16)     AES-256-GCM, kind in the AAD
//! ```
//! Whatever is wrong with a frame, the answer is the same: [`SealError::DoesNotOpen`].

use crate::error::SealError;
use crate::keyring::Keyring;
use crate::keys::{RootKey, UnsealKey};
use bulla_crypto::{Aead, KEY_LEN, NONCE_LEN, TAG_LEN, random};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const HEADER: usize = 2 + NONCE_LEN;

#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    RootKey = b'R',
    Keyring = b'K',
}

impl Kind {
    /// What the frame is bound to. A stored promise: never change the words.
    const fn aad(self) -> &'static [u8] {
        match self {
            Self::RootKey => b"bulla 1 root key under unseal key",
            Self::Keyring => b"bulla 1 keyring under root key",
        }
    }
}

/// # Errors
/// No randomness.
pub fn seal_root_key(unseal: &UnsealKey, root: &RootKey) -> Result<Vec<u8>, SealError> {
    let cipher = unseal.expose(Aead::new);
    seal(Kind::RootKey, &cipher, KEY_LEN, |frame| root.expose(|key| frame.extend_from_slice(key)))
}

/// # Errors
/// [`SealError::DoesNotOpen`]: above all, wrong shares. No memory.
pub fn open_root_key(unseal: &UnsealKey, sealed: &[u8]) -> Result<RootKey, SealError> {
    let plain = open(Kind::RootKey, &unseal.expose(Aead::new), sealed)?;
    RootKey::copy_of(plain.as_slice().try_into().map_err(|_| SealError::DoesNotOpen)?)
}

/// # Errors
/// No randomness.
pub fn seal_keyring(root: &RootKey, keyring: &Keyring) -> Result<Vec<u8>, SealError> {
    let cipher = root.expose(Aead::new);
    seal(Kind::Keyring, &cipher, keyring.plain_len(), |frame| keyring.write_plain(frame))
}

/// # Errors
/// [`SealError::DoesNotOpen`]: another root key or a damaged record. No memory.
pub fn open_keyring(root: &RootKey, sealed: &[u8]) -> Result<Keyring, SealError> {
    Keyring::read_plain(&open(Kind::Keyring, &root.expose(Aead::new), sealed)?)
}

/// The plaintext is written where it is then encrypted, in a vector that never moves: no copy to erase.
fn seal(kind: Kind, cipher: &Aead, plain_len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, SealError> {
    let nonce = random::bytes()?;
    let mut frame = Vec::with_capacity(HEADER + plain_len + TAG_LEN);
    frame.extend_from_slice(&[VERSION, kind as u8]);
    frame.extend_from_slice(&nonce);
    write(&mut frame);
    cipher.seal_from(&nonce, kind.aad(), &mut frame, HEADER);
    Ok(frame)
}

fn open(kind: Kind, cipher: &Aead, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (header, body) = sealed.split_at_checked(HEADER).ok_or(SealError::DoesNotOpen)?;
    let ([VERSION, found, nonce @ ..], true) = (header, body.len() >= TAG_LEN) else {
        return Err(SealError::DoesNotOpen);
    };
    let nonce = nonce.try_into().map_err(|_| SealError::DoesNotOpen)?;
    if *found != kind as u8 {
        return Err(SealError::DoesNotOpen);
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(body.len() - TAG_LEN));
    cipher.open_into(nonce, kind.aad(), body, &mut plain).map_err(|_| SealError::DoesNotOpen)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn sealed_keys_open_again_and_never_look_the_same_twice() {
        let (unseal, root) = (UnsealKey::generate().unwrap(), RootKey::generate().unwrap());
        let sealed = seal_root_key(&unseal, &root).unwrap();
        assert!(open_root_key(&unseal, &sealed).unwrap().ct_eq(&root));
        assert_ne!(seal_root_key(&unseal, &root).unwrap(), sealed);
        assert!(root.expose(|key| !sealed.windows(8).any(|part| part == &key[..8])));

        let mut keyring = Keyring::generate(1_700_000_000).unwrap();
        keyring.rotate(1_700_000_001).unwrap();
        let sealed = seal_keyring(&root, &keyring).unwrap();
        assert_eq!(sealed.capacity(), sealed.len(), "the vector would have moved");
        assert!(open_keyring(&root, &sealed).unwrap().ct_eq(&keyring));
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_the_same_refusal() {
        let (unseal, root) = (UnsealKey::generate().unwrap(), RootKey::generate().unwrap());
        let keyring = Keyring::generate(0).unwrap();
        let (sealed_root, sealed_ring) =
            (seal_root_key(&unseal, &root).unwrap(), seal_keyring(&root, &keyring).unwrap());
        let refusal = |record: &[u8]| {
            for error in [open_root_key(&unseal, record).err(), open_keyring(&root, record).err()] {
                assert!(matches!(error, Some(SealError::DoesNotOpen)));
            }
        };
        for sealed in [sealed_root, sealed_ring] {
            for bit in 0..sealed.len() * 8 {
                let mut changed = sealed.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                refusal(&changed);
            }
            for length in 0..sealed.len() {
                refusal(&sealed[..length]);
            }
            let mut longer = sealed.clone();
            longer.push(0);
            refusal(&longer);
        }
    }

    #[test]
    fn one_kind_does_not_pass_for_the_other() {
        // A keyring in a frame of the other kind, under the same 32 bytes: only the binding keeps the kinds apart.
        let root = RootKey::generate().unwrap();
        let keyring = Keyring::generate(0).unwrap();
        let framed = |kind| {
            let cipher = root.expose(Aead::new);
            seal(kind, &cipher, keyring.plain_len(), |frame| keyring.write_plain(frame)).unwrap()
        };
        assert!(open_keyring(&root, &framed(Kind::Keyring)).is_ok());
        let mut relabelled = framed(Kind::RootKey);
        relabelled[1] = Kind::Keyring as u8;
        assert!(matches!(open_keyring(&root, &relabelled), Err(SealError::DoesNotOpen)));
    }
}
