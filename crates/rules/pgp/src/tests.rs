//! With keys made by GnuPG. The secret ones are for these tests and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use crate::{MAX_KEY, PgpError, PgpKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_secret::SecretBytes;
use bulla_types::{Seconds, Time};
use pgp::composed::{Deserializable, Message, SignedPublicKey, SignedSecretKey};
use pgp::ser::Serialize as _;
use pgp::types::Password;

const RSA: &str = include_str!("../testdata/rsa.pub.asc");
const CURVE: &str = include_str!("../testdata/curve.pub.asc");

/// Later than the keys were made.
fn now() -> Time {
    Time::parse_rfc3339("2027-06-01T00:00:00Z").unwrap()
}

fn binary(armoured: &str) -> Vec<u8> {
    SignedPublicKey::from_armor_single(armoured.as_bytes()).unwrap().0.to_bytes().unwrap()
}

fn refused(text: &str) -> PgpError {
    PgpKey::parse(text, now()).expect_err("refused")
}

fn opened(message: &[u8], secret: &str) -> Vec<u8> {
    let (key, _) = SignedSecretKey::from_armor_single(secret.as_bytes()).unwrap();
    let message = Message::from_bytes(message).unwrap();
    message.decrypt(&Password::empty(), &key).unwrap().as_data_vec().unwrap()
}

#[test]
fn what_is_encrypted_to_a_key_its_secret_half_opens() {
    for (public, secret, fingerprint) in [
        (RSA, include_str!("../testdata/rsa.sec.asc"), "027fb9199f5214cfb9bff1107e2c735b12917b9d"),
        (CURVE, include_str!("../testdata/curve.sec.asc"), "852c9a1be7397d557a3cdec52d4e09664ee34248"),
    ] {
        let base64 = STANDARD.encode(binary(public));
        let (first, second) = base64.split_at(77);
        for text in [public.to_owned(), base64.clone(), format!("{first}\r\n{second}\n")] {
            let key = PgpKey::parse(&text, now()).unwrap();
            assert_eq!(key.fingerprint(), fingerprint);
            let messages = [(); 2].map(|()| key.encrypt(&SecretBytes::copy_of(b"a share")).unwrap());
            assert_ne!(messages[0], messages[1]);
            for message in messages {
                assert!(!message.windows(7).any(|w| w == b"a share"));
                assert_eq!(opened(&message, secret), b"a share");
            }
        }
    }
}

#[test]
fn keys_that_nobody_could_open_with_are_refused() {
    for (text, error) in [
        (include_str!("../testdata/sign-only.pub.asc"), PgpError::NotForEncryption),
        (include_str!("../testdata/expired.pub.asc"), PgpError::Expired),
        (include_str!("../testdata/revoked.pub.asc"), PgpError::Revoked),
        (include_str!("../testdata/rsa.sec.asc"), PgpError::Secret),
    ] {
        assert_eq!(refused(text), error);
    }
    let (secret, _) = SignedSecretKey::from_armor_single(include_str!("../testdata/rsa.sec.asc").as_bytes()).unwrap();
    assert_eq!(refused(&STANDARD.encode(secret.to_bytes().unwrap())), PgpError::Secret);
}

#[test]
fn a_key_expires_to_the_second() {
    let expired = include_str!("../testdata/expired.pub.asc");
    let made = Time::parse_rfc3339("2020-01-01T00:00:00Z").unwrap();
    let day = Seconds(24 * 3600);
    // It is for signing; what matters here is which refusal comes first.
    let at = |time| PgpKey::parse(expired, time).expect_err("refused");
    assert_eq!(at(made.plus(Seconds(day.0 - 1))), PgpError::NotForEncryption);
    assert_eq!(at(made.plus(day)), PgpError::Expired);
    // A key of the future is not in force yet.
    assert_eq!(PgpKey::parse(RSA, made).expect_err("refused"), PgpError::NotBound);
}

#[test]
fn texts_that_are_no_keys_are_refused_in_known_words() {
    assert_eq!(
        refused("bm90IGEga2V5").to_string(),
        "error parsing given PGP key: openpgp: invalid data: tag byte does not have MSB set"
    );
    assert_eq!(refused("*").to_string(), "error decoding given PGP key: illegal base64 data at input byte 0");
    assert_eq!(refused(""), PgpError::Empty);
    let whole = binary(RSA);
    for length in [1, 2, 10, whole.len() / 3] {
        let error = refused(&STANDARD.encode(&whole[..length]));
        assert!(matches!(error, PgpError::Unreadable | PgpError::NotBound), "{length}: {error}");
    }
    assert_eq!(refused(&RSA[..RSA.len() / 2]), PgpError::Unreadable);
}

#[test]
fn size_is_limited() {
    let padded = |length: usize| {
        let mut bytes = vec![0x80; length];
        bytes[0] = 0xff;
        refused(&STANDARD.encode(bytes))
    };
    assert_ne!(padded(MAX_KEY), PgpError::TooLarge);
    assert_eq!(padded(MAX_KEY + 1), PgpError::TooLarge);
    assert_eq!(refused(&"A".repeat(2 * MAX_KEY + 1)), PgpError::TooLarge);
}

/// Somebody adds a subkey of theirs to a public key on its way: the share must not go there.
#[test]
fn a_subkey_that_the_key_does_not_vouch_for_is_not_used() {
    let (mut victim, _) = SignedPublicKey::from_armor_single(RSA.as_bytes()).unwrap();
    let (attacker, _) = SignedPublicKey::from_armor_single(CURVE.as_bytes()).unwrap();
    victim.public_subkeys.extend(attacker.public_subkeys.clone());
    let text = STANDARD.encode(victim.to_bytes().unwrap());
    let message = PgpKey::parse(&text, now()).unwrap().encrypt(&SecretBytes::copy_of(b"share")).unwrap();
    assert_eq!(opened(&message, include_str!("../testdata/rsa.sec.asc")), b"share");
    victim.public_subkeys = attacker.public_subkeys;
    assert_eq!(refused(&STANDARD.encode(victim.to_bytes().unwrap())), PgpError::NotForEncryption);
}

/// Any single byte changed gives a refusal or the same key, never a panic and never another recipient.
#[test]
fn damaged_keys_are_refused_or_harmless() {
    let whole = binary(CURVE);
    let secret = include_str!("../testdata/curve.sec.asc");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        if let Ok(key) = PgpKey::parse(&STANDARD.encode(bytes), now()) {
            let message = key.encrypt(&SecretBytes::copy_of(b"share")).unwrap();
            assert_eq!(opened(&message, secret), b"share", "byte {at}");
        }
    }
}
