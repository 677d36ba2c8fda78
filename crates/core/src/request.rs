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

/// The headers of a request. Looked at by name only: a request has a dozen of them and nobody needs most.
pub trait RequestHeaders: Send + Sync {
    /// Calls `take` with each value of the header `name`, which is in lower case. Credentials of this server
    /// (`x-vault-token`, `authorization` with a bearer) are not among them.
    fn each(&self, name: &str, take: &mut dyn FnMut(&str));

    /// All values of the header, joined by commas as HTTP allows.
    fn joined(&self, name: &str) -> Option<String> {
        let mut joined: Option<String> = None;
        self.each(name, &mut |value| match &mut joined {
            Some(text) => {
                text.push_str(", ");
                text.push_str(value);
            }
            None => joined = Some(value.to_owned()),
        });
        joined
    }
}

/// No headers at all, or those of a test.
impl RequestHeaders for Vec<(String, String)> {
    fn each(&self, name: &str, take: &mut dyn FnMut(&str)) {
        self.iter().filter(|(n, _)| n == name).for_each(|(_, value)| take(value));
    }
}

/// What answers that take no token leave out on a listener that strangers reach. Those that take one tell all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redact {
    pub cluster_name: bool,
    /// The version and when it was built.
    pub version: bool,
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
    /// Core passes on only what a mount is tuned to pass.
    pub headers: Box<dyn RequestHeaders>,
    /// DER of the client's certificate chain, leaf first.
    pub client_certificates: Vec<Vec<u8>>,
    /// `?help=1`.
    pub help: bool,
    /// The listener opens the unauthenticated rekey and root-generation routes.
    pub legacy_routes_open: bool,
    pub redact: Redact,
    /// Number of the connection the request came on; the seal closes all others first.
    pub connection: u64,
}
