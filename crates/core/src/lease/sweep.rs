//! The workers' part: leases that are over are taken back in small steps. Nothing depends on it but that secrets are gone
//! outside, too: what is over is refused without it.
//!
//! ```text
//! queue --due--> leases  --> engines, side by side, one transaction each --> gone | again later | irrevocable
//!           \--> tokens that are gone, folders --> their leases are ended, a batch at a time
//! ```
//!
//! An engine that fails is left alone for a while, with all its leases, so that one dead database neither holds up the
//! leases of others nor is asked a thousand times. Leases it was not asked for are postponed and lose nothing by it: only an
//! attempt that was made counts as one.

use super::due::{self, Due, Entry, Folder};
use super::prefix;
use super::revoke::{Outcome, postpone, revoke_now};
use super::store::{LeaseHash, LeaseStore};
use crate::core::Core;
use crate::state::Unsealed;
use crate::token::TokenHash;
use bulla_barrier::{BarrierError, Pass, PhysicalKey, Txn};
use bulla_kit::EngineError;
use bulla_lease::pause;
use bulla_records::EndingRecord;
use bulla_types::{Seconds, Time};
use std::collections::HashMap;
use std::sync::Arc;

/// A step looks this far behind the last one: a request may have read the clock a while before its batch was durable.
const NEAR: Seconds = Seconds(5);
/// Once in so long a step looks so far behind the last one, for requests that took very long. Not always: scanning over what
/// has just been deleted is slow.
const FAR: Seconds = Seconds(600);
/// Failures of a mount in one step, without a success, after which its engine is left alone for a while. Fewer can be the
/// fault of single leases.
const MANY: u32 = 3;
/// Now and then the queue is read from its beginning.
const WHOLE: Seconds = Seconds(3600);

/// An engine that is left alone because it failed.
struct Backoff {
    /// Steps in a row in which it failed.
    failed_steps: u32,
    until: Time,
}

/// Where the sweep is. Small: nothing in it grows with the number of leases.
#[derive(Default)]
pub struct Sweeper {
    from: Time,
    /// The last look from far behind, and the last one from the beginning.
    far: Time,
    whole: Time,
    /// By the accessors of their mounts.
    left_alone: HashMap<String, Backoff>,
}

/// What one look at the queue found due.
#[derive(Default)]
struct DueWork {
    leases: Vec<(LeaseHash, Time)>,
    /// Leases of engines that are left alone, and until when.
    to_postpone: Vec<(LeaseHash, Time, Time)>,
    /// Entries without a lease that is due at that time: it was renewed, or is gone by another way.
    stale: Vec<PhysicalKey>,
    tokens: Vec<(TokenHash, Entry)>,
    folders: Vec<(Folder, Entry)>,
    last: Option<Time>,
    full: bool,
}

/// What a step could not finish.
#[derive(Default)]
struct Unfinished {
    /// The earliest entry of it; the next step begins there.
    earliest: Option<Time>,
    /// The store is in the way.
    stuck: bool,
}

impl Unfinished {
    fn add(&mut self, at: Time) {
        self.earliest = Some(self.earliest.map_or(at, |before| before.min(at)));
    }
}

/// What a mount's engine answered in one step.
#[derive(Default)]
struct Answers {
    taken_back: u32,
    failed: u32,
}

impl Sweeper {
    /// One step of `limit` entries; `true` = there is more to do at once.
    ///
    /// # Errors
    /// Storage. The next step begins where this one did.
    pub async fn step(&mut self, core: &Arc<Core>, pass: &Pass<Unsealed>, limit: usize) -> Result<bool, EngineError> {
        let now = core.clock.now();
        if now >= self.whole.plus(WHOLE) || now < self.whole {
            (self.whole, self.from) = (now, Time(0));
        }
        // The clock may have been set back.
        (self.from, self.far) = (self.from.min(now), self.far.min(now));
        self.left_alone.retain(|_, backoff| backoff.until.plus(WHOLE) > now);
        let work = self.look(pass, now, limit).await?;
        let (full, last) = (work.full, work.last);
        let mut left = Unfinished::default();
        if !postpone_all(pass, &work, now).await? {
            work.to_postpone.iter().for_each(|(_, at, _)| left.add(*at));
        }
        // What these end is due at once.
        let ended = !work.tokens.is_empty() || !work.folders.is_empty();
        for (token, entry) in work.tokens {
            if !end_of_token(pass, &token, &entry, now, limit).await? {
                left.add(entry.at);
            }
        }
        for (folder, entry) in work.folders {
            if !end_of_folder(pass, folder, &entry, now, limit).await? {
                left.add(entry.at);
            }
        }
        self.take_back(core, pass, work.leases, &mut left).await;
        let before = |seconds: Seconds| Time(now.0.saturating_sub(seconds.0 * Time::NANOS));
        self.from = match (left.earliest, full, last) {
            (Some(at), _, _) => at,
            (None, true, Some(last)) => last,
            _ if now >= self.far.plus(FAR) => {
                self.far = now;
                before(FAR)
            }
            _ => self.from.max(before(NEAR)),
        };
        // What the store does not take now it will not take in a moment.
        Ok(!left.stuck && (full || ended || left.earliest.is_some()))
    }

