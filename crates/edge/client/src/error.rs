//! What can go wrong between a request and its answer.

use std::fmt;

use crate::{AddressError, Json, JsonError};

/// A request that got no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered, and refused.
    #[error(transparent)]
    Api(ApiError),
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("cannot use `{file}` for TLS: {why}")]
    Tls { file: String, why: String },
    #[error("{verb} {url}: {why}")]
    Transport { verb: &'static str, url: String, why: String },
    #[error("{verb} {url}: no answer within {seconds} s")]
    Timeout { verb: &'static str, url: String, seconds: u64 },
    #[error("{verb} {url}: redirected {why}")]
    Redirect { verb: &'static str, url: String, why: &'static str },
    #[error("header `{0}` is not valid")]
    Header(String),
    #[error("{to}: the answer could not be read")]
    Answer {
        to: String,
        #[source]
        cause: JsonError,
    },
}

impl ClientError {
    /// The refusal, if the server sent one.
    pub const fn api(&self) -> Option<&ApiError> {
        if let Self::Api(api) = self { Some(api) } else { None }
    }

    /// The status of a refusal.
    pub fn status(&self) -> Option<u16> {
        self.api().map(|api| api.status)
    }
}

/// A refusal: printed the way scripts have learned to read it.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub verb: &'static str,
    pub url: String,
    pub namespace: Option<String>,
    pub status: u16,
    pub errors: Vec<String>,
    /// The body, where it was not the usual list of errors.
    pub raw: Option<String>,
}

impl ApiError {
    pub(crate) fn read(verb: &'static str, url: String, namespace: Option<String>, status: u16, body: &[u8]) -> Self {
        let parsed = Json::parse(body).ok().and_then(|json| {
            let errors = json.get("errors")?;
            Some(errors.items().iter().filter_map(Json::as_str).map(str::to_owned).collect())
        });
        let raw = parsed.is_none().then(|| String::from_utf8_lossy(body).trim().to_owned());
        Self { verb, url, namespace, status, errors: parsed.unwrap_or_default(), raw }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Error making API request.\n\n")?;
        if let Some(namespace) = &self.namespace {
            writeln!(f, "Namespace: {namespace}")?;
        }
        write!(f, "URL: {} {}\nCode: {}. ", self.verb, self.url, self.status)?;
        match &self.raw {
            Some(raw) => write!(f, "Raw Message:\n\n{raw}"),
            None => {
                f.write_str("Errors:\n")?;
                self.errors.iter().try_for_each(|error| write!(f, "\n* {error}"))
            }
        }
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_scripts_expect() {
        let error = ApiError::read("GET", "http://h/v1/x".into(), None, 403, br#"{"errors":["permission denied"]}"#);
        assert_eq!(
            error.to_string(),
            "Error making API request.\n\nURL: GET http://h/v1/x\nCode: 403. Errors:\n\n* permission denied"
        );
        let raw = ApiError::read("GET", "u".into(), Some("a".into()), 502, b"bad gateway\n").to_string();
        assert_eq!(
            raw,
            "Error making API request.\n\nNamespace: a\nURL: GET u\nCode: 502. Raw Message:\n\nbad gateway"
        );
    }
}
