//! One request, eleven doors, in order. Read this file first.
//!
//! | door | here |
//! | --- | --- |
//! | 1, 2 limits, decoding | done by `edge/http` before [`run`] |
//! | 3 gate | [`run`]: no `Pass`, no storage |
//! | 4 router | [`Attempt::serve`]: mount, route, captures |
//! | 5 quotas | not yet |
//! | 6 token | [`authenticate`] |
//! | 7 policy | `Acl::decide` -> `Permit` |
//! | 8 audit | `record::request` -> `Recorded<Warrant>` |
//! | 9 engine | `pipeline/call.rs` |
//! | 10 commit | `Txn::commit` -> `Committed<Reply>` |
//! | 11 audit | `record::response` -> `Disclosable<Answer>` |
//!
//! A refusal at doors 4 to 9 leaves through doors 8 and 11 as well: what was refused is recorded, too.

mod call;

use crate::answer::{Answer, ErrorKind, Outcome, Refusal};
use crate::core::Core;
use crate::delivery::Delivery;
use crate::lease::HandedOut;
use crate::mounts::MountStore;
use crate::parameters::BodyParameters;
use crate::policy::Generation;
use crate::request::Request;
use crate::route::{Routed, route};
use crate::state::{State, Unsealed};
use crate::sys::{Effect, always};
use crate::token::{Caller, TokenStore, authenticate, revoke_tree};
use crate::wrapping::is_about_wrapping;
use crate::{effects, envelope, record, refusal, wrapping};
use bulla_audit::{Disclosable, Recorded};
use bulla_barrier::{BarrierError, Committed, Pass, SealOutcome, Txn, View};
use bulla_kit::{Access, EngineError, Reply};
use bulla_policy::{Ask, Permit};
use bulla_records::TokenKindRecord;
use bulla_types::{NamespaceId, Operation, ScopeId, Time};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Runs side by side before a request that keeps meeting conflicts is run alone.
const SIDE_BY_SIDE: usize = 4;
/// Runs altogether; even alone, background work can still collide.
const ATTEMPTS: usize = 64;
/// From a durable change of the mounts to the new table.
const PUBLISHING: Duration = Duration::from_millis(1);

/// How often a request has collided with others so far. What can be done in two ways is done in the one that reads little
/// once it has been often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contention {
    Low,
    High,
}

pub async fn run(core: &Arc<Core>, request: Request) -> Disclosable<Answer> {
    let connection = request.connection;
    if let Some(answer) = always::answer(core, &request).await {
        return answer;
    }
    let Ok(pass) = core.gate.pass() else { return record::sealed() };
    let cut = pass.cut();
    let work = async {
        let request = Arc::new(wrapping::unfold(&pass, request).await);
        until_no_conflict(core, pass, &request).await
    };
    // A seal that has waited long enough drops the work: what it wanted to write is committed whole or not at all.
    let done = tokio::select! {
        biased;
        done = work => done,
        () = cut => return record::sealed(),
    };
    if !done.seals {
        return done.answer;
    }
    // On a task of its own: a client that hangs up now must not leave the seal half done.
    let sealing = Arc::clone(core);
    let sealed = tokio::spawn(async move { sealing.seal(sealing.config.drain, connection).await }).await;
    match sealed {
        Ok(SealOutcome::StillHeld) | Err(_) => record::seal_incomplete(),
        Ok(_) => done.answer.map(|answer| Answer { sealed_by_this: true, ..answer }),
    }
}

/// A finished request.
struct Done {
    answer: Disclosable<Answer>,
    seals: bool,
}

async fn until_no_conflict(core: &Arc<Core>, pass: Pass<Unsealed>, request: &Arc<Request>) -> Done {
    let mut alone = None;
    for turn in 0..ATTEMPTS {
        if turn == SIDE_BY_SIDE {
            alone = Some(core.alone.lock().await);
        }
        let contention = if alone.is_some() { Contention::High } else { Contention::Low };
        let attempt = match Attempt::begin(core, &pass, request, contention) {
            Ok(attempt) => attempt,
            Err(error) => {
                return Done { answer: record::unrecorded(refusal::of_barrier(&error, &request.id)), seals: false };
            }
        };
        match attempt.run().await {
            Err(BarrierError::Conflict) => {}
            Err(error) => {
                return Done { answer: record::unrecorded(refusal::of_barrier(&error, &request.id)), seals: false };
            }
            Ok(done) => return done,
        }
    }
    drop(alone);
    let refusal = Refusal::new(ErrorKind::Internal, "the request kept colliding with others; try again");
    Done { answer: record::unrecorded(refusal), seals: false }
}

