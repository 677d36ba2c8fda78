//! Which part of a key may be encrypted to, and doing it. Everything that a signature decides is looked at only after the
//! signature has been verified: whoever adds a subkey to somebody's public key must not get the share.

use crate::PgpError;
use bulla_crypto::random;
use bulla_types::Time;
use pgp::composed::{Deserializable, MessageBuilder, SignedPublicKey, SignedPublicSubKey, SignedSecretKey};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag};
use rand_core::{CryptoRng, RngCore};

/// A key with the part of it that is encrypted to.
#[derive(Clone)]
pub(crate) struct Recipient {
    key: SignedPublicKey,
    part: Part,
}

#[derive(Clone, Copy)]
enum Part {
    Primary,
    /// Index of a subkey.
    Subkey(usize),
}

impl Recipient {
    pub(crate) fn armoured(text: &str, now: Time) -> Result<Self, PgpError> {
        if text.starts_with("-----BEGIN PGP PRIVATE KEY BLOCK") {
            return Err(PgpError::Secret);
        }
        let (key, _) = SignedPublicKey::from_armor_single(text.as_bytes()).map_err(|_| PgpError::Unreadable)?;
        Self::choose(key, now)
    }

    pub(crate) fn binary(bytes: &[u8], now: Time) -> Result<Self, PgpError> {
        match SignedPublicKey::from_bytes(bytes) {
            Ok(key) => Self::choose(key, now),
            Err(_) if SignedSecretKey::from_bytes(bytes).is_ok() => Err(PgpError::Secret),
            Err(_) => Err(PgpError::Unreadable),
        }
    }

    /// RFC 9580, sections 5.2.3.29 (what a key is for) and 10.1 (what binds the parts). The newest subkey for encryption,
    /// or the primary key where that may be encrypted to.
    fn choose(key: SignedPublicKey, now: Time) -> Result<Self, PgpError> {
        let now = u32::try_from(now.unix()).unwrap_or(u32::MAX);
        if key.details.revocation_signatures.iter().any(|s| s.verify_key(&key.primary_key).is_ok()) {
            return Err(PgpError::Revoked);
        }
        let bound = newest(self_signatures(&key), now).ok_or(PgpError::NotBound)?;
        if has_expired(&key.primary_key, bound, now) {
            return Err(PgpError::Expired);
        }
        let subkeys = key.public_subkeys.iter().enumerate();
        let subkey = subkeys.filter_map(|(at, sub)| Some((created(binding(&key, sub, now)?), at))).max();
        let part = match subkey {
            Some((_, at)) => Part::Subkey(at),
            None if key.primary_key.algorithm().can_encrypt() && is_for_encryption(bound) => Part::Primary,
            None => return Err(PgpError::NotForEncryption),
        };
        Ok(Self { key, part })
    }

    pub(crate) fn fingerprint(&self) -> String {
        hex::encode(self.key.primary_key.fingerprint().as_bytes())
    }

    pub(crate) fn encrypt(&self, secret: &[u8]) -> Result<Vec<u8>, PgpError> {
        let mut source = Source::default();
        let message = self.message(secret, &mut source);
        if source.failed {
            return Err(PgpError::Randomness);
        }
        message.map_err(|_| PgpError::Algorithm)
    }

    /// Version 1 of the encrypted container: every program that people open these with reads it.
    fn message(&self, secret: &[u8], source: &mut Source) -> pgp::errors::Result<Vec<u8>> {
        let builder = MessageBuilder::from_bytes("", secret.to_vec());
        let mut builder = builder.seipd_v1(&mut *source, SymmetricKeyAlgorithm::AES256);
        match self.part {
            Part::Subkey(at) => match self.key.public_subkeys.get(at) {
                Some(subkey) => builder.encrypt_to_key(&mut *source, &subkey.key)?,
                None => builder.encrypt_to_key(&mut *source, &self.key.primary_key)?,
            },
            Part::Primary => builder.encrypt_to_key(&mut *source, &self.key.primary_key)?,
        };
        builder.to_vec(source)
    }
}

/// What the key says of itself, verified: over a user's name, or directly.
fn self_signatures(key: &SignedPublicKey) -> impl Iterator<Item = &Signature> {
    let primary = &key.primary_key;
    let users = key.details.users.iter().flat_map(move |user| {
        let certifies = |s: &&Signature| s.typ().is_some_and(is_certification);
        user.signatures
            .iter()
            .filter(certifies)
            .filter(move |s| s.verify_certification(primary, Tag::UserId, &user.id).is_ok())
    });
    let direct = key.details.direct_signatures.iter();
    users.chain(direct.filter(|s| s.typ() == Some(SignatureType::Key)).filter(move |s| s.verify_key(primary).is_ok()))
}

fn is_certification(kind: SignatureType) -> bool {
    use SignatureType::{CertCasual, CertGeneric, CertPersona, CertPositive};
    matches!(kind, CertGeneric | CertPersona | CertCasual | CertPositive)
}

/// The signature that puts this subkey in force for encryption.
fn binding<'k>(key: &'k SignedPublicKey, subkey: &'k SignedPublicSubKey, now: u32) -> Option<&'k Signature> {
    let verified = |kind| {
        let of_kind = subkey.signatures.iter().filter(move |s| s.typ() == Some(kind));
        of_kind.filter(|s| s.verify_subkey_binding(&key.primary_key, &subkey.key).is_ok())
    };
    if verified(SignatureType::SubkeyRevocation).next().is_some() {
        return None;
    }
    let bound = newest(verified(SignatureType::SubkeyBinding), now)?;
    let fits = subkey.key.algorithm().can_encrypt() && is_for_encryption(bound);
    (fits && !has_expired(&subkey.key, bound, now)).then_some(bound)
}

/// A later signature replaces what an earlier one said; those of the future say nothing yet.
fn newest<'s>(signatures: impl Iterator<Item = &'s Signature>, now: u32) -> Option<&'s Signature> {
    signatures.filter(|s| created(s) <= now).max_by_key(|s| created(s))
}

fn created(signature: &Signature) -> u32 {
    signature.created().map_or(u32::MAX, |time| time.as_secs())
}

/// Keys of programs that set no flags at all are for everything.
fn is_for_encryption(signature: &Signature) -> bool {
    let flags = signature.key_flags();
    let has_none = !flags.certify() && !flags.sign() && !flags.authentication();
    flags.encrypt_comms() || flags.encrypt_storage() || has_none
}

fn has_expired(key: &impl KeyDetails, bound: &Signature, now: u32) -> bool {
    let from = key.created_at().as_secs();
    let lives = bound.key_expiration_time().map_or(0, |span| span.as_secs());
    lives != 0 && now >= from.saturating_add(lives)
}

/// The system's randomness in the library's form, which knows no failure: it is remembered, and what was made with it is
/// thrown away.
#[derive(Default)]
struct Source {
    failed: bool,
}

impl RngCore for Source {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        if random::fill(out).is_err() {
            self.failed = true;
            // Not zeros: paddings are drawn until no byte is one.
            out.fill(0x5a);
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Source {}
