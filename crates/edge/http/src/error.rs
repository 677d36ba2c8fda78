//! Why a listener cannot be opened. Each names the file or address, since the operator sees one line.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("cannot listen on `{address}`: {cause}")]
    Bind { address: String, cause: std::io::Error },
    #[error("cannot set owner or mode of the socket `{path}`: {cause}")]
    Owner { path: PathBuf, cause: std::io::Error },
    #[error("no such user or group `{0}`")]
    UnknownOwner(String),
    #[error("cannot read `{path}`: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("`{path}` holds no {what} in PEM form")]
    NoPem { path: PathBuf, what: &'static str },
    #[error("certificate `{cert}` and key `{key}` cannot be used: {cause}")]
    Identity { cert: PathBuf, key: PathBuf, cause: rustls::Error },
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
