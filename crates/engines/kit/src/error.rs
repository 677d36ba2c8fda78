//! Why an engine does not answer. One variant per thing the edge does differently; texts are for the client.

use bulla_barrier::BarrierError;

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The request makes no sense; the text says why and never repeats a secret.
    #[error("{0}")]
    BadRequest(String),
    /// As `BadRequest`, with data beside the text.
    #[error("{text}")]
    BadRequestWith { text: String, data: crate::RawJson },
    /// A login with a wrong password, secret or the like. It counts for the lockout of the name it was tried with, and the
    /// answer and the time it takes are the same for names that are nobody's.
    #[error("{text}")]
    InvalidCredentials {
        text: String,
        /// Somebody has this name. The others are not counted: what anybody can make up must not fill the store.
        known: bool,
    },
    /// Refused whatever the policy says.
    #[error("permission denied")]
    Denied,
    /// As `Denied`, with a text of its own.
    #[error("{0}")]
    DeniedBecause(String),
    /// Nothing there; no text.
    #[error("not found")]
    NotFound,
    #[error("{0}")]
    NotFoundBecause(String),
    /// No such route for this engine.
    #[error("unsupported path")]
    UnsupportedPath,
    /// The route does not know the operation.
    #[error("unsupported operation")]
    UnsupportedOperation,
    /// As `UnsupportedOperation`, with a text of its own.
    #[error("{0}")]
    UnsupportedBecause(String),
    #[error("{0}")]
    UnsupportedMediaType(String),
    #[error("{0}")]
    TooManyRequests(String),
    /// The server cannot do it now; trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// Storage said no. `Conflict` runs the request again and is never seen by a client.
    #[error(transparent)]
    Barrier(BarrierError),
    /// A fault of ours or of something behind us; the text goes to the client, the details to the log.
    #[error("{0}")]
    Internal(String),
}

impl EngineError {
    pub fn bad(text: impl Into<String>) -> Self {
        Self::BadRequest(text.into())
    }

    pub fn internal(text: impl Into<String>) -> Self {
        Self::Internal(text.into())
    }

    /// A stored record that cannot be read back.
    pub fn damaged(what: &str) -> Self {
        Self::Internal(format!("the stored {what} cannot be read"))
    }
}

impl From<BarrierError> for EngineError {
    fn from(cause: BarrierError) -> Self {
        match cause {
            BarrierError::KeyTooLong { .. } | BarrierError::ValueTooLarge { .. } | BarrierError::EmptyName => {
                Self::BadRequest(cause.to_string())
            }
            other => Self::Barrier(other),
        }
    }
}
