//! Where a server listens: `http://`, `https://` with an optional path prefix, or `unix:///path/to/socket`.

use std::{path::PathBuf, str::FromStr};

use http::Uri;

/// A parsed server address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    base: String,
    socket: Option<PathBuf>,
}

/// The address is not one of the supported forms.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("address `{0}` must begin with http://, https:// or unix://")]
    Scheme(String),
    #[error("address `{0}` is not a valid URL")]
    Url(String),
}

impl Address {
    /// What requests begin with: scheme, host, prefix; no slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The socket to connect to instead of a host.
    pub fn socket(&self) -> Option<&PathBuf> {
        self.socket.as_ref()
    }

    pub fn is_tls(&self) -> bool {
        self.base.starts_with("https://")
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix://") {
            if path.is_empty() {
                return Err(AddressError::Url(text.to_owned()));
            }
            return Ok(Self { base: "http://localhost".to_owned(), socket: Some(PathBuf::from(path)) });
        }
        let uri: Uri = text.parse().map_err(|_| AddressError::Url(text.to_owned()))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(AddressError::Scheme(text.to_owned()));
        }
        if uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(AddressError::Url(text.to_owned()));
        }
        Ok(Self { base: text.trim_end_matches('/').to_owned(), socket: None })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn forms() {
        assert_eq!("http://127.0.0.1:8200/".parse::<Address>().unwrap().base(), "http://127.0.0.1:8200");
        assert_eq!("https://h/pre".parse::<Address>().unwrap().base(), "https://h/pre");
        let unix: Address = "unix:///run/b.sock".parse().unwrap();
        assert_eq!(unix.socket().unwrap().to_str(), Some("/run/b.sock"));
        for wrong in ["127.0.0.1:8200", "ftp://x", "", "unix://", "http://", "localhost"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
