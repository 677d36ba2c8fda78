//! What a client is made from.

use std::{path::PathBuf, time::Duration};

use crate::{Address, Proxies, Retries, Token};

/// Settings of a [`crate::Client`]; nothing here is read from the environment.
#[derive(Debug)]
pub struct Config {
    pub address: Address,
    pub token: Option<Token>,
    /// Sent as `X-Vault-Namespace`; without a slash at either end.
    pub namespace: Option<String>,
    /// Further headers for every request.
    pub headers: Vec<(String, String)>,
    pub tls: TlsOptions,
    /// Not for unix sockets.
    pub proxies: Proxies,
    /// Bound of one attempt, from connecting to the last byte of the answer.
    pub timeout: Duration,
    pub retries: Retries,
    /// Whether a standby's redirect is followed; else it is the answer.
    pub follow_redirects: bool,
}

/// How TLS is spoken.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// PEM file whose certificates alone are trusted, instead of the system's.
    pub ca_cert: Option<PathBuf>,
    /// Folder of such files.
    pub ca_path: Option<PathBuf>,
    /// PEM file of the client's certificate chain.
    pub client_cert: Option<PathBuf>,
    /// PEM file of its key.
    pub client_key: Option<PathBuf>,
    /// Name to expect in the server's certificate instead of the address's host.
    pub server_name: Option<String>,
    /// Accept any certificate. Whoever sits between then reads everything.
    pub skip_verify: bool,
}

impl Config {
    /// The defaults of the established clients: 60 s, 2 retries, system trust.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            token: None,
            namespace: None,
            headers: Vec::new(),
            tls: TlsOptions::default(),
            proxies: Proxies::None,
            timeout: Duration::from_secs(60),
            retries: Retries::default(),
            follow_redirects: true,
        }
    }
}
