//! Cryptography for our own keys: the one door to the crypto library.
//!
//! ```text
//! Aead     values    AES-256-GCM, random nonce        Siv     names    AES-256-GCM-SIV, same in, same out
//! HmacKey  ids       HMAC-SHA-256, keyed once         Hkdf    keys from keys
//! shamir   shares    GF(2^8), constant time           random  bytes, base62, uuid
//! Es512    tokens we sign for ourselves           ECDSA on P-521, JWS compact form
//! ```
//! Not here: which key seals what (`rules/seal`), frames of stored values (`store/barrier`), keys that users manage
//! (the engines' own modules).
//!
//! Keys come in by reference and stay on the heap; a `[u8; 32]` passed by value would leave copies in dead stack frames.

mod aead;
mod error;
mod hash;
mod hkdf;
mod hmac;
mod jws;
mod keccak;
pub mod random;
pub mod shamir;
mod siv;

pub use aead::{Aead, KEY_LEN, NONCE_LEN, TAG_LEN};
pub use error::CryptoError;
pub use hash::Hash;
pub use hkdf::Hkdf;
pub use hmac::{HmacKey, HmacStream};
pub use jws::{Es512, looks_signed};
pub use siv::Siv;
