//! How many logins of one name may be tried at the same time: as many as may fail. Without it a burst of guesses would
//! all pass the lock before the first of them is counted.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub type NameHash = [u8; 32];

/// Names that are being tried right now; empty when nobody logs in.
#[derive(Default)]
pub struct Turns(Arc<Mutex<HashMap<NameHash, Arc<Semaphore>>>>);

/// One try. Ends when dropped.
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _forget: Forget,
}

impl Turns {
    /// Waits until fewer than `at_once` tries of the name are under way.
    pub async fn take(&self, name: NameHash, at_once: usize) -> Option<Turn> {
        let (forget, semaphore) = {
            let mut names = self.0.lock();
            let semaphore = names.entry(name).or_insert_with(|| Arc::new(Semaphore::new(at_once.max(1))));
            (Forget { name, names: Arc::downgrade(&self.0) }, Arc::clone(semaphore))
        };
        // Never closed.
        let permit = semaphore.acquire_owned().await.ok()?;
        Some(Turn { _permit: permit, _forget: forget })
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

/// Takes the name off the table with the last that holds or waits for a turn.
struct Forget {
    name: NameHash,
    names: Weak<Mutex<HashMap<NameHash, Arc<Semaphore>>>>,
}

impl Drop for Forget {
    fn drop(&mut self) {
        let Some(names) = self.names.upgrade() else { return };
        let mut names = names.lock();
        // Holders and waiters have the semaphore, too: one owner left is the table.
        if names.get(&self.name).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            names.remove(&self.name);
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
    async fn so_many_at_once_and_nothing_is_left_behind() {
        let turns = Turns::default();
        let first = turns.take([1; 32], 2).await.unwrap();
        let second = turns.take([1; 32], 2).await.unwrap();
        let soon = Duration::from_millis(20);
        assert!(timeout(soon, turns.take([1; 32], 2)).await.is_err(), "a third has to wait");
        assert!(timeout(soon, turns.take([2; 32], 2)).await.is_ok(), "another name does not");
        drop(first);
        let third = timeout(soon, turns.take([1; 32], 2)).await.unwrap().unwrap();
        drop((second, third));
        assert_eq!(turns.len(), 0);
    }
}
