//! The queue before one device: lines become batches, batches become one write call each, and everybody in a batch
//! learns its outcome together.
//!
//! Prompt devices have no thread. The first who waits takes the baton, steps back once so that all who are ready to
//! run can add their lines, and writes for all; under load that is one call for many lines, alone it is one call for
//! one. Devices that may block, and those that sync, have a thread, and batches form while it is busy.
//!
//! Not here: what a line holds (`line`), how a file is opened (`sink`).

use crate::error::DeviceError;
use crate::sink::{Pace, Sink};
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A buffer larger than this is given back after use instead of kept.
const KEPT_BUFFER: usize = 1 << 20;

/// What "the device has it" means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The kernel has the line: it survives the end of the process.
    #[default]
    Delivered,
    /// The disk has the line: it survives the end of the machine.
    Durable,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) durability: Durability,
    /// How long somebody waits for this device before it is quarantined.
    pub(crate) deadline: Duration,
    /// How many bytes may wait; a line beyond is refused.
    pub(crate) waiting_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { durability: Durability::default(), deadline: Duration::from_secs(2), waiting_bytes: 16 << 20 }
    }
}

/// What a device has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines queued.
    pub lines: u64,
    /// System calls that wrote.
    pub writes: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Batches that failed.
    pub failures: u64,
    /// Lines refused because too many wait.
    pub refused: u64,
}

pub(crate) type Outcome = Result<(), DeviceError>;

/// Lines that are written together.
struct Batch {
    outcome: OnceLock<Outcome>,
    settled: Notify,
}

/// What waits, and who is about to write it.
#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    spare: Vec<u8>,
    batch: Option<Arc<Batch>>,
    /// The batch that is being written just now.
    current: Option<Arc<Batch>>,
    baton: bool,
}

pub(crate) struct Lane {
    path: String,
    limits: Limits,
    threaded: bool,
    waiting: Mutex<Waiting>,
    /// Wakes the thread, if there is one.
    work: Condvar,
    /// Locked before `waiting` and through the write, which keeps batches in order.
    sink: Mutex<Sink>,
    reopen: AtomicBool,
    closing: AtomicBool,
    quarantined: AtomicBool,
    lines: AtomicU64,
    writes: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
}

