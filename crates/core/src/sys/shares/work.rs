//! The operations on keys that are under way, and the locks that keep them apart. Lives from unseal to seal.

use super::SysCtx;
use bulla_kit::EngineError;
use bulla_seal::{Purpose, Rekey, RootGeneration, UnsealKey};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

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

/// An operation under way.
pub struct Begun<T> {
    pub by: Family,
    pub operation: T,
}

/// One place for an operation, locked. The guard is kept until the answer is recorded.
pub type Held<T> = OwnedMutexGuard<Option<Begun<T>>>;

impl<T> Begun<T> {
    /// What is under way, as far as `family` is shown it.
    pub fn seen(held: &Held<T>, family: Family) -> Option<&T> {
        held.as_ref().filter(|begun| begun.by == family).map(|begun| &begun.operation)
    }

    /// Puts `operation` in the place of what is there.
    pub fn keep(held: &mut Held<T>, by: Family, operation: T) {
        **held = Some(Self { by, operation });
    }

    /// Whether `family` may cancel: with a token everything, without one only what was begun without.
    ///
    /// # Errors
    /// It may not.
    pub fn check_cancel(held: &Held<T>, family: Family) -> Result<Option<&T>, EngineError> {
        match held.as_ref() {
            Some(begun) if family == Family::Legacy && begun.by == Family::Token => {
                Err(EngineError::bad("the operation in progress was started with a token and is cancelled with one"))
            }
            other => Ok(other.map(|begun| &begun.operation)),
        }
    }
}

impl<T: Send + 'static> Begun<T> {
    /// Puts `next` in place once the answer has been recorded; until then nobody else gets in.
    pub fn replace(ctx: &SysCtx, mut held: Held<T>, next: Option<(Family, T)>) {
        ctx.once_answered(move || *held = next.map(|(by, operation)| Self { by, operation }));
    }
}

/// Keys and operations on them. Dropped, and so erased, by the seal.
pub struct KeyWork {
    rekey: Arc<Mutex<Option<Begun<Rekey>>>>,
    root: Arc<Mutex<Option<Begun<RootGeneration>>>>,
    /// Kept while unsealed, so that a new root key can be sealed without asking for shares.
    unseal_key: parking_lot::Mutex<Arc<UnsealKey>>,
}

impl KeyWork {
    pub fn new(unseal_key: UnsealKey) -> Self {
        Self { rekey: Arc::default(), root: Arc::default(), unseal_key: parking_lot::Mutex::new(Arc::new(unseal_key)) }
    }

    /// The place of a rekey. Everything that changes keys holds this lock until the change is in force: a keyring sealed
    /// under a root key that is being replaced would be lost.
    pub async fn alone(&self) -> Held<Rekey> {
        Arc::clone(&self.rekey).lock_owned().await
    }

    pub async fn root_generation(&self) -> Held<RootGeneration> {
        Arc::clone(&self.root).lock_owned().await
    }

    pub fn unseal_key(&self) -> Arc<UnsealKey> {
        Arc::clone(&self.unseal_key.lock())
    }

    pub fn set_unseal_key(&self, key: UnsealKey) {
        *self.unseal_key.lock() = Arc::new(key);
    }
}
