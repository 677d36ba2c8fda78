//! Core's own routes: `sys/…`, `auth/token/…`, `cubbyhole/…`, and the context their handlers get.
//!
//! `always` holds the routes that are open while sealed; their context has no storage. All others get a [`SysCtx`].

pub mod always;
mod capabilities;
mod catalog;
mod cors;
mod cubbyhole;
mod history;
mod host;
mod info;
mod keys;
mod loggers;
mod seal;
mod shares;
mod tools;
mod ui;
mod ui_headers;
mod wrapping;

pub use cors::{Cors, load as load_cors};
pub use history::note as note_version;
pub use shares::KeyWork;

use crate::audit::{self, AuditedHeaders};
pub use keys::rotation_due;

use crate::core::Core;
use crate::delivery::Delivery;
use crate::identity::{self, IdentityStore};
use crate::lease::{self, LeaseHash};
use crate::login;
use crate::mounts::{self, Move};
use crate::pipeline::Contention;
use crate::policy::{self, Generation, PolicyStore};
use crate::request::Request;
use crate::state::{State, Unsealed};
use crate::token::{self, Caller};
use bulla_barrier::{Pass, Txn};
use bulla_kit::{Ctx, EngineError, Routes};
use bulla_policy::Permit;
use bulla_records::MountRecord;
use bulla_types::Time;
use parking_lot::Mutex;
use std::sync::Arc;

/// What has to happen once the request's batch is durable and before it is answered.
pub enum Effect {
    /// The mount table is read anew and published.
    MountsChanged,
    PoliciesChanged,
    /// What is stored of `sys/config/cors` comes into force.
    CorsChanged,
    /// A mount has its new path; the status is kept for those who ask.
    MountMoved(Move),
    /// Engines are asked to take these secrets back before the answer is out.
    LeasesEnded(Vec<LeaseHash>),
    /// A device is taken off the broker.
    AuditRemoved(String),
    AuditedHeaders(AuditedHeaders),
    /// What may count only if the answer goes out: see [`KeyWork`]. With it the answer is recorded before the batch is
    /// committed, and an answer that cannot be recorded undoes the request.
    OnceAnswered(Box<dyn FnOnce() + Send>),
    /// Somebody waits to hear that the answer has left. Only beside `OnceAnswered`.
    TellDelivery(Delivery),
    /// The server seals itself after the answer has been recorded.
    Seal,
}

/// What a handler of core's own gets: an engine's context and, besides, the server.
#[derive(Clone)]
pub struct SysCtx {
    pub ctx: Ctx,
    pub core: Arc<Core>,
    pub pass: Pass<Unsealed>,
    pub state: Arc<State>,
    pub generation: Generation,
    pub contention: Contention,
    pub request: Arc<Request>,
    /// `None` on public routes.
    pub caller: Option<Arc<Caller>>,
    pub permit: Option<Arc<Permit>>,
    pub effects: Arc<Mutex<Vec<Effect>>>,
}

impl SysCtx {
    pub fn txn(&self) -> &Arc<Txn> {
        self.ctx.txn()
    }

    pub fn now(&self) -> Time {
        self.ctx.now
    }

    pub fn policies(&self) -> PolicyStore {
        PolicyStore::new(self.txn(), self.ctx.request.namespace)
    }

    /// The store of identity; for its own routes.
    pub fn identity(&self) -> IdentityStore {
        IdentityStore::new(self.ctx.view.clone())
    }

    /// # Errors
    /// The route is public and was asked without a token.
    pub fn caller(&self) -> Result<&Arc<Caller>, EngineError> {
        self.caller.as_ref().ok_or(EngineError::Denied)
    }

    pub fn has_sudo(&self) -> bool {
        self.permit.as_ref().is_some_and(|p| p.has_sudo() || p.is_root())
    }

    pub fn after_commit(&self, effect: Effect) {
        self.effects.lock().push(effect);
    }

    /// As [`Effect::OnceAnswered`].
    pub fn once_answered(&self, then: impl FnOnce() + Send + 'static) {
        self.after_commit(Effect::OnceAnswered(Box::new(then)));
    }

    /// The caller's token as it was sent.
    pub fn token_text(&self) -> String {
        self.request.token.as_ref().map(|t| t.dangerous_expose().to_owned()).unwrap_or_default()
    }

    /// The policy name as the client spelled it, before the route folded it to lower case.
    pub fn typed_policy_name(&self) -> Option<&str> {
        let path = self.request.path.as_str();
        path.strip_prefix("sys/policies/acl/").or_else(|| path.strip_prefix("sys/policy/"))
    }
}

/// The tables of core's own mounts, made once.
pub struct SysTables {
    system: Arc<Routes<SysCtx>>,
    token: Arc<Routes<SysCtx>>,
    cubbyhole: Arc<Routes<SysCtx>>,
    identity: Arc<Routes<SysCtx>>,
}

impl Default for SysTables {
    fn default() -> Self {
        let mut system = policy::routes();
        system.extend(mounts::routes());
        system.extend(seal::routes());
        system.extend(keys::routes());
        system.extend(shares::routes());
        system.extend(tools::routes());
        system.extend(audit::routes());
        system.extend(capabilities::routes());
        system.extend(info::routes());
        system.extend(host::routes());
        system.extend(loggers::routes());
        system.extend(ui::routes());
        system.extend(ui_headers::routes());
        system.extend(catalog::routes());
        system.extend(cors::routes());
        system.extend(wrapping::routes());
        system.extend(login::routes());
        system.extend(lease::routes());
        Self {
            system: Arc::new(Routes::new(system)),
            token: Arc::new(Routes::new(token::routes())),
            cubbyhole: Arc::new(Routes::new(cubbyhole::routes())),
            identity: Arc::new(Routes::new(identity::routes())),
        }
    }
}

impl SysTables {
    pub fn find(&self, record: &MountRecord) -> Option<Arc<Routes<SysCtx>>> {
        match record.kind.as_str() {
            "system" => Some(Arc::clone(&self.system)),
            "token" => Some(Arc::clone(&self.token)),
            "cubbyhole" => Some(Arc::clone(&self.cubbyhole)),
            "identity" => Some(Arc::clone(&self.identity)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod sudo_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_help_for_all_that_core_offers() {
        let SysTables { system, token, cubbyhole, identity } = SysTables::default();
        for table in [system, token, cubbyhole, identity] {
            assert_eq!(bulla_kit::undocumented(&table), Vec::<String>::new());
        }
    }
}
