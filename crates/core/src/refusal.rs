//! From errors to what the client is told. Texts that clients match on keep the reference's wording.

use crate::answer::{ErrorKind, Refusal};
use bulla_barrier::BarrierError;
use bulla_kit::EngineError;
use bulla_physical::CommitError;

/// The framing of errors that the reference's request handling collects.
pub fn one_error(text: &str) -> String {
    format!("1 error occurred:\n\t* {text}\n\n")
}

/// Refused with a token that is known.
pub fn denied() -> Refusal {
    Refusal::new(ErrorKind::Denied, one_error("permission denied"))
}

/// Refused without a token, or with one that is not known: the same whether the path exists or not.
pub fn unauthenticated() -> Refusal {
    Refusal::new(ErrorKind::Denied, "permission denied")
}

pub fn sealed() -> Refusal {
    Refusal::new(ErrorKind::Sealed, "Vault is sealed")
}

/// What an engine's error becomes; the log gets the cause, the client what helps the client.
pub fn of_engine(error: EngineError, request_id: &str) -> Refusal {
    match error {
        EngineError::BadRequest(text) | EngineError::InvalidCredentials { text, .. } => {
            Refusal::new(ErrorKind::BadRequest, text)
        }
        EngineError::BadRequestWith { text, data } => {
            Refusal { data: Some(data), ..Refusal::new(ErrorKind::BadRequest, text) }
        }
        EngineError::Denied => denied(),
        EngineError::DeniedBecause(text) => Refusal::new(ErrorKind::Denied, text),
        EngineError::NotFound => Refusal::silent(ErrorKind::NotFound),
        EngineError::NotFoundBecause(text) => Refusal::new(ErrorKind::NotFound, text),
        EngineError::UnsupportedPath => Refusal::new(ErrorKind::NotFound, one_error("unsupported path")),
        EngineError::UnsupportedOperation => Refusal::new(ErrorKind::Unsupported, one_error("unsupported operation")),
        EngineError::UnsupportedBecause(text) => Refusal::new(ErrorKind::Unsupported, text),
        EngineError::UnsupportedMediaType(text) => Refusal::new(ErrorKind::MediaType, text),
        EngineError::TooManyRequests(text) => Refusal::new(ErrorKind::TooMany, text),
        EngineError::Unavailable(text) => Refusal::new(ErrorKind::Sealed, text),
        EngineError::Barrier(cause) => of_barrier(&cause, request_id),
        EngineError::Internal(text) => {
            tracing::error!(request_id, %text, "the request failed");
            Refusal::new(ErrorKind::Internal, one_error(&text))
        }
    }
}

pub fn of_barrier(error: &BarrierError, request_id: &str) -> Refusal {
    tracing::error!(request_id, error = %Chain(error), "storage refused");
    match error {
        BarrierError::Commit(CommitError::Full) => {
            Refusal::new(ErrorKind::StoreFull, "the store is full: writes are refused, reads go on")
        }
        BarrierError::KeyTooLong { .. } | BarrierError::ValueTooLarge { .. } | BarrierError::EmptyName => {
            Refusal::new(ErrorKind::BadRequest, error.to_string())
        }
        // Names the physical key, which tells nothing of the user's name.
        BarrierError::Damaged { .. } => Refusal::new(ErrorKind::Internal, one_error(&error.to_string())),
        _ => Refusal::new(ErrorKind::Internal, one_error("internal error")),
    }
}

/// An error with its causes, for the log.
pub struct Chain<'a>(pub &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
