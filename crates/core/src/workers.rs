//! Work in the background while unsealed: tokens and leases whose time is over are taken back, mounts being disabled are
//! cleared.
//!
//! Each step is a small transaction that may run again. Nothing depends on it: expiry is checked at use. A step holds a
//! pass only while it runs, so that a seal never waits for a sleeping worker.

use crate::config::Workers;
use crate::core::Core;
use crate::lease::{self, Left, Sweeper};
use crate::login::lockout_folder;
use crate::mounts::MountStore;
use crate::state::{Backend, Mount, Unsealed};
use crate::sys::rotation_due;
use crate::token::sweep;
use bulla_barrier::{BarrierError, Pass, SealedStore, Txn, View};
use bulla_kit::{EngineError, Setup};
use bulla_records::MountRecord;
use bulla_types::{NamespaceId, Time};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between sweeps that found nothing left to do.
const PAUSE: Duration = Duration::from_secs(1);
/// Tokens or leases in one batch: small, so that requests of clients get between.
const BATCH: usize = 256;
const CLEAR: usize = 5_000;
/// Mounts whose engines are asked in one step whether they have work.
const MOUNTS: usize = 32;

/// Where the work is. Small, and nothing is lost with it.
#[derive(Default)]
pub struct Background {
    /// Where the last sweep of tokens ended.
    tokens: Time,
    leases: Sweeper,
    /// The path of the mount that was tended last.
    tended: String,
}

impl Core {
    /// One step of the work in the background; `true` = there is more to do at once.
    ///
    /// # Errors
    /// Storage; the step can be taken again.
    pub async fn work_once(self: &Arc<Self>, background: &mut Background) -> Result<bool, EngineError> {
        let mut more = false;
        for (_, done) in step(self, background).await {
            more |= unless_conflict(done)?;
        }
        Ok(more)
    }
}

pub fn start(core: &Arc<Core>, stop: CancellationToken) {
    if core.config.workers == Workers::Stopped {
        return;
    }
    let core = Arc::downgrade(core);
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = work(&core) => {}
        }
    });
}