/// One run of doors 4 to 11 on one snapshot.
struct Attempt<'a> {
    core: &'a Arc<Core>,
    pass: &'a Pass<Unsealed>,
    request: &'a Arc<Request>,
    state: Arc<State>,
    generation: Generation,
    txn: Arc<Txn>,
    now: Time,
    contention: Contention,
    effects: Arc<Mutex<Vec<Effect>>>,
    handed_out: HandedOut,
}

/// What is known of a request by the time it is answered; audit writes it down.
#[derive(Default)]
pub struct Known {
    pub routed: Option<Routed>,
    pub caller: Option<Arc<Caller>>,
    pub operation: Option<Operation>,
    pub recorded: Option<Recorded<Warrant>>,
}

impl<'a> Attempt<'a> {
    fn begin(
        core: &'a Arc<Core>,
        pass: &'a Pass<Unsealed>,
        request: &'a Arc<Request>,
        contention: Contention,
    ) -> Result<Self, BarrierError> {
        // The state before the snapshot: a change is durable before it is published, so what the state knows is there.
        let state = pass.owner().state.load_full();
        let generation = pass.owner().policies_now();
        let txn = Txn::begin(pass)?;
        Ok(Self {
            core,
            pass,
            request,
            state,
            generation,
            txn,
            now: core.clock.now(),
            contention,
            effects: Arc::default(),
            handed_out: HandedOut::new(core),
        })
    }

    async fn run(self) -> Result<Done, BarrierError> {
        let mut known = Known::default();
        let served = match self.serve(&mut known).await {
            Ok(reply) => self.wrap(&known, reply).await,
            Err(refused) => Err(refused),
        };
        let outcome = match served {
            Ok(outcome) => Ok(outcome),
            Err(Refused::Engine(EngineError::Barrier(BarrierError::Conflict))) => return Err(BarrierError::Conflict),
            Err(refused) => {
                self.txn.discard();
                self.effects.lock().clear();
                Err(refused.into_refusal(&self.request.id))
            }
        };
        if let Err(refusal) = &outcome
            && known.recorded.is_none()
        {
            record::refused(&self.scene(&known), refusal).await;
        }
        self.spend(&known).await?;
        let writes = self.txn.has_writes();
        if let (true, Some(recorded)) = (writes || self.answers_first(), &known.recorded)
            && recorded.delivered().await.is_err()
        {
            return Ok(Done { answer: record::audit_failed(), seals: false });
        }
        let succeeded = outcome.is_ok();
        let outcome = outcome.unwrap_or_else(Outcome::Refused);
        if self.answers_first() {
            return self.answer_then_commit(&known, outcome).await;
        }
        let (committed, seals) = self.commit(outcome).await?;
        if succeeded {
            self.handed_out.kept();
        }
        let answer = self.disclose(&known, committed).await;
        Ok(Done { answer, seals })
    }

    fn answers_first(&self) -> bool {
        self.effects.lock().iter().any(|effect| matches!(effect, Effect::OnceAnswered(_)))
    }

    /// Doors 11 and 10 in this order. New shares in force that nobody was told would lock everybody out for good, so
    /// that an answer that cannot be recorded leaves all as it was.
    async fn answer_then_commit(self, known: &Known, outcome: Outcome) -> Result<Done, BarrierError> {
        let Ok(disclosable) = record::try_response(&self.scene(known), Answer::new(outcome)).await else {
            return Ok(Done { answer: record::audit_failed(), seals: false });
        };
        let delivery = self.delivery();
        let (_committed, seals) = self.commit(()).await?;
        Ok(Done { answer: disclosable.map(|answer| Answer { delivery, ..answer }), seals })
    }

    /// Whoever waits to hear that the answer has left.
    fn delivery(&self) -> Option<Delivery> {
        self.effects.lock().iter().find_map(|effect| match effect {
            Effect::TellDelivery(delivery) => Some(delivery.clone()),
            _ => None,
        })
    }

    fn scene<'s>(&'s self, known: &'s Known) -> record::Scene<'s> {
        record::Scene { unsealed: self.pass.owner(), request: self.request, known, now: self.now }
    }

