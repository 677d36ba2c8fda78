//! What can go wrong between a request and its stored bytes. Not here: what the client is told (`edge/http`).

use bulla_physical::{CommitError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum BarrierError {
    #[error("the store could not be read")]
    Store(#[source] StoreError),
    /// Another request changed what this one had read; it is run again.
    #[error("the data changed while the request was running")]
    Conflict,
    #[error("the store did not take the write")]
    Commit(#[source] CommitError),
    /// A record that does not open under its own key: moved, replaced, truncated or of an unknown key term.
    #[error("the record at `{key}` is damaged or was moved and cannot be read")]
    Damaged { key: String },
    #[error("the name is too long to be stored: {size} bytes of {limit}")]
    KeyTooLong { size: usize, limit: usize },
    #[error("the value is too large to be stored: {size} bytes of {limit}")]
    ValueTooLarge { size: usize, limit: usize },
    #[error("the name is empty")]
    EmptyName,
    #[error("no randomness could be had from the system")]
    Randomness,
    /// The transaction was used after its commit; a fault in the program.
    #[error("the transaction is over")]
    Over,
}

impl From<StoreError> for BarrierError {
    fn from(cause: StoreError) -> Self {
        Self::Store(cause)
    }
}

impl From<CommitError> for BarrierError {
    fn from(cause: CommitError) -> Self {
        match cause {
            CommitError::Conflict => Self::Conflict,
            other => Self::Commit(other),
        }
    }
}
