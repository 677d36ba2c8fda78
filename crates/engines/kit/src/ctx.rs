//! What a handler is given: its view of the store, the time, who asks, and a few narrow services.

use crate::{EngineError, View};
use bulla_barrier::Txn;
use bulla_types::{NamespaceId, Operation, PolicyName, RequestPath, ScopeId, Seconds, Time};
use indexmap::IndexMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The mount a request came in at.
#[derive(Clone, Debug)]
pub struct MountInfo {
    /// With the trailing slash: `secret/`, `auth/userpass/`.
    pub path: String,
    pub accessor: String,
    pub kind: String,
    pub scope: ScopeId,
    pub options: IndexMap<String, String>,
    /// The lease times in force: the mount's own, else the system's.
    pub default_ttl: Seconds,
    pub max_ttl: Seconds,
}

#[derive(Clone, Debug)]
pub struct RequestInfo {
    pub id: String,
    pub namespace: NamespaceId,
    pub operation: Operation,
    pub path: RequestPath,
    pub remote: Option<IpAddr>,
    /// Only those the mount passes through, names in lower case.
    pub headers: Vec<(String, String)>,
    /// DER of the client's certificate chain, leaf first.
    pub client_certificates: Vec<Vec<u8>>,
}

/// Who asks. Empty on public routes.
#[derive(Clone, Debug, Default)]
pub struct CallerInfo {
    pub display_name: String,
    pub entity_id: String,
    pub accessor: String,
    pub policies: Vec<PolicyName>,
    pub metadata: IndexMap<String, String>,
}

/// What the server does for engines beyond storage.
pub trait Services: Send + Sync {
    /// The server-wide lease times: default and maximum.
    fn system_ttls(&self) -> (Seconds, Seconds);
}

/// What the caller may do with a path that is not the request's own. Whoever acts on a place that the body names asks
/// here: the policy has decided about the path of the request and about nothing else.
pub trait Rights: Send + Sync {
    /// Whether a request of the caller for `operation` at `path` (mount included) would be let through now, exactly as the
    /// request itself was. `brings` names the members its body would have, each with a value that no rule can know.
    fn may(&self, operation: Operation, path: &RequestPath, brings: &[&str]) -> bool;

    /// Whether the caller's policies close `path` with `deny`.
    fn is_denied(&self, path: &RequestPath) -> bool;
}

/// Nobody's: for public routes and for work that no request asked for.
#[derive(Clone, Copy, Debug)]
pub struct NoRights;

impl Rights for NoRights {
    fn may(&self, _: Operation, _: &RequestPath, _: &[&str]) -> bool {
        false
    }

    fn is_denied(&self, _: &RequestPath) -> bool {
        true
    }
}

/// A handler's context. Made by the pipeline once policy and audit have let the request through.
#[derive(Clone)]
pub struct Ctx {
    pub view: View,
    pub now: Time,
    pub mount: Arc<MountInfo>,
    pub request: Arc<RequestInfo>,
    pub caller: Arc<CallerInfo>,
    pub services: Arc<dyn Services>,
    /// See [`Ctx::caller_may`].
    pub rights: Arc<dyn Rights>,
}

impl Ctx {
    pub fn txn(&self) -> &Arc<Txn> {
        self.view.txn()
    }

    /// See [`Rights::may`].
    pub fn caller_may(&self, operation: Operation, path: &RequestPath, brings: &[&str]) -> bool {
        self.rights.may(operation, path, brings)
    }

    /// See [`Rights::is_denied`].
    pub fn caller_is_denied(&self, path: &RequestPath) -> bool {
        self.rights.is_denied(path)
    }

    /// Random bytes from the system's generator.
    ///
    /// # Errors
    /// The system has none; the request fails.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], EngineError> {
        bulla_crypto::random::bytes().map_err(|_| EngineError::internal("no randomness could be had from the system"))
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        self.mount.options.get(name).map(String::as_str)
    }
}
