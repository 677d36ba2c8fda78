//! The operations on keys that are under way, and the locks that keep them apart. Lives from unseal to seal.

use super::SysCtx;
use super::rekey::NewShares;
use super::root::Attempt;
use crate::token::TokenHash;
use bulla_kit::EngineError;
use bulla_seal::{Asker, Purpose, ShareRound, UnsealKey};
use bulla_types::Time;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

/// Which of the two doors an operation came through. What was begun with a token is out of reach for those without one;
/// else anybody could stop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Open to anybody where the listener says so.
    Legacy,
    /// With a token.
    Token,
}

impl Family {
    /// # Errors
    /// The listener has not opened this door.
    pub fn check_open(self, ctx: &SysCtx) -> Result<(), EngineError> {
        if self == Self::Token || ctx.request.legacy_routes_open {
            return Ok(());
        }
        Err(EngineError::UnsupportedBecause("unsupported operation".into()))
    }

    pub fn rekey(self) -> Purpose {
        match self {
            Self::Legacy => Purpose::Rekey,
            Self::Token => Purpose::Rotation,
        }
    }
}

/// Whoever started an operation, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Initiator {
    Token(TokenHash),
    /// Without a token there is nothing but the address.
    Address(IpAddr),
    Unknown,
}

impl Initiator {
    fn of(ctx: &SysCtx, family: Family) -> Self {
        match (family, &ctx.caller, ctx.request.remote) {
            (Family::Token, Some(caller), _) => Self::Token(caller.token.hash),
            (Family::Legacy, _, Some(remote)) => Self::Address(remote.ip()),
            _ => Self::Unknown,
        }
    }
}

/// What can be under way: something with a round of shares.
pub trait Operation: Send + 'static {
    fn round(&self) -> &ShareRound;

    /// Nothing would be lost with it.
    fn is_untouched(&self) -> bool {
        self.round().progress() == 0
    }
}

/// An operation under way.
pub struct Begun<T> {
    by: Family,
    initiator: Initiator,
    since: Time,
    operation: T,
}

/// One place for an operation, locked. The guard is kept until the answer is recorded.
pub type Held<T> = OwnedMutexGuard<Option<Begun<T>>>;

impl<T: Operation> Begun<T> {
    /// What is under way, as far as `family` is shown it.
    pub fn seen(held: &Held<T>, family: Family) -> Option<&T> {
        held.as_ref().filter(|begun| begun.by == family).map(|begun| &begun.operation)
    }

    /// Puts `operation` in the empty place once the answer has been recorded; until then nobody else gets in.
    pub fn start(ctx: &SysCtx, mut held: Held<T>, by: Family, operation: T) {
        let begun = Self { by, initiator: Initiator::of(ctx, by), since: ctx.now(), operation };
        ctx.once_answered(move || *held = Some(begun));
    }

    /// The operation goes on as `operation`, once the answer has been recorded.
    pub fn advance(ctx: &SysCtx, mut held: Held<T>, operation: T) {
        ctx.once_answered(move || Self::keep(&mut held, operation));
    }

    /// The operation is over, once the answer has been recorded.
    pub fn end(ctx: &SysCtx, mut held: Held<T>) {
        ctx.once_answered(move || *held = None);
    }

    /// As [`Begun::advance`], at once.
    pub fn keep(held: &mut Held<T>, operation: T) {
        if let Some(begun) = held.as_mut() {
            begun.operation = operation;
        }
    }

    /// Ends what is under way, if anything is. With a token everything can be cancelled, without one only what was begun
    /// without; how, says [`ShareRound::check_cancel`].
    ///
    /// # Errors
    /// It may not.
    pub fn cancel(ctx: &SysCtx, held: Held<T>, family: Family, nonce: &str) -> Result<(), EngineError> {
        let Some(begun) = held.as_ref() else { return Ok(()) };
        begun.check_cancel(ctx, family, nonce)?;
        Self::end(ctx, held);
        Ok(())
    }