    /// Doors 4 to 9.
    async fn serve(&self, known: &mut Known) -> Result<Reply, Refused> {
        if !matches!(self.request.namespace.as_str(), "" | "root") {
            return Err(Refusal::new(ErrorKind::NotFound, "namespace not found").into());
        }
        known.routed = route(&self.state, self.request);
        let access = known.routed.as_ref().map_or(Access::Token, |r| r.access());
        let owner = self.pass.owner();
        let caller = authenticate(owner, &self.state, self.generation, &self.txn, self.request, self.now).await?;
        let caller = caller.map(Arc::new);
        known.caller.clone_from(&caller);
        if caller.is_none() && access != Access::Public {
            return Err(self.unauthenticated().into());
        }
        let operation = self.operation(known.routed.as_ref(), caller.as_deref()).await?;
        known.operation = Some(operation);
        let permit = match (&caller, access) {
            (_, Access::Public) | (None, _) => None,
            (Some(caller), _) => Some(self.decide(caller, known.routed.as_ref(), operation)?),
        };
        let Some(routed) = &known.routed else {
            let text = format!("no handler for route {:?}. route entry not found.", self.asked_path());
            return Err(Refusal::new(ErrorKind::NotFound, text).into());
        };
        if may_write(operation) && !self.mounts_are_current().await? {
            return Err(EngineError::Barrier(BarrierError::Conflict).into());
        }
        let warrant = permit.map_or(Warrant::Public, |permit| Warrant::Permit(Arc::new(permit)));
        let scene = record::Scene { unsealed: self.pass.owner(), request: self.request, known, now: self.now };
        let recorded = match record::request(&scene, warrant.clone()).await {
            Ok(recorded) => recorded,
            Err(_) => {
                return Err(Refusal::new(
                    ErrorKind::Internal,
                    refusal::one_error("failed to audit request, cannot continue"),
                )
                .into());
            }
        };
        let result = self.call(routed, operation, caller, &warrant).await;
        known.recorded = Some(recorded);
        let reply = self.admit(routed, result?).await?;
        Ok(self.lease(routed, known.caller.as_deref(), reply).await?)
    }

    /// Whether the table that led here is still the one in the store. What is read for it is checked again at the commit,
    /// so that nothing is written to a mount that has moved, changed its engine or gone meanwhile.
    async fn mounts_are_current(&self) -> Result<bool, EngineError> {
        let stored = MountStore::new(&self.txn, NamespaceId::ROOT).generation().await?;
        if stored == self.state.mounts.generation() {
            return Ok(true);
        }
        // Durable but not published yet; whoever changed it is about to.
        tokio::time::sleep(PUBLISHING).await;
        drop(self.pass.owner().publishing.lock().await);
        Ok(false)
    }

    /// The path as the reference names it: a list asks for the folder.
    fn asked_path(&self) -> String {
        let path = &self.request.path;
        if matches!(self.request.operation, Operation::List | Operation::Scan) {
            path.as_folder().to_string()
        } else {
            path.to_string()
        }
    }

    /// A write to something that is not there yet is a `create`.
    async fn operation(&self, routed: Option<&Routed>, caller: Option<&Caller>) -> Result<Operation, Refused> {
        let asked = self.request.operation;
        let Some(routed) = routed.filter(|_| asked == Operation::Update && !self.request.help) else {
            return Ok(if self.request.help { Operation::Help } else { asked });
        };
        let Some(scope) = scope_of(routed, caller) else { return Ok(asked) };
        let there = routed.exists(View::new(&self.txn, scope)).await?;
        Ok(if there { Operation::Update } else { Operation::Create })
    }

    /// Door 7.
    fn decide(&self, caller: &Caller, routed: Option<&Routed>, operation: Operation) -> Result<Permit, Refused> {
        let path = routed.map_or(&self.request.path, |r| &r.path);
        let fields = routed.map_or(&[][..], |r| r.fields(operation));
        let parameters = BodyParameters { body: &self.request.body, fields };
        let ask = Ask {
            namespace: "",
            path,
            operation,
            parameters: &parameters,
            wrap_ttl: self.request.wrap.map(|w| w.ttl),
            limit: parameters.limit(),
            route_needs_sudo: routed.is_some_and(Routed::needs_sudo),
            now: self.now,
        };
        caller.acl.decide(&ask).map_err(|why| {
            tracing::debug!(request_id = %self.request.id, %path, why = ?why, "denied");
            refusal::denied().into()
        })
    }

