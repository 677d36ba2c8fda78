//! How many connections a listener has at a time, and how that number is changed while they are open.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) struct Places {
    free: Arc<Semaphore>,
    limit: Mutex<usize>,
}

impl Places {
    pub(crate) fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(limit)), limit: Mutex::new(limit) }
    }

    /// Waits for a free place.
    pub(crate) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// No connection is closed for it; while there are more than the new limit, no other is taken.
    pub(crate) fn resize(&self, limit: usize) {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let mut now = self.limit.lock();
        let (more, fewer) = (limit.saturating_sub(*now), now.saturating_sub(limit));
        *now = limit;
        self.free.add_permits(more);
        let mut left = u32::try_from(fewer).unwrap_or(u32::MAX);
        left -= u32::try_from(self.free.forget_permits(fewer)).unwrap_or(left).min(left);
        if left > 0 {
            let free = Arc::clone(&self.free);
            // Asked in turn, so that places that become free are withdrawn before the next connection gets one.
            tokio::spawn(async move {
                if let Ok(withdrawn) = free.acquire_many_owned(left).await {
                    withdrawn.forget();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn fewer_places_than_connections() {
        let places = Places::new(3);
        let (one, two, three) =
            (places.take().await.unwrap(), places.take().await.unwrap(), places.take().await.unwrap());
        let short = Duration::from_millis(20);
        places.resize(1);
        tokio::task::yield_now().await;
        drop((one, two));
        assert!(timeout(short, places.take()).await.is_err(), "the third holds the only place");
        drop(three);
        let _only = timeout(short, places.take()).await.unwrap().unwrap();
        assert!(timeout(short, places.take()).await.is_err());
        places.resize(2);
        let _second = timeout(short, places.take()).await.unwrap().unwrap();
        assert!(timeout(short, places.take()).await.is_err());
        places.resize(1);
        places.resize(3);
        tokio::task::yield_now().await;
        let _third = timeout(short, places.take()).await.unwrap().unwrap();
        assert!(timeout(short, places.take()).await.is_err());
    }
}
