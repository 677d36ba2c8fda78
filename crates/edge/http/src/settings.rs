//! What a listener is told by the configuration. Not here: how that is written in a file (`edge/bulla`).

use crate::certificate_header::CertificateHeader;
use crate::networks::Networks;
use crate::tls::TlsSettings;
use bulla_core::Redact;
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
    /// From a complete request to its answer; what takes longer is given up.
    pub request: Duration,
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
            request: Duration::from_secs(90),
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

/// Of which connections a PROXY header is believed. Of none it is demanded: a proxy looks without one whether we live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyTrust {
    Always,
    /// Of these; that of others is passed over.
    Some(Networks),
    /// Of these; others may not connect at all.
    Only(Networks),
}

/// `X-Forwarded-For` and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedFor {
    /// Proxies whose headers are believed.
    pub authorized: Networks,
    /// Addresses passed over at the end of the list.
    pub hop_skips: usize,
    /// Requests without the header are refused, rather than taken as the proxy's own.
    pub reject_not_present: bool,
    /// Requests of others with the header are refused, rather than taken without it.
    pub reject_not_authorized: bool,
    pub certificate: Option<CertificateHeader>,
}

impl ForwardedFor {
    pub fn new(authorized: Networks) -> Self {
        Self { authorized, hop_skips: 0, reject_not_present: true, reject_not_authorized: true, certificate: None }
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub address: Address,
    /// `None` = there is no PROXY protocol.
    pub proxy: Option<ProxyTrust>,
    /// `None` = headers that tell of other clients are nobody's business.
    pub forwarded_for: Option<ForwardedFor>,
    /// `None` = plain text.
    pub tls: Option<TlsSettings>,
    pub limits: Limits,
    pub custom_headers: CustomHeaders,
    /// Only requests with `X-Vault-Request: true` are let in: a browser tricked into a request cannot add it.
    pub require_request_header: bool,
    /// Opens the rekey and root-generation routes that need no token.
    pub legacy_routes_open: bool,
    pub redact: Redact,
}

impl Settings {
    pub fn new(address: Address) -> Self {
        Self {
            address,
            proxy: None,
            forwarded_for: None,
            tls: None,
            limits: Limits::default(),
            custom_headers: CustomHeaders::default(),
            require_request_header: false,
            legacy_routes_open: false,
            redact: Redact::default(),
        }
    }
}