    /// A token with a limited number of uses spends one, whatever came of the request; the last use ends it.
    /// Open routes need no token, so one that is sent along is not spent.
    async fn spend(&self, known: &Known) -> Result<(), BarrierError> {
        if known.routed.as_ref().is_some_and(|routed| routed.access() == Access::Public) {
            return Ok(());
        }
        let Some(caller) = &known.caller else { return Ok(()) };
        let Some(left) = caller.token.record.uses else { return Ok(()) };
        let spent = async {
            let store = TokenStore(&self.txn);
            let Some(mut record) = store.get(&caller.token.hash).await? else { return Ok(()) };
            if left <= 1 {
                revoke_tree(&self.txn, caller.token.hash, self.now, self.contention).await?;
                return Ok(());
            }
            record.uses = Some(left - 1);
            store.put(&caller.token.hash, &record)
        };
        match spent.await {
            Ok(()) => Ok(()),
            Err(EngineError::Barrier(error)) => Err(error),
            Err(error) => {
                tracing::error!(%error, "a use of a token could not be counted");
                Err(BarrierError::Over)
            }
        }
    }

    /// Door 10, and what has to be in force before the answer is out.
    async fn commit<T: Send + 'static>(&self, outcome: T) -> Result<(Committed<T>, bool), BarrierError> {
        let effects = std::mem::take(&mut *self.effects.lock());
        if effects.is_empty() {
            return Ok((self.txn.commit(outcome).await?, false));
        }
        effects::commit(Arc::clone(self.core), self.pass.clone(), Arc::clone(&self.txn), effects, outcome).await
    }

    /// The reply as it goes out, or the token it waits behind if the client wants it wrapped.
    async fn wrap(&self, known: &Known, reply: Reply) -> Result<Outcome, Refused> {
        let operation = known.operation.unwrap_or(self.request.operation);
        let outcome = envelope::outcome(reply, operation, &self.request.id);
        match self.request.wrap {
            Some(wrap) if !is_about_wrapping(self.request.path.as_str()) => {
                Ok(wrapping::wrap(&self.txn, outcome, &self.asked_path(), wrap, self.site()).await?)
            }
            _ => Ok(outcome),
        }
    }

    fn site(&self) -> wrapping::Site<'_> {
        wrapping::Site { api_addr: &self.core.config.api_addr, now: self.now }
    }

    /// A wrapping token that is used up or unknown is a plain mistake of the one who unwraps with it.
    fn unauthenticated(&self) -> Refusal {
        let request = self.request;
        let unwraps = request.path.as_str() == "sys/wrapping/unwrap" && request.operation == Operation::Update;
        if unwraps && request.token.is_some() && request.body.get("token").is_none() {
            return Refusal::new(ErrorKind::BadRequest, wrapping::NOT_VALID);
        }
        refusal::unauthenticated()
    }

    /// Door 11.
    async fn disclose(&self, known: &Known, committed: Committed<Outcome>) -> Disclosable<Answer> {
        record::response(&self.scene(known), committed.map(Answer::new).into_inner()).await
    }
}

fn may_write(operation: Operation) -> bool {
    matches!(operation, Operation::Create | Operation::Update | Operation::Patch | Operation::Delete)
}

/// Why a handler may run: a policy said so, or the route is open to everybody.
#[derive(Clone)]
pub enum Warrant {
    Permit(Arc<Permit>),
    Public,
}

impl Warrant {
    pub fn permit(&self) -> Option<&Arc<Permit>> {
        match self {
            Self::Permit(permit) => Some(permit),
            Self::Public => None,
        }
    }
}

/// Where to look whether something is there: the mount's records, for a cubbyhole the token's own. `None` = there are none.
fn scope_of(routed: &Routed, caller: Option<&Caller>) -> Option<ScopeId> {
    let mount = &routed.mount.record;
    if mount.kind != "cubbyhole" {
        return Some(mount.uuid);
    }
    let token = &caller?.token.record;
    (token.kind == TokenKindRecord::Service).then_some(token.cubbyhole)
}

/// Why doors 4 to 9 did not let a request through.
enum Refused {
    Told(Refusal),
    Engine(EngineError),
}

impl Refused {
    fn into_refusal(self, request_id: &str) -> Refusal {
        match self {
            Self::Told(refusal) => refusal,
            Self::Engine(error) => refusal::of_engine(error, request_id),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Told(refusal)
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}