    fn check_cancel(&self, ctx: &SysCtx, family: Family, nonce: &str) -> Result<(), EngineError> {
        if family == Family::Legacy && self.by == Family::Token {
            let text = "the operation in progress was started with a token and is cancelled with one";
            return Err(EngineError::bad(text));
        }
        let asks = Initiator::of(ctx, family);
        // A token proves who started it. An address proves little, since many may share one: it counts only as long as
        // nobody would lose anything, that is before the first share (`docs/decisions/0006-cancelling-rekey.md`).
        let proves = match asks {
            Initiator::Token(_) => true,
            Initiator::Address(_) => self.operation.is_untouched(),
            Initiator::Unknown => false,
        };
        self.check(ctx, self.operation.round(), nonce, proves && asks == self.initiator)
    }

    fn check(&self, ctx: &SysCtx, round: &ShareRound, nonce: &str, is_initiator: bool) -> Result<(), EngineError> {
        let asker = if is_initiator { Asker::Initiator } else { Asker::Other };
        round.check_cancel(nonce, asker, self.since, ctx.now()).map_err(|error| EngineError::bad(error.to_string()))
    }
}

impl Begun<NewShares> {
    /// Whether the presentation of the new shares may be started over. The new shares stay what they are, so that here
    /// the address is enough.
    ///
    /// # Errors
    /// It may not.
    pub fn check_restart(held: &Held<NewShares>, ctx: &SysCtx, family: Family, nonce: &str) -> Result<(), EngineError> {
        let Some(begun) = held.as_ref() else { return Ok(()) };
        let Some(round) = begun.operation.rekey.verification_round() else { return Ok(()) };
        let asks = Initiator::of(ctx, family);
        begun.check(ctx, round, nonce, asks != Initiator::Unknown && asks == begun.initiator)
    }
}

/// Keys and operations on them. Dropped, and so erased, by the seal.
pub struct KeyWork {
    rekey: Arc<Mutex<Option<Begun<NewShares>>>>,
    root: Arc<Mutex<Option<Begun<Attempt>>>>,
    /// Kept while unsealed, so that a new root key can be sealed without asking for shares.
    unseal_key: parking_lot::Mutex<Arc<UnsealKey>>,
    /// Of the shares that unseal besides those in force, as long as there are any: a new root key is sealed for them, too.
    former: parking_lot::Mutex<Option<Arc<UnsealKey>>>,
    /// Finds out whether the answer with the new shares has left.
    settling: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

impl KeyWork {
    pub fn new(unseal_key: UnsealKey) -> Self {
        Self {
            rekey: Arc::default(),
            root: Arc::default(),
            unseal_key: parking_lot::Mutex::new(Arc::new(unseal_key)),
            former: parking_lot::Mutex::default(),
            settling: parking_lot::Mutex::default(),
        }
    }

    /// The place of a rekey. Everything that changes keys holds this lock until the change is in force: a keyring sealed
    /// under a root key that is being replaced would be lost.
    pub async fn alone(&self) -> Held<NewShares> {
        Arc::clone(&self.rekey).lock_owned().await
    }

    pub async fn root_generation(&self) -> Held<Attempt> {
        Arc::clone(&self.root).lock_owned().await
    }

    pub fn unseal_key(&self) -> Arc<UnsealKey> {
        Arc::clone(&self.unseal_key.lock())
    }

    /// The only one from now on.
    pub fn set_unseal_key(&self, key: UnsealKey) {
        *self.unseal_key.lock() = Arc::new(key);
        self.forget_former();
    }

    /// In force from now on; the one before, which is returned, unseals as well.
    pub fn set_new_unseal_key(&self, key: UnsealKey) -> Arc<UnsealKey> {
        let former = std::mem::replace(&mut *self.unseal_key.lock(), Arc::new(key));
        *self.former.lock() = Some(Arc::clone(&former));
        former
    }

    pub fn former(&self) -> Option<Arc<UnsealKey>> {
        self.former.lock().clone()
    }

    pub fn forget_former(&self) {
        *self.former.lock() = None;
    }

    pub fn set_settling(&self, settling: JoinHandle<()>) {
        *self.settling.lock() = Some(settling);
    }

    pub fn take_settling(&self) -> Option<JoinHandle<()>> {
        self.settling.lock().take()
    }
}
