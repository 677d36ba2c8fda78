//! Tokens that we sign for ourselves: JWS in its compact form (RFC 7515, section 7.1) with ES512 (RFC 7518, section 3.4).
//!
//! There is one header, ours. A text with any other header is none of ours, so that nobody can choose the algorithm
//! (`none`, or a MAC under our public key) and no header is ever parsed.

use crate::error::CryptoError;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bulla_secret::{SecretBytes, scrub_stack};
use std::fmt;

/// `{"alg":"ES512","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJFUzUxMiIsInR5cCI6IkpXVCJ9";
/// Characters; nothing we sign comes near.
const LONGEST: usize = 8192;

/// A key pair on P-521. The private key lies in the crypto library's own heap, which it erases when freed.
pub struct Es512(EcdsaKeyPair);

impl Es512 {
    /// A new private key as PKCS #8.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`].
    pub fn generate() -> Result<SecretBytes, CryptoError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, &SystemRandom::new());
        let bytes = document.map(|document| SecretBytes::copy_of(document.as_ref()));
        scrub_stack();
        bytes.map_err(|_| CryptoError::Randomness)
    }

    /// # Errors
    /// [`CryptoError::BadKey`]: no private key on P-521.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, CryptoError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, bytes);
        scrub_stack();
        pair.map(Self).map_err(|_| CryptoError::BadKey)
    }

    /// The signed text of these claims.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`].
    pub fn sign(&self, claims: &[u8]) -> Result<String, CryptoError> {
        let mut text = format!("{HEADER}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes());
        scrub_stack();
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature.map_err(|_| CryptoError::Randomness)?.as_ref(), &mut text);
        Ok(text)
    }

    /// The claims of a text that this key has signed.
    ///
    /// # Errors
    /// [`CryptoError::Forged`], whatever is wrong.
    pub fn open(&self, text: &str) -> Result<Vec<u8>, CryptoError> {
        if !looks_signed(text) {
            return Err(CryptoError::Forged);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(CryptoError::Forged)?;
        let (_, claims) = message.split_once('.').ok_or(CryptoError::Forged)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| CryptoError::Forged)?;
        self.verify(message.as_bytes(), &signature)?;
        BASE64_URL_SAFE_NO_PAD.decode(claims).map_err(|_| CryptoError::Forged)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let key = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, self.0.public_key());
        key.verify(message, signature).map_err(|_| CryptoError::Forged)
    }
}

impl fmt::Debug for Es512 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Es512(private)")
    }
}

/// Whether a text has the form of what [`Es512::sign`] makes. Costs next to nothing and proves nothing.
pub fn looks_signed(text: &str) -> bool {
    text.len() <= LONGEST
        && text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| {
            let mut parts = rest.split('.');
            parts.next().is_some_and(|p| !p.is_empty())
                && parts.next().is_some_and(|p| !p.is_empty())
                && parts.next().is_none()
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key() -> Es512 {
        Es512::generate().unwrap().expose(Es512::from_pkcs8).unwrap()
    }

    #[test]
    fn what_was_signed_opens() {
        let key = key();
        let text = key.sign(br#"{"jti":"x"}"#).unwrap();
        assert!(looks_signed(&text));
        assert_eq!(key.open(&text).unwrap(), br#"{"jti":"x"}"#);
        let header = BASE64_URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap();
        assert_eq!(header, br#"{"alg":"ES512","typ":"JWT"}"#);
        // 66 bytes each of r and s (RFC 7518, section 3.4).
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(text.rsplit('.').next().unwrap()).unwrap().len(), 132);
        assert_ne!(text, key.sign(br#"{"jti":"x"}"#).unwrap());
    }

    /// RFC 7515, appendix A.4.
    #[test]
    fn the_standards_own_example() {
        let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        let private = bytes("AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C");
        let x = bytes("AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk");
        let y = bytes("ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2");
        let public = [&[4], &x[..], &y[..]].concat();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P521_SHA512_FIXED_SIGNING, &private, &public);
        let signature = bytes(concat!(
            "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgo",
            "XD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
        ));
        let key = Es512(pair.unwrap());
        assert_eq!(key.verify(b"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA", &signature), Ok(()));
        assert_eq!(key.verify(b"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZB", &signature), Err(CryptoError::Forged));
        // The right signature under a header that is not ours.
        let text = format!("eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.{}", BASE64_URL_SAFE_NO_PAD.encode(&signature));
        assert_eq!(key.open(&text), Err(CryptoError::Forged));
    }

    #[test]
    fn nothing_else_opens() {
        let (ours, other) = (key(), key());
        let text = ours.sign(br#"{"jti":"x"}"#).unwrap();
        assert_eq!(other.open(&text), Err(CryptoError::Forged));
        let (message, signature) = text.rsplit_once('.').unwrap();
        let claims = message.split_once('.').unwrap().1;
        let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let mac = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let longer = BASE64_URL_SAFE_NO_PAD.encode(br#"{"jti":"y"}"#);
        let mut bad = vec![
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{mac}.{claims}.{signature}"),
            format!("{HEADER}.{claims}."),
            format!("{HEADER}.{longer}.{signature}"),
            format!("{HEADER}..{signature}"),
            format!("{text}="),
            format!("{text}.x"),
            format!("{text} "),
            String::new(),
            HEADER.to_owned(),
            format!("{HEADER}.{}.{}", claims, BASE64_URL_SAFE_NO_PAD.encode([0; 132])),
            format!("{HEADER}.{}.x", "A".repeat(LONGEST)),
        ];
        bad.extend((1..text.len()).step_by(7).map(|at| text[..at].to_owned()));
        bad.extend((0..text.len()).step_by(5).map(|at| {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        }));
        for text in bad {
            assert_eq!(ours.open(&text), Err(CryptoError::Forged), "{text}");
        }
    }

    #[test]
    fn other_keys_are_refused() {
        assert_eq!(Es512::from_pkcs8(&[]).unwrap_err(), CryptoError::BadKey);
        let short =
            EcdsaKeyPair::generate_pkcs8(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        assert_eq!(Es512::from_pkcs8(short.unwrap().as_ref()).unwrap_err(), CryptoError::BadKey);
    }

    #[test]
    fn length_is_bounded() {
        let claims = |length: usize| format!("{HEADER}.{}.x", "A".repeat(length));
        let room = LONGEST - HEADER.len() - 3;
        assert!(looks_signed(&claims(room)));
        assert!(!looks_signed(&claims(room + 1)));
    }
}
