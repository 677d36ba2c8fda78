//! Once a second, beside the committer: brings the file `counter` up to date and sets the modes of new files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::counter;
use super::home::Home;

const INTERVAL: Duration = Duration::from_secs(1);
/// Intervals after the last write in which new files may still turn up.
const RESTLESS: u32 = 60;

pub(super) struct Keeper {
    durable: Arc<AtomicU64>,
    /// Dropped to stop the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    durable: Arc<AtomicU64>,
    home: Arc<Home>,
    written: u64,
    /// How many more times to look for new files: compaction goes on for a while after the last write.
    restless: u32,
}

impl Keeper {
    /// `seq` is durable, and `written` is what the file holds.
    pub(super) fn start(home: Arc<Home>, seq: u64, written: u64) -> std::io::Result<Keeper> {
        let durable = Arc::new(AtomicU64::new(seq));
        let mut work = Work { durable: Arc::clone(&durable), home, written, restless: 0 };
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("bulla-keeper".into()).spawn(move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                work.once();
            }
            work.once();
        })?;
        Ok(Keeper { durable, stop: Some(stop), thread: Some(thread) })
    }

    /// Everything up to `seq` is durable.
    pub(super) fn durable(&self, seq: u64) {
        self.durable.store(seq, Relaxed);
    }

    /// Does the work a last time and ends the thread.
    pub(super) fn stop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the keeper of the store met a fault in the program");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Work {
    fn once(&mut self) {
        let durable = self.durable.load(Relaxed);
        if durable > self.written {
            self.restless = RESTLESS;
            match counter::write(&self.home.dir, durable) {
                Ok(()) => self.written = durable,
                // Not fatal: an older counter only notices less. A full disk ends up here.
                Err(cause) => tracing::warn!(%cause, "the commit counter could not be written to its file"),
            }
        }
        if self.restless > 0 {
            self.restless -= 1;
            self.home.protect_or_warn();
        }
    }
}
