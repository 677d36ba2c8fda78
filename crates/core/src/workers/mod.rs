//! Work in the background while unsealed: tokens and leases whose time is over are taken back, mounts being disabled are
//! cleared.
//!
//! ```text
//! every second: all jobs ──► those with more to do: a step, a rest, a step, … ──► all jobs
//! ```
//! Nothing depends on it: expiry is checked at use. A step holds a pass only while it runs, so that a seal never waits for
//! a sleeping worker; between steps, and between the entries of one, requests of clients come first.

mod jobs;

use crate::config::Workers;
use crate::core::Core;
use crate::lease::Sweeper;
use crate::token::TokenSweeper;
use bulla_kit::EngineError;
use bulla_lease::Pace;
use jobs::Job;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Pause between rounds of all jobs.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the work is. Small, and nothing is lost with it.
#[derive(Default)]
pub struct Background {
    tokens: TokenSweeper,
    leases: Sweeper,
    /// The path of the mount that was tended last.
    tended: String,
    pace: Pace,
}

impl Core {
    /// One step of each job in the background; `true` = there is more to do at once.
    ///
    /// # Errors
    /// Storage; the step can be taken again.
    pub async fn work_once(self: &Arc<Self>, background: &mut Background) -> Result<bool, EngineError> {
        let mut more = false;
        let mut failed = Ok(());
        for job in Job::ALL {
            match step(self, job, background).await {
                Ok(has_more) => more |= has_more,
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed.map(|()| more)
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
        let round = Instant::now();
        let mut busy = Job::ALL.to_vec();
        while !busy.is_empty() && round.elapsed() < PAUSE {
            let begin = Instant::now();
            let Some(core) = core.upgrade() else { return };
            busy = with_more(&core, &busy, &mut background).await;
            drop(core);
            if !busy.is_empty() {
                tokio::time::sleep(background.pace.rest(begin.elapsed())).await;
            }
        }
        if busy.is_empty() {
            background.pace.idle(PAUSE);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// One step of each of these jobs; those that have more to do at once. Each is tried: what keeps one of them from its work
/// must not keep the others.
async fn with_more(core: &Arc<Core>, jobs: &[Job], background: &mut Background) -> Vec<Job> {
    let mut more = Vec::new();
    for &job in jobs {
        match step(core, job, background).await {
            Ok(true) => more.push(job),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, job = job.name(), "background work will try again"),
        }
        tokio::task::yield_now().await;
    }
    more
}

/// Nothing is done while sealed.
async fn step(core: &Arc<Core>, job: Job, background: &mut Background) -> Result<bool, EngineError> {
    match core.gate.pass() {
        Ok(pass) => job.step(core, &pass, background).await,
        Err(_) => Ok(false),
    }
}
