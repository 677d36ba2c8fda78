//! What can go wrong with our own keys. Deliberately little: an attacker learns nothing from the kind of failure.

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// Wrong key, wrong nonce, wrong associated data, or a changed or truncated message: not told apart.
    #[error("message authentication failed")]
    Forged,
    /// Bytes that are no key of the kind asked for.
    #[error("not a key of this kind")]
    BadKey,
    #[error("no randomness could be had from the system")]
    Randomness,
    /// HKDF gives at most 255 times the hash length (RFC 5869, section 2.3).
    #[error("more key material asked for than one key can give")]
    TooMuchOutput,
}
