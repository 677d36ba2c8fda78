//! What came back: status, headers, body.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::{Json, JsonError, Secret};

/// A complete answer with a status below 400, or of 404 where the caller asked to see those.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; `None` if there is no body.
    ///
    /// # Errors
    /// If there is one and it is not JSON.
    pub fn json(&self) -> Result<Option<Json>, JsonError> {
        if self.body.iter().all(u8::is_ascii_whitespace) { Ok(None) } else { Json::parse(&self.body).map(Some) }
    }

    /// The body as the usual envelope; `None` if there is no body.
    ///
    /// # Errors
    /// If there is one and it is not JSON.
    pub fn secret(&self) -> Result<Option<Secret>, JsonError> {
        Ok(self.json()?.map(|json| Secret::from_json(&json)))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}
