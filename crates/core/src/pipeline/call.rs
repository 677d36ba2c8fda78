//! Door 9: the handler of a route gets what it may know, and what its reply asks for is done: a token for a login, a lease
//! for a secret.
//!
//! Not here: finding the route (`route`), and whether it may be called at all (`pipeline`).

use super::{Attempt, Warrant};
use crate::reach::Reach;
use crate::route::{Matched, Routed};
use crate::sys::SysCtx;
use crate::token::Caller;
use crate::{lease, listing, login};
use bulla_barrier::View;
use bulla_kit::{Ctx, EngineError, Input, NoRights, Reply, RequestInfo, Rights};
use bulla_types::{NamespaceId, Operation};
use std::sync::Arc;

/// The reference's words while a key-value mount becomes a versioned one; clients wait for it.
const UNFINISHED: &str = "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief \
                          period and will resume service shortly.";

impl<'a> Attempt<'a> {
    pub(super) async fn call(
        &self,
        routed: &Routed,
        operation: Operation,
        caller: Option<Arc<Caller>>,
        warrant: &Warrant,
    ) -> Result<Reply, EngineError> {
        if operation == Operation::Help {
            return routed.help();
        }
        let permit = warrant.permit().map(|permit| &**permit);
        let body = listing::bounded(&routed.input.body, operation, permit);
        let mut input = Input { operation, body, ..routed.input.clone() };
        let reply = self.dispatch(routed, &input, caller.clone(), warrant).await?;
        // Told of what the caller sent, not of what was made of it.
        input.body = Arc::clone(&routed.input.body);
        let reply = routed.with_warnings(reply, &input);
        match caller {
            Some(caller) => listing::shown(reply, operation, permit, &caller.acl, &routed.path),
            None => Ok(reply),
        }
    }

    async fn dispatch(
        &self,
        routed: &Routed,
        input: &Input,
        caller: Option<Arc<Caller>>,
        warrant: &Warrant,
    ) -> Result<Reply, EngineError> {
        let ctx = self.ctx(routed, input.operation, caller.as_deref(), warrant);
        match &routed.matched {
            Matched::Engine(..) if routed.mount.record.unfinished => Err(EngineError::bad(UNFINISHED)),
            Matched::Engine(engine, found) => {
                let answer = routed.call_engine(engine, *found, ctx, input);
                match self.name_at_login(routed) {
                    Some(name) => name.guard(&self.txn, answer).await,
                    None => answer.await,
                }
            }
            Matched::System(table, found) => {
                let ctx = SysCtx {
                    ctx,
                    core: Arc::clone(self.core),
                    pass: self.pass.clone(),
                    state: Arc::clone(&self.state),
                    generation: self.generation,
                    contention: self.contention,
                    request: Arc::clone(self.request),
                    caller,
                    permit: warrant.permit().cloned(),
                    effects: Arc::clone(&self.effects),
                };
                routed.call_system(table, *found, ctx, input).await
            }
            Matched::Nothing => Err(EngineError::UnsupportedPath),
        }
    }

    /// All that an engine may know of the request and of the server.
    fn ctx(&self, routed: &Routed, operation: Operation, caller: Option<&Caller>, warrant: &Warrant) -> Ctx {
        let info = RequestInfo {
            id: self.request.id.clone(),
            namespace: NamespaceId::ROOT,
            operation,
            path: routed.path.clone(),
            remote: self.request.remote.map(|a| a.ip()),
            headers: routed.passed_headers(self.request),
            client_certificates: self.request.client_certificates.clone(),
        };
        Ctx {
            view: View::new(&self.txn, routed.mount.record.uuid),
            now: self.now,
            mount: Arc::clone(&routed.mount.info),
            request: Arc::new(info),
            caller: Arc::new(caller.map(Caller::info).unwrap_or_default()),
            services: Arc::clone(self.core) as _,
            rights: self.rights(caller, warrant),
        }
    }

    /// Nobody has rights on an open route, whatever token was sent along.
    fn rights(&self, caller: Option<&Caller>, warrant: &Warrant) -> Arc<dyn Rights> {
        let (Some(caller), Warrant::Permit(_)) = (caller, warrant) else { return Arc::new(NoRights) };
        Arc::new(Reach {
            state: Arc::clone(&self.state),
            acl: Arc::clone(&caller.acl),
            wrap_ttl: self.request.wrap.map(|w| w.ttl),
            now: self.now,
        })
    }

    /// Whom a login is tried as, where failures lock the name out.
    fn name_at_login(&self, routed: &'a Routed) -> Option<login::Name<'a>> {
        let (name, refusal) = routed.lockout_name()?;
        let settings = self.core.config.user_lockout.of(&routed.mount.record)?;
        Some(login::Name { pass: self.pass, mount: &routed.mount, name, refusal, settings, now: self.now })
    }

    /// A login that the auth method has let in gets its token.
    pub(super) async fn admit(&self, routed: &Routed, mut reply: Reply) -> Result<Reply, EngineError> {
        let Some(intent) = reply.login.take() else { return Ok(reply) };
        let admitted = login::admit(&self.txn, &self.state, routed, self.request, intent, self.now).await?;
        reply.auth = Some(Box::new(admitted.auth));
        reply.warnings.extend(admitted.warnings);
        Ok(reply)
    }

    /// A secret that an engine has handed out and will have to take back gets its lease.
    pub(super) async fn lease(
        &self,
        routed: &Routed,
        caller: Option<&Caller>,
        mut reply: Reply,
    ) -> Result<Reply, EngineError> {
        let Some(intent) = reply.lease.take() else { return Ok(reply) };
        let mount = &routed.mount;
        let (record, warnings) = lease::draft(mount, &routed.input.path, caller, &intent, self.now)?;
        self.handed_out.put(&record, mount);
        reply.lease_id = lease::keep(&self.txn, mount, caller, &record).await?;
        reply.lease_hint = Some((record.ttl, record.renewable));
        reply.warnings.extend(warnings);
        Ok(reply)
    }
}
