//! What came back: status, headers, body.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::{ClientError, Json, JsonError, Secret};

/// A complete answer. From [`crate::Client::send`] its status is one of success, from
/// [`crate::Client::send_any`] it is any.
pub struct Answer {
    /// Verb and URL it answers, for error texts.
    pub(crate) to: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; `None` if there is no body.
    ///
    /// # Errors
    /// [`ClientError::Answer`] if there is one and it is not JSON.
    pub fn json(&self) -> Result<Option<Json>, ClientError> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        Json::parse(&self.body).map(Some).map_err(|cause| self.unreadable(cause))
    }

    /// The body as the usual envelope; `None` if there is no body.
    ///
    /// # Errors
    /// [`ClientError::Answer`] if there is one and it is not JSON.
    pub fn secret(&self) -> Result<Option<Secret>, ClientError> {
        Ok(self.json()?.map(|json| Secret::from_json(&json)))
    }

    pub(crate) fn unreadable(&self, cause: JsonError) -> ClientError {
        ClientError::Answer { to: self.to.clone(), cause }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}
