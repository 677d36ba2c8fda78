//! What a listener is told by the configuration. Not here: how that is written in a file (`edge/bulla`).

use crate::tls::TlsSettings;
use bulla_kit::BodyLimits;
use std::path::PathBuf;
use std::time::Duration;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `host:port`.
    Tcp(String),
    Unix {
        path: PathBuf,
        owner: UnixOwner,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnixOwner {
    /// Permission bits; `None` leaves them to the umask.
    pub mode: Option<u32>,
    /// Name or number.
    pub user: Option<String>,
    pub group: Option<String>,
}

/// Bounds on what one client can cost. Each holds before anything is known of the client.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a body, of one request.
    pub request_size: u64,
    /// Bytes of all bodies being received at one time, over all connections of the listener.
    pub bodies_in_flight: usize,
    /// Bytes of request line and headers. A path of 16 KiB may be thrice that when encoded.
    pub header_size: usize,
    pub header_count: usize,
    pub connections: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
    pub handshake: Duration,
    /// From the first byte of a request (or from accepting) to the end of its headers.
    pub read_header: Duration,
    pub read_body: Duration,
    /// Without a request, or with a client that does not take its answer.
    pub idle: Duration,
    pub body: BodyLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_size: 32 << 20,
            bodies_in_flight: 512 << 20,
            header_size: 64 << 10,
            header_count: 100,
            connections: 16 * 1024,
            streams: 128,
            handshake: Duration::from_secs(10),
            read_header: Duration::from_secs(10),
            read_body: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            body: BodyLimits::default(),
        }
    }
}

/// Headers added to answers, by `default`, status class (`2xx`) or status (`404`).
#[derive(Clone, Debug, Default)]
pub struct CustomHeaders {
    /// Key as written, header name, values.
    pub rules: Vec<(String, String, Vec<String>)>,
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub address: Address,
    /// `None` = plain text.
    pub tls: Option<TlsSettings>,
    pub limits: Limits,
    pub custom_headers: CustomHeaders,
    /// Only requests with `X-Vault-Request: true` are let in: a browser tricked into a request cannot add it.
    pub require_request_header: bool,
    /// Opens the rekey and root-generation routes that need no token.
    pub legacy_routes_open: bool,
}

impl Settings {
    pub fn new(address: Address) -> Self {
        Self {
            address,
            tls: None,
            limits: Limits::default(),
            custom_headers: CustomHeaders::default(),
            require_request_header: false,
            legacy_routes_open: false,
        }
    }
}
