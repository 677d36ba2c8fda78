//! What a caller may do with a path that its request names beside its own: doors 4 and 7 once more, for engines.
//!
//! Not here: the request's own path (`pipeline`), and what a policy says (`rules/policy`).

use crate::parameters::Unseen;
use crate::route::route_to;
use crate::state::State;
use bulla_kit::{Body, Rights};
use bulla_policy::{Acl, Ask, Denied, Permit};
use bulla_types::{Operation, RequestPath, Seconds, Time};
use std::sync::Arc;

/// The caller's policies at the moment its own request was decided, with what they were filled with then.
pub struct Reach {
    pub state: Arc<State>,
    pub acl: Arc<Acl>,
    pub wrap_ttl: Option<Seconds>,
    pub now: Time,
}

impl Reach {
    fn decide(&self, operation: Operation, path: &RequestPath, brings: &[&str]) -> Result<Permit, Denied> {
        // Names are folded and routes protected there as here.
        let routed = route_to(&self.state, path, operation, &Arc::new(Body::default()));
        let ask = Ask {
            namespace: "",
            path: routed.as_ref().map_or(path, |r| &r.path),
            operation,
            parameters: &Unseen { names: brings, fields: routed.as_ref().map_or(&[][..], |r| r.fields(operation)) },
            wrap_ttl: self.wrap_ttl,
            limit: None,
            route_needs_sudo: routed.as_ref().is_some_and(|r| r.needs_sudo()),
            now: self.now,
        };
        self.acl.decide(&ask)
    }
}

impl Rights for Reach {
    fn may(&self, operation: Operation, path: &RequestPath, brings: &[&str]) -> bool {
        let decided = self.decide(operation, path, brings);
        if let Err(why) = &decided {
            tracing::debug!(%path, %operation, ?why, "a second path is not granted");
        }
        decided.is_ok()
    }

    fn is_denied(&self, path: &RequestPath) -> bool {
        matches!(self.decide(Operation::Read, path, &[]), Err(Denied::Deny { .. } | Denied::Template { .. }))
    }
}

#[cfg(test)]
mod tests;
