//! Why a key is refused.

/// Texts begin as the API's; clients show them as they are. None quotes the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PgpError {
    #[error("error decoding given PGP key: illegal base64 data at input byte {at}")]
    NotBase64 { at: usize },
    #[error("error parsing given PGP key: EOF")]
    Empty,
    #[error("error parsing given PGP key: openpgp: invalid data: tag byte does not have MSB set")]
    NotOpenPgp,
    #[error("error parsing given PGP key: openpgp: it is damaged, or of a kind that is not known")]
    Unreadable,
    #[error("error parsing given PGP key: it is a secret key; keep it to yourself and give the public one")]
    Secret,
    #[error("error parsing given PGP key: it is larger than {} KiB", crate::MAX_KEY >> 10)]
    TooLarge,
    #[error("error parsing given PGP key: no user or the key itself vouches for it")]
    NotBound,
    #[error("error parsing given PGP key: it is revoked")]
    Revoked,
    #[error("error parsing given PGP key: it has expired")]
    Expired,
    #[error("error parsing given PGP key: there is no key for encryption in it that is in force")]
    NotForEncryption,
    #[error("error encrypting to PGP key: its algorithm is not supported")]
    Algorithm,
    #[error("PGP keys are not supported: this server was built without them")]
    NotBuiltIn,
    #[error("no randomness could be had from the system")]
    Randomness,
}