impl Lane {
    pub(crate) fn start(path: &str, sink: Sink, limits: Limits) -> io::Result<Arc<Self>> {
        let threaded = sink.pace() == Pace::Anyones || limits.durability == Durability::Durable;
        let lane = Arc::new(Self {
            path: path.to_owned(),
            limits,
            threaded,
            waiting: Mutex::default(),
            work: Condvar::new(),
            sink: Mutex::new(sink),
            reopen: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            quarantined: AtomicBool::new(false),
            lines: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        });
        if threaded {
            let writer = Arc::clone(&lane);
            std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.work())?;
        }
        Ok(lane)
    }

    /// Puts a line behind all others. The order of these calls is the order in the file.
    pub(crate) fn queue(lane: &Arc<Self>, line: &[u8]) -> Result<Ticket, DeviceError> {
        let mut waiting = lane.waiting.lock();
        // A single line is taken however long it is, or a large request could never be audited.
        if !waiting.lines.is_empty() && waiting.lines.len() + line.len() > lane.limits.waiting_bytes {
            lane.refused.fetch_add(1, Ordering::Relaxed);
            return Err(DeviceError::Full);
        }
        waiting.lines.extend_from_slice(line);
        let fresh = || Arc::new(Batch { outcome: OnceLock::new(), settled: Notify::new() });
        let batch = Arc::clone(waiting.batch.get_or_insert_with(fresh));
        drop(waiting);
        lane.lines.fetch_add(1, Ordering::Relaxed);
        if lane.threaded {
            lane.work.notify_one();
        }
        Ok(Ticket { lane: Arc::clone(lane), batch })
    }

    /// Opens the file anew: at once if nobody is writing, else before the next write.
    pub(crate) fn reopen(&self) -> io::Result<()> {
        let Some(mut sink) = self.sink.try_lock() else {
            self.reopen.store(true, Ordering::Release);
            return Ok(());
        };
        sink.reopen()
    }

    /// Waits for what is queued now.
    pub(crate) async fn flush(self: &Arc<Self>) {
        let last = {
            let waiting = self.waiting.lock();
            waiting.batch.clone().or_else(|| waiting.current.clone())
        };
        if let Some(batch) = last {
            // How it went was told to those who wait for the lines themselves.
            let _ = Ticket { lane: Arc::clone(self), batch }.settled(Instant::now()).await;
        }
    }

    /// Writes what is left and lets the thread end. Waits for nobody but a file.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        if self.threaded {
            // Under the lock, or the thread could miss it between its look and its sleep.
            let _waiting = self.waiting.lock();
            self.work.notify_one();
        } else {
            self.write_batch();
        }
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Relaxed)
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            lines: self.lines.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// The thread's life.
    fn work(&self) {
        loop {
            let mut waiting = self.waiting.lock();
            while waiting.batch.is_none() {
                if self.closing.load(Ordering::Acquire) {
                    return;
                }
                self.work.wait(&mut waiting);
            }
            drop(waiting);
            self.write_batch();
        }
    }

    /// Writes the open batch, if any, and tells everybody in it. Blocks as long as the sink does.
    fn write_batch(&self) {
        let mut sink = self.sink.lock();
        let (mut lines, batch) = {
            let mut waiting = self.waiting.lock();
            let Some(batch) = waiting.batch.take() else { return };
            let spare = std::mem::take(&mut waiting.spare);
            waiting.current = Some(Arc::clone(&batch));
            (std::mem::replace(&mut waiting.lines, spare), batch)
        };
        let outcome = self.write(&mut sink, &lines);
        self.judge(&outcome);
        // Only the one who took the batch out of `waiting` gets here, so it is set once.
        let _ = batch.outcome.set(outcome);
        lines.clear();
        {
            let mut waiting = self.waiting.lock();
            waiting.current = None;
            if lines.capacity() <= KEPT_BUFFER {
                waiting.spare = lines;
            }
        }
        drop(sink);
        batch.settled.notify_waiters();
    }

    fn write(&self, sink: &mut Sink, lines: &[u8]) -> Outcome {
        let failed = |error| DeviceError::Write(Arc::new(error));
        if self.reopen.swap(false, Ordering::AcqRel)
            && let Err(error) = sink.reopen()
        {
            tracing::error!(device = %self.path, %error, "audit file could not be opened anew; the old one is kept");
        }
        let mut calls = 0;
        let written = sink.write(lines, &self.closing, &mut calls);
        self.writes.fetch_add(calls, Ordering::Relaxed);
        written.map_err(failed)?;
        self.bytes.fetch_add(lines.len() as u64, Ordering::Relaxed);
        match self.limits.durability {
            Durability::Delivered => Ok(()),
            Durability::Durable => sink.sync().map_err(failed),
        }
    }

    /// Notes how it went; the log hears of changes only.
    fn judge(&self, outcome: &Outcome) {
        match outcome {
            Ok(()) => {
                if self.quarantined.swap(false, Ordering::Relaxed) {
                    let refused = self.refused.load(Ordering::Relaxed);
                    tracing::warn!(device = %self.path, refused, "audit device takes records again");
                }
            }
            Err(error) => {
                // The first failure and then ever rarer ones, or a full disk would flood the log.
                if (self.failures.fetch_add(1, Ordering::Relaxed) + 1).is_power_of_two() {
                    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                    tracing::error!(device = %self.path, %error, cause, "audit records were not kept");
                }
            }
        }
    }

    fn quarantine(&self) {
        if !self.quarantined.swap(true, Ordering::Relaxed) {
            tracing::error!(device = %self.path, deadline = ?self.limits.deadline, "audit device is stuck; quarantined");
        }
    }

    /// Sees the batch through: writes it, or waits for whoever does.
    async fn drive(&self, batch: &Batch) -> Outcome {
        loop {
            let settled = batch.settled.notified();
            tokio::pin!(settled);
            // Before looking, so that no wake-up falls between look and wait.
            settled.as_mut().enable();
            if let Some(outcome) = batch.outcome.get() {
                return outcome.clone();
            }
            let Some(baton) = self.baton() else {
                settled.await;
                continue;
            };
            tokio::task::yield_now().await;
            self.write_batch();
            drop(baton);
        }
    }

    fn baton(&self) -> Option<Baton<'_>> {
        if self.threaded {
            return None;
        }
        let mut waiting = self.waiting.lock();
        if waiting.baton {
            return None;
        }
        waiting.baton = true;
        Some(Baton(self))
    }
}

/// The right to write the next batch. Passed on when dropped, also when its holder is cancelled.
struct Baton<'a>(&'a Lane);

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        let next = {
            let mut waiting = self.0.waiting.lock();
            waiting.baton = false;
            waiting.batch.clone()
        };
        if let Some(batch) = next {
            batch.settled.notify_one();
        }
    }
}

/// A line's place in its batch.
pub(crate) struct Ticket {
    lane: Arc<Lane>,
    batch: Arc<Batch>,
}

impl Ticket {
    /// How the batch went, if it is over.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.batch.outcome.get().cloned()
    }

    /// Waits for the batch, at most until the device's deadline counted from `from`. Comes back at once from a device
    /// in quarantine.
    pub(crate) async fn settled(&self, from: Instant) -> Outcome {
        if let Some(outcome) = self.outcome() {
            return outcome;
        }
        let lane = &self.lane;
        if lane.threaded && lane.is_quarantined() {
            return Err(DeviceError::Quarantined);
        }
        let deadline = from + lane.limits.deadline;
        if let Ok(outcome) = tokio::time::timeout_at(deadline, lane.drive(&self.batch)).await {
            return outcome;
        }
        if lane.threaded {
            lane.quarantine();
            return Err(DeviceError::Deadline);
        }
        // The holder of the baton is not being run; it is not needed for writing.
        lane.write_batch();
        self.outcome().unwrap_or(Err(DeviceError::Deadline))
    }
}

impl Drop for Ticket {
    /// A request that ends before its record is written (the client went away) still leaves its record behind.
    fn drop(&mut self) {
        if self.lane.threaded || self.batch.outcome.get().is_some() {
            return;
        }
        let (lane, batch) = (Arc::clone(&self.lane), Arc::clone(&self.batch));
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { lane.drive(&batch).await })),
            Err(_) => lane.write_batch(),
        }
    }
}