async fn work(core: &Weak<Core>) {
    let mut background = Background::default();
    loop {
        let Some(core) = core.upgrade() else { return };
        let more = step(&core, &mut background).await.into_iter().fold(false, |more, job| more | goes_on(job));
        drop(core);
        if more {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What a job did: `true` = there is more to do at once.
type Job = (&'static str, Result<bool, EngineError>);

/// One step of each job. Each is tried: what keeps one of them from its work must not keep the others.
async fn step(core: &Arc<Core>, background: &mut Background) -> Vec<Job> {
    let Ok(pass) = core.gate.pass() else { return Vec::new() };
    let now = core.clock.now();
    vec![
        ("taking back tokens", sweep_some(&pass, &mut background.tokens, now).await),
        ("taking back leases", leases(core, &pass, &mut background.leases).await),
        ("clearing a mount", clear_leaving(core, &pass, now).await),
        ("setting up a mount", set_up_some(core, &pass, now).await),
        ("tending mounts", tend_some(&pass, &mut background.tended, now).await),
        ("care of the keyring", tend_keyring(&pass, now).await.map(|()| false)),
    ]
}

/// Whether a job wants to go on at once.
fn goes_on((job, done): Job) -> bool {
    unless_conflict(done).unwrap_or_else(|error| {
        tracing::warn!(%error, job, "background work will try again");
        false
    })
}

/// A client that came between is no fault: the step is taken again.
fn unless_conflict(done: Result<bool, EngineError>) -> Result<bool, EngineError> {
    match done {
        Err(EngineError::Barrier(BarrierError::Conflict)) => Ok(true),
        done => done,
    }
}

async fn sweep_some(pass: &Pass<Unsealed>, from: &mut Time, now: Time) -> Result<bool, EngineError> {
    let txn = Txn::begin(pass)?;
    let (next, more) = sweep(&txn, *from, now, BATCH).await?;
    txn.commit(()).await?;
    *from = next;
    Ok(more)
}

/// Encryptions after which the count is written down: what a crash can lose of it is small beside the limit.
const COUNT_EVERY: u64 = 1 << 20;

/// Adds a data key when its time or its count is over, and writes the count down now and then.
async fn tend_keyring(pass: &Pass<Unsealed>, now: Time) -> Result<(), EngineError> {
    let barrier = pass.barrier();
    // Whoever else changes keys waits, and what is read below is what they left.
    let _alone = pass.owner().keys.alone().await;
    let txn = Txn::begin(pass)?;
    let fault = |_| EngineError::internal("the keyring could not be sealed");
    if rotation_due(&txn, now).await? {
        let no_randomness = |_| EngineError::internal("no randomness could be had from the system");
        let next = barrier.with_keyring(|keyring| keyring.rotated(now.unix())).map_err(no_randomness)?;
        SealedStore::put_keyring(&txn, &next).map_err(fault)?;
        txn.commit(()).await?;
        tracing::info!(term = next.active_term(), "the data key was rotated by itself");
        barrier.install(next);
    } else if barrier.uncounted() >= COUNT_EVERY {
        barrier.count();
        barrier.with_keyring(|keyring| SealedStore::put_keyring(&txn, keyring)).map_err(fault)?;
        txn.commit(()).await?;
    }
    Ok(())
}

/// Lets the engines of the next few mounts do a step of their own work; `true` = one of them has more.
async fn tend_some(pass: &Pass<Unsealed>, last: &mut String, now: Time) -> Result<bool, EngineError> {
    let state = pass.owner().state.load_full();
    let after = last.clone();
    let path = |mount: &Mount| mount.record.path.as_str().to_owned();
    let next: Vec<_> = state.mounts.iter().filter(|mount| path(mount) > after).take(MOUNTS).cloned().collect();
    // From the first one again, the next time.
    *last = if next.len() < MOUNTS { String::new() } else { next.last().map(|m| path(m)).unwrap_or_default() };
    let mut more = false;
    for mount in next {
        let Backend::Engine(engine) = &mount.backend else { continue };
        let txn = Txn::begin(pass)?;
        let done = async {
            let more = engine.tend(&View::new(&txn, mount.record.uuid), now).await?;
            Ok(txn.commit(more).await?.into_inner())
        };
        match unless_conflict(done.await) {
            Ok(has_more) => more |= has_more,
            Err(error) => tracing::warn!(%error, path = %mount.record.path, "the mount could not be tended"),
        }
    }
    Ok(more)
}

/// Goes on with the mounts whose setup did not fit into one batch; one that cannot be set up holds up no other.
async fn set_up_some(core: &Arc<Core>, pass: &Pass<Unsealed>, now: Time) -> Result<bool, EngineError> {
    let state = pass.owner().state.load_full();
    let mut outcome = Ok(false);
    for mount in state.mounts.iter().filter(|m| m.record.unfinished) {
        match unless_conflict(set_up_one(core, pass, mount, now).await) {
            Ok(more) => outcome = outcome.map(|before| before | more),
            Err(error) => {
                tracing::warn!(%error, path = %mount.record.path, "the mount could not be set up");
                outcome = outcome.and(Err(error));
            }
        }
    }
    outcome
}

/// One batch. The mark goes with the last one.
async fn set_up_one(core: &Arc<Core>, pass: &Pass<Unsealed>, mount: &Mount, now: Time) -> Result<bool, EngineError> {
    let Backend::Engine(engine) = &mount.backend else { return Ok(false) };
    let txn = Txn::begin(pass)?;
    let setup = engine.go_on_setup(&View::new(&txn, mount.record.uuid), now).await?;
    if setup == Setup::Unfinished {
        txn.commit(()).await?;
        return Ok(true);
    }
    let store = MountStore::new(&txn, NamespaceId::ROOT);
    // As it is now: it may have been moved or tuned meanwhile.
    if let Some(record) = store.all().await?.into_iter().find(|r| r.uuid == mount.record.uuid) {
        store.put(&MountRecord { unfinished: false, ..record })?;
    }
    txn.commit(()).await?;
    core.reload_mounts(pass).await?;
    tracing::info!(path = %mount.record.path, "the mount is set up");
    Ok(true)
}

/// Leases that are over. An engine may take its time; a seal does not wait for it.
async fn leases(core: &Arc<Core>, pass: &Pass<Unsealed>, sweeper: &mut Sweeper) -> Result<bool, EngineError> {
    let mut sealing = core.subscribe_seal();
    tokio::select! {
        biased;
        _ = sealing.changed() => Ok(false),
        more = sweeper.step(core, pass) => more,
    }
}

/// Goes on with the mounts that are being disabled; one whose engine cannot take its secrets back holds up no other.
async fn clear_leaving(core: &Arc<Core>, pass: &Pass<Unsealed>, now: Time) -> Result<bool, EngineError> {
    let state = pass.owner().state.load_full();
    let (mut more, mut gone) = (false, false);
    for mount in state.mounts.all().filter(|mount| mount.record.going) {
        let txn = Txn::begin(pass)?;
        let left = clear_one(&txn, &mount.record, now).await?;
        txn.commit(()).await?;
        more |= left == Left::More;
        gone |= left == Left::Nothing;
    }
    if gone {
        core.reload_mounts(pass).await?;
    }
    Ok(more)
}

/// One step for one mount: first what it handed out is ended, and only when all of that is taken back its data goes.
async fn clear_one(txn: &Arc<Txn>, record: &MountRecord, now: Time) -> Result<Left, EngineError> {
    let left = lease::clear_mount(txn, &record.accessor, now, BATCH).await?;
    if left != Left::Nothing {
        return Ok(left);
    }
    let view = View::new(txn, record.uuid);
    if !view.clear(CLEAR).await? || !view.plain_clear(CLEAR).await? {
        return Ok(Left::More);
    }
    View::new(txn, NamespaceId::ROOT.0).below(&lockout_folder(&record.accessor))?.clear(CLEAR).await?;
    MountStore::new(txn, NamespaceId::ROOT).delete(record.uuid)?;
    Ok(Left::Nothing)
}