    /// Has the engines take back what is over, and notes which of them failed.
    async fn take_back(
        &mut self,
        core: &Arc<Core>,
        pass: &Pass<Unsealed>,
        leases: Vec<(LeaseHash, Time)>,
        left: &mut Unfinished,
    ) {
        let times: HashMap<LeaseHash, Time> = leases.iter().copied().collect();
        let mut answers: HashMap<String, Answers> = HashMap::new();
        for (hash, outcome) in revoke_now(core, pass, leases.into_iter().map(|(hash, _)| hash).collect()).await {
            match outcome {
                Outcome::Kept | Outcome::Gone(None) => {}
                Outcome::Gone(Some(mount)) => answers.entry(mount).or_default().taken_back += 1,
                Outcome::Failed(mount) => answers.entry(mount).or_default().failed += 1,
                Outcome::Collided | Outcome::Unknown => {
                    left.stuck |= outcome == Outcome::Unknown;
                    times.get(&hash).into_iter().for_each(|at| left.add(*at));
                }
            }
        }
        self.judge(answers, core.clock.now());
    }

    async fn look(&self, pass: &Pass<Unsealed>, now: Time, limit: usize) -> Result<DueWork, EngineError> {
        let txn = Txn::begin(pass)?;
        let store = LeaseStore(&txn);
        let (entries, full) = due::due(&txn, self.from, now, limit).await?;
        let mut work = DueWork { full, last: entries.last().map(|e| e.at), ..DueWork::default() };
        for entry in entries {
            match entry.due.clone() {
                Due::TokenGone(token) => work.tokens.push((token, entry)),
                Due::Folder(folder) => work.folders.push((folder, entry)),
                Due::Lease(hash) => match store.get(&hash).await {
                    Ok(Some(record)) if record.due() == Some(entry.at) => {
                        let until = self.left_alone.get(&record.mount).map_or(now, |backoff| backoff.until);
                        let forced = record.revocation.as_ref().is_some_and(|r| r.forced);
                        if until > now && !forced {
                            work.to_postpone.push((hash, entry.at, until));
                        } else {
                            work.leases.push((hash, entry.at));
                        }
                    }
                    Ok(_) => work.stale.push(entry.key),
                    // Reported by whoever reads it; it stays, and the rest goes on.
                    Err(error) => tracing::error!(%error, "a lease cannot be read and is left as it is"),
                },
            }
            // Local stores are always ready: requests come between any two leases.
            tokio::task::yield_now().await;
        }
        Ok(work)
    }

    /// Which engines are left alone for a while, from their successes and failures in one step.
    fn judge(&mut self, answers: HashMap<String, Answers>, now: Time) {
        for (mount, Answers { taken_back, failed }) in answers {
            let before = self.left_alone.get(&mount).map_or(0, |backoff| backoff.failed_steps);
            if taken_back > 0 {
                self.left_alone.remove(&mount);
            } else if failed >= MANY || (failed > 0 && before > 0) {
                let failed_steps = before.saturating_add(1);
                self.left_alone.insert(mount, Backoff { failed_steps, until: now.plus(pause(failed_steps)) });
            }
        }
    }
}

/// Takes stale entries away and postpones the leases of engines that are left alone; `false` = collided, to be done again.
async fn postpone_all(pass: &Pass<Unsealed>, work: &DueWork, now: Time) -> Result<bool, EngineError> {
    let txn = Txn::begin(pass)?;
    let store = LeaseStore(&txn);
    for key in &work.stale {
        txn.delete(key.clone());
    }
    for (hash, at, until) in &work.to_postpone {
        if let Some(record) = store.get(hash).await?.filter(|record| record.due() == Some(*at)) {
            postpone(&store, hash, &record, *until, now)?;
        }
    }
    committed(&txn).await
}

/// Ends leases of a token that is gone; `false` = there are more, or it collided.
async fn end_of_token(
    pass: &Pass<Unsealed>,
    token: &TokenHash,
    entry: &Entry,
    now: Time,
    limit: usize,
) -> Result<bool, EngineError> {
    let txn = Txn::begin(pass)?;
    let store = LeaseStore(&txn);
    let leases = store.of_token(token, limit).await?;
    let finished = leases.len() < limit;
    for hash in leases {
        match store.get(&hash).await? {
            Some(record) if record.revocation.is_none() => store.end(&hash, &record, EndingRecord::TokenGone, now)?,
            _ => store.forget_of_token(token, &hash),
        }
        tokio::task::yield_now().await;
    }
    if finished {
        txn.delete(entry.key.clone());
    }
    Ok(committed(&txn).await? && finished)
}

/// Ends a batch of a folder's leases; what is left of it becomes a new entry. `false` = collided.
async fn end_of_folder(
    pass: &Pass<Unsealed>,
    folder: Folder,
    entry: &Entry,
    now: Time,
    limit: usize,
) -> Result<bool, EngineError> {
    let txn = Txn::begin(pass)?;
    let (_, rest) = prefix::step(&txn, folder, now, limit, &mut Vec::new()).await?;
    txn.delete(entry.key.clone());
    if let Some(rest) = rest {
        due::queue_folder(&txn, &rest, entry.at)?;
        committed(&txn).await?;
        return Ok(false);
    }
    committed(&txn).await
}

async fn committed(txn: &Arc<Txn>) -> Result<bool, EngineError> {
    match txn.commit(()).await {
        Ok(_) => Ok(true),
        Err(BarrierError::Conflict) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
