//! The threads that hash: as many at a time as there are cores, and a line of bounded length before them.
//!
//! A hash takes some 50 ms by design. On the threads that serve requests a handful of logins would stop everything else,
//! and an endless line would make every login fail by its client's patience.

use bulla_kit::EngineError;
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// Logins that may wait for each worker: about three seconds' worth.
const WAITING: usize = 64;

static SHARED: LazyLock<Pool> =
    LazyLock::new(|| Pool::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get), WAITING));

pub struct Pool {
    workers: Arc<Semaphore>,
    /// One for each that works or waits.
    line: Arc<Semaphore>,
}

impl Pool {
    /// The one of the process.
    pub fn shared() -> &'static Self {
        &SHARED
    }

    pub fn new(workers: usize, waiting: usize) -> Self {
        Self {
            workers: Arc::new(Semaphore::new(workers)),
            line: Arc::new(Semaphore::new(workers.saturating_mul(waiting.saturating_add(1)))),
        }
    }

    /// Runs `work` when it is its turn.
    ///
    /// # Errors
    /// [`EngineError::TooManyRequests`]: the line is full.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, EngineError> {
        let full = |_| EngineError::TooManyRequests("too many passwords are being checked; try again".into());
        let place = Arc::clone(&self.line).try_acquire_owned().map_err(full)?;
        let stopped = || EngineError::internal("the password could not be checked");
        let worker = Arc::clone(&self.workers).acquire_owned().await.map_err(|_| stopped())?;
        // The work goes on when its client hangs up, and so keeps its place until it is done.
        let job = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((worker, place));
            done
        });
        job.await.map_err(|_| stopped())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn one_works_one_waits_and_the_third_is_told_to_try_again() {
        runtime().block_on(async {
            let pool = Pool::new(1, 1);
            let (release, held) = mpsc::channel::<()>();
            let mut working = pin!(pool.run(move || held.recv().is_ok()));
            assert!(poll(working.as_mut()).is_pending());
            let mut waiting = pin!(pool.run(|| 2));
            assert!(poll(waiting.as_mut()).is_pending());
            assert!(matches!(pool.run(|| 3).await, Err(EngineError::TooManyRequests(_))));
            release.send(()).unwrap();
            assert!(working.await.unwrap());
            assert_eq!(waiting.await.unwrap(), 2);
            assert_eq!(pool.run(|| 4).await.unwrap(), 4);
        });
    }

    #[test]
    fn a_client_that_hangs_up_frees_no_worker_that_still_works() {
        runtime().block_on(async {
            let pool = Pool::new(1, 0);
            let (release, held) = mpsc::channel::<()>();
            {
                let mut gone = pin!(pool.run(move || held.recv().is_ok()));
                assert!(poll(gone.as_mut()).is_pending());
            }
            assert!(matches!(pool.run(|| 1).await, Err(EngineError::TooManyRequests(_))));
            release.send(()).unwrap();
            while pool.run(|| ()).await.is_err() {
                tokio::task::yield_now().await;
            }
        });
    }
}
