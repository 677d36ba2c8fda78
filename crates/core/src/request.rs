//! A request once door 2 has decoded it. Nothing in it is looked at as text again.

use bulla_kit::Body;
use bulla_secret::SecretText;
use bulla_types::{Operation, RequestPath, Seconds};
use std::net::SocketAddr;
use std::sync::Arc;

/// The wish to have the answer wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrapRequest {
    pub ttl: Seconds,
    /// The wrapping token is to be a JWT (`X-Vault-Wrap-Format: jwt`).
    pub jwt: bool,
}

pub struct Request {
    /// A random UUID, told to the client and written to audit.
    pub id: String,
    /// Path of the namespace as the header or the URL gave it, without slashes at the ends; empty = root.
    pub namespace: String,
    /// Below `/v1/`.
    pub path: RequestPath,
    /// POST and PUT come as `Update`; core makes `Create` of it where nothing is there yet.
    pub operation: Operation,
    pub token: Option<SecretText>,
    /// JSON or form members of a write; query members of a read, list or delete.
    pub body: Arc<Body>,
    pub wrap: Option<WrapRequest>,
    pub remote: Option<SocketAddr>,
    /// All headers, names in lower case; core passes on only what a mount is tuned to pass.
    pub headers: Vec<(String, String)>,
    /// DER of the client's certificate chain, leaf first.
    pub client_certificates: Vec<Vec<u8>>,
    /// `?help=1`.
    pub help: bool,
    /// The listener opens the unauthenticated rekey and root-generation routes.
    pub legacy_routes_open: bool,
    /// Number of the connection the request came on; the seal closes all others first.
    pub connection: u64,
}
