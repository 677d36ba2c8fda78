//! Door 3: a request that wants to touch storage needs a [`Pass`], and a sealed server has none to give.
//!
//! The gate owns the only reference to what may exist while unsealed. [`Gate::seal`] takes it away first, so that no
//! new pass can be had, then waits for the passes in flight, cuts the slow ones off, and drops the owner, which
//! erases it. Not here: who may seal, and what the owner holds.

use crate::Barrier;
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// No pass: the server is sealed, or being sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Vault is sealed")]
pub struct Sealed;

/// How a seal went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealOutcome {
    /// Nothing was open.
    AlreadySealed,
    /// Everything was let go and erased.
    Erased { cut_off: usize },
    /// Something still holds the owner after the cut; it is erased when that lets go. A fault worth a loud log line.
    StillHeld,
}

struct Slot<U> {
    barrier: Arc<Barrier>,
    owner: U,
    passes: AtomicUsize,
    closed: AtomicBool,
    /// Wakes the sealer when the last pass goes.
    drained: Notify,
    /// Wakes the requests that outlived the drain time.
    cut: Notify,
    cut_now: AtomicBool,
}

/// The one owner of all that exists only while unsealed: the barrier's keys and `U`, the state of the floors above.
pub struct Gate<U> {
    slot: ArcSwapOption<Slot<U>>,
    sealing: tokio::sync::Mutex<()>,
}

impl<U> Default for Gate<U> {
    fn default() -> Self {
        Self { slot: ArcSwapOption::empty(), sealing: tokio::sync::Mutex::new(()) }
    }
}

impl<U: Send + Sync + 'static> Gate<U> {
    /// The right to work on the open barrier until the pass is dropped.
    ///
    /// # Errors
    /// [`Sealed`] from the moment a seal began.
    pub fn pass(&self) -> Result<Pass<U>, Sealed> {
        let slot = self.slot.load_full().ok_or(Sealed)?;
        slot.passes.fetch_add(1, Ordering::SeqCst);
        let pass = Pass { slot };
        // The seal may have closed the slot between the load and the count; then it does not wait for us.
        if pass.slot.closed.load(Ordering::SeqCst) { Err(Sealed) } else { Ok(pass) }
    }

    pub fn is_open(&self) -> bool {
        self.slot.load().is_some()
    }

    /// Waits for a seal that is at work; at once if there is none.
    pub async fn sealed(&self) {
        drop(self.sealing.lock().await);
    }

    /// Opens the gate. Returns `false` and drops its arguments if it is open already.
    pub fn open(&self, barrier: Barrier, owner: U) -> bool {
        let slot = Arc::new(Slot {
            barrier: Arc::new(barrier),
            owner,
            passes: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            drained: Notify::new(),
            cut: Notify::new(),
            cut_now: AtomicBool::new(false),
        });
        let none: Option<Arc<Slot<U>>> = None;
        self.slot.compare_and_swap(&none, Some(slot)).is_none()
    }

    /// Closes the gate: no new passes from now on, those in flight get `drain`, then the owner is dropped.
    /// `own_passes` is how many passes the caller itself still holds.
    pub async fn seal(&self, drain: Duration, own_passes: usize) -> SealOutcome {
        let _one_at_a_time = self.sealing.lock().await;
        let Some(slot) = self.slot.swap(None) else { return SealOutcome::AlreadySealed };
        slot.closed.store(true, Ordering::SeqCst);
        let drained = async {
            loop {
                let woken = slot.drained.notified();
                if slot.passes.load(Ordering::SeqCst) <= own_passes {
                    return;
                }
                // The timeout is a belt to the notification's braces: a missed wake-up costs 50 ms, not the drain time.
                let _ = tokio::time::timeout(Duration::from_millis(50), woken).await;
            }
        };
        let mut cut_off = 0;
        if tokio::time::timeout(drain, drained).await.is_err() {
            cut_off = slot.passes.load(Ordering::SeqCst).saturating_sub(own_passes);
            slot.cut_now.store(true, Ordering::SeqCst);
            slot.cut.notify_waiters();
        }
        release(slot, own_passes, cut_off).await
    }
}

/// Waits until nobody but the caller's own passes holds the slot, then drops it.
async fn release<U>(mut slot: Arc<Slot<U>>, own_passes: usize, cut_off: usize) -> SealOutcome {
    for _ in 0..500 {
        if own_passes > 0 {
            if Arc::strong_count(&slot) <= 1 + own_passes {
                return SealOutcome::Erased { cut_off };
            }
        } else {
            match Arc::try_unwrap(slot) {
                Ok(last) => {
                    drop(last);
                    return SealOutcome::Erased { cut_off };
                }
                Err(still) => slot = still,
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    SealOutcome::StillHeld
}

/// Proof that the server was unsealed when the request came in; storage asks for it.
pub struct Pass<U> {
    slot: Arc<Slot<U>>,
}

impl<U> Pass<U> {
    pub fn owner(&self) -> &U {
        &self.slot.owner
    }

    pub fn barrier(&self) -> &Arc<Barrier> {
        &self.slot.barrier
    }

    /// Resolves when a seal has waited long enough for this pass: whoever holds it must drop its work now.
    pub fn cut(&self) -> impl Future<Output = ()> + Send + use<U>
    where
        U: Send + Sync + 'static,
    {
        let slot = Arc::downgrade(&self.slot);
        async move {
            loop {
                let Some(strong) = slot.upgrade() else { return };
                let woken = strong.cut.notified();
                tokio::pin!(woken);
                woken.as_mut().enable();
                if strong.cut_now.load(Ordering::SeqCst) {
                    return;
                }
                woken.await;
            }
        }
    }
}

impl<U> Clone for Pass<U> {
    fn clone(&self) -> Self {
        self.slot.passes.fetch_add(1, Ordering::SeqCst);
        Self { slot: Arc::clone(&self.slot) }
    }
}

impl<U> Drop for Pass<U> {
    fn drop(&mut self) {
        if self.slot.passes.fetch_sub(1, Ordering::SeqCst) == 1 || self.slot.closed.load(Ordering::SeqCst) {
            self.slot.drained.notify_waiters();
            self.slot.drained.notify_one();
        }
    }
}
