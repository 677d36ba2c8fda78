//! What can go wrong with the keys of the seal.

use bulla_crypto::CryptoError;
use bulla_crypto::shamir::ShamirError;

/// What a client sees when the shares do not give the key in force. Clients and scripts match on it.
pub const WRONG_KEY: &str = "unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: \
                             message authentication failed";

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Wrong key, or a changed, truncated or foreign record: not told apart.
    #[error("the sealed key does not open")]
    DoesNotOpen,
    #[error("the unseal key could not be split")]
    Split(#[from] ShamirError),
    #[error("there are no more key terms")]
    TermsExhausted,
    #[error("no memory could be had for a key")]
    Memory(#[from] std::io::Error),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}
