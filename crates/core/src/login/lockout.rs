//! Names that are locked out after too many failed logins.
//!
//! Names of somebody are counted in the store, so that a restart frees nobody. All names are counted in tables of fixed
//! size, too, and these alone say whose tries are answered with "locked": names of nobody are nowhere else, and what anybody
//! can make up must not fill the store.
//!
//! A name that the store has locked and the tables do not know (after a restart, or pushed out by made-up ones) stays
//! locked, but its tries are answered as failed ones until the tables have counted enough of them. The same happens to a
//! name of nobody, so that neither a restart nor a storm of names tells who exists.
//!
//! Each type of auth method has a table of its own: where a try costs a password's hash, no try at another method may push
//! a name out.

use super::turn::{NameHash, Turn, Turns};
use crate::state::{Mount, Unsealed};
use bulla_barrier::{BarrierError, Pass, Txn, View};
use bulla_kit::{Answer, EngineError};
use bulla_records::{FailedLogins, UserLockout, decode, encode};
use bulla_types::{NamespaceId, Seconds, Time};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names that are remembered for each type of method.
const SEEN: usize = 16_384;
/// Runs of the small batch that counts a failure; each that collides means another was counted meanwhile.
const ATTEMPTS: usize = 64;
const QUARTER: Seconds = Seconds(15 * 60);

/// What counts for one mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutSettings {
    pub threshold: u64,
    pub duration: Seconds,
    pub counter_reset: Seconds,
}

impl Default for LockoutSettings {
    fn default() -> Self {
        Self { threshold: 5, duration: QUARTER, counter_reset: QUARTER }
    }
}

/// The server's configuration: by type of auth method, `all` for the others.
#[derive(Clone, Debug, Default)]
pub struct LockoutConfig {
    /// The environment switches it off altogether.
    pub off: bool,
    pub by_type: BTreeMap<String, UserLockout>,
}

impl LockoutConfig {
    /// What counts for a mount: its own tuning before the configuration of its type before that of all. `None` = off.
    pub fn of(&self, mount: &bulla_records::MountRecord) -> Option<LockoutSettings> {
        let layers = [mount.config.user_lockout.as_ref(), self.by_type.get(&mount.kind), self.by_type.get("all")];
        let layers: Vec<&UserLockout> = layers.into_iter().flatten().collect();
        if self.off || layers.first().is_some_and(|nearest| nearest.disabled) {
            return None;
        }
        let first = |of: fn(&UserLockout) -> Seconds| layers.iter().map(|l| of(l)).find(|value| !value.is_zero());
        let usual = LockoutSettings::default();
        Some(LockoutSettings {
            threshold: layers.iter().map(|l| l.threshold).find(|t| *t > 0).unwrap_or(usual.threshold),
            duration: first(|l| l.duration).unwrap_or(usual.duration),
            counter_reset: first(|l| l.counter_reset).unwrap_or(usual.counter_reset),
        })
    }
}

impl LockoutSettings {
    pub fn locks(&self, failed: &FailedLogins, now: Time) -> bool {
        failed.failures >= self.threshold && now < failed.last.plus(self.duration)
    }

    /// One more; what is older than the reset, or was locked and is free again, no longer counts.
    fn add(&self, failed: &mut FailedLogins, now: Time) {
        // A try that was under way when the lock fell adds to it.
        let was_locked = failed.failures >= self.threshold && !self.locks(failed, now);
        let stale = was_locked || (now >= failed.last.plus(self.counter_reset) && !self.locks(failed, now));
        failed.failures = if stale { 1 } else { failed.failures + 1 };
        failed.last = now;
    }
}

/// What the server remembers of logins while it is unsealed.
#[derive(Default)]
pub struct Logins {
    turns: Turns,
    /// By type of method.
    seen: Mutex<BTreeMap<String, Arc<Seen>>>,
}

type Seen = quick_cache::sync::Cache<NameHash, FailedLogins>;

impl Logins {
    fn seen(&self, kind: &str) -> Arc<Seen> {
        let mut tables = self.seen.lock();
        if let Some(table) = tables.get(kind) {
            return Arc::clone(table);
        }
        Arc::clone(tables.entry(kind.to_owned()).or_insert_with(|| Arc::new(Seen::new(SEEN))))
    }

    /// The name may be of any method.
    fn forget(&self, hash: &NameHash) {
        self.seen.lock().values().for_each(|table| drop(table.remove(hash)));
    }
}

/// One name at one mount that somebody tries to log in with.
pub struct Name<'a> {
    pub pass: &'a Pass<Unsealed>,
    pub mount: &'a Mount,
    pub name: String,
    /// How the method words that the credentials are wrong.
    pub refusal: &'static str,
    pub settings: LockoutSettings,
    pub now: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Open,
    /// And whoever tries is told so.
    Shut,
    /// Whoever tries is told that the credentials are wrong, right or not.
    Veiled,
}

/// Where the failed logins of a mount lie.
pub fn folder(accessor: &str) -> String {
    format!("lockout/{accessor}")
}

/// # Errors
/// Storage.
pub async fn read(view: &View, key: &str) -> Result<Option<FailedLogins>, EngineError> {
    let Some(bytes) = view.get(key).await? else { return Ok(None) };
    decode("failed logins", &bytes).map(Some).map_err(|_| EngineError::damaged("failed logins"))
}

/// Takes a lock and all failures of a name away.
///
/// # Errors
/// Storage.
pub async fn forget(txn: &Arc<Txn>, unsealed: &Unsealed, accessor: &str, name: &str) -> Result<(), EngineError> {
    let hash = hash_of(txn, accessor, name);
    unsealed.logins.forget(&hash);
    let view = View::new(txn, NamespaceId::ROOT.0);
    let key = key_of(accessor, &hash);
    if view.exists(&key).await? {
        view.delete(&key)?;
    }
    Ok(())
}

fn hash_of(txn: &Txn, accessor: &str, name: &str) -> NameHash {
    // An accessor has no NUL, so that no two pairs are one text.
    txn.barrier().hash_id("lockout", format!("{accessor}\0{name}").as_bytes())
}

fn key_of(accessor: &str, hash: &NameHash) -> String {
    format!("{}/{}", folder(accessor), hex::encode(hash))
}

impl Name<'_> {
    fn accessor(&self) -> &str {
        &self.mount.record.accessor
    }

    fn seen(&self) -> Arc<Seen> {
        self.pass.owner().logins.seen(&self.mount.record.kind)
    }

    /// Lets the auth method look at the credentials unless the name is locked, and counts what it says.
    ///
    /// # Errors
    /// Locked; whatever the method answers.
    pub async fn guard(&self, txn: &Arc<Txn>, login: impl Future<Output = Answer>) -> Answer {
        let hash = hash_of(txn, self.accessor(), &self.name);
        let at_once = usize::try_from(self.settings.threshold).unwrap_or(usize::MAX).min(64);
        let _turn: Option<Turn> = self.pass.owner().logins.turns.take(hash, at_once).await;
        let lock = self.lock(&hash).await?;
        if lock == Lock::Shut {
            return Err(EngineError::DeniedBecause("permission denied".into()));
        }
        let answer = login.await;
        if lock == Lock::Veiled {
            return self.veil(&hash, answer).await;
        }
        match &answer {
            Err(EngineError::InvalidCredentials { known, .. }) => self.count(&hash, *known).await?,
            Ok(reply) if reply.login.is_some() => {
                forget(txn, self.pass.owner(), self.accessor(), &self.name).await?;
            }
            _ => {}
        }
        answer
    }

    /// Looked up in a snapshot of its own, taken after the wait for a turn: the request's may be older than a failure
    /// that has been counted meanwhile.
    async fn lock(&self, hash: &NameHash) -> Result<Lock, EngineError> {
        let locks = |failed: &FailedLogins| self.settings.locks(failed, self.now);
        if self.seen().get(hash).is_some_and(|failed| locks(&failed)) {
            return Ok(Lock::Shut);
        }
        let view = View::new(&Txn::begin(self.pass)?, NamespaceId::ROOT.0);
        let stored = read(&view, &key_of(self.accessor(), hash)).await?;
        Ok(if stored.is_some_and(|failed| locks(&failed)) { Lock::Veiled } else { Lock::Open })
    }

    /// The answer and the cost of a failed try of a name of nobody, whatever the method found: it has done its work by
    /// now, and of what it wanted to write nothing is kept.
    async fn veil(&self, hash: &NameHash, answer: Answer) -> Answer {
        use EngineError::{Barrier, Internal, TooManyRequests, Unavailable};
        match answer {
            Err(trouble @ (Barrier(_) | Internal(_) | TooManyRequests(_) | Unavailable(_))) => Err(trouble),
            _ => {
                self.count(hash, false).await?;
                Err(EngineError::InvalidCredentials { text: self.refusal.to_owned(), known: false })
            }
        }
    }

    /// Durable before the client is told, and as much work for a name of nobody.
    async fn count(&self, hash: &NameHash, known: bool) -> Result<(), EngineError> {
        self.count_seen(hash);
        let key = if known { key_of(self.accessor(), hash) } else { format!("{}/-", folder(self.accessor())) };
        for _ in 0..ATTEMPTS {
            let txn = Txn::begin(self.pass)?;
            let view = View::new(&txn, NamespaceId::ROOT.0);
            let mut failed = match known {
                true => read(&view, &key).await?.unwrap_or_default(),
                // Not read: strangers must not wait for each other longer than friends do.
                false => FailedLogins::default(),
            };
            self.settings.add(&mut failed, self.now);
            if known {
                failed.name.clone_from(&self.name);
            }
            view.put(&key, encode("failed logins", &failed).map_err(|e| EngineError::internal(e.to_string()))?)?;
            match txn.commit(()).await {
                Err(BarrierError::Conflict) => {}
                done => return Ok(done.map(|_| ())?),
            }
        }
        Err(EngineError::Unavailable("too many logins of the same name at once; try again".into()))
    }

    fn count_seen(&self, hash: &NameHash) {
        let seen = self.seen();
        let mut failed = seen.get(hash).unwrap_or_default();
        self.settings.add(&mut failed, self.now);
        seen.insert(*hash, failed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use bulla_records::MountClass;
    use bulla_types::MountPath;

    const SETTINGS: LockoutSettings =
        LockoutSettings { threshold: 3, duration: Seconds(60), counter_reset: Seconds(30) };

    fn at(seconds: u64) -> Time {
        Time(0).plus(Seconds(seconds))
    }

    #[test]
    fn locked_from_the_threshold_on_for_its_time() {
        let mut failed = FailedLogins::default();
        for second in [100, 101] {
            SETTINGS.add(&mut failed, at(second));
        }
        assert!(!SETTINGS.locks(&failed, at(101)), "one failure below the threshold");
        SETTINGS.add(&mut failed, at(102));
        assert!(SETTINGS.locks(&failed, at(102)));
        SETTINGS.add(&mut failed, at(102));
        assert_eq!(failed.failures, 4, "a try that was under way does not open the lock");
        assert!(SETTINGS.locks(&failed, at(161)));
        assert!(!SETTINGS.locks(&failed, at(162)), "its time is over");
        SETTINGS.add(&mut failed, at(162));
        assert_eq!(failed.failures, 1, "after a lock the count begins anew");
    }

    /// UP-01: made-up role ids, which cost nothing to try, freed an unknown user's name where a known one stayed locked.
    #[test]
    fn up_01_names_made_up_at_one_method_free_none_at_another() {
        let logins = Logins::default();
        let locked = FailedLogins { failures: 5, ..FailedLogins::default() };
        logins.seen("userpass").insert([7; 32], locked.clone());
        for n in 0..4 * SEEN as u64 {
            let mut name = [0; 32];
            name[..8].copy_from_slice(&n.to_be_bytes());
            let other = logins.seen("approle");
            other.insert(name, locked.clone());
            (0..4).for_each(|_| drop(other.get(&name)));
        }
        assert!(logins.seen("approle").len() <= SEEN);
        assert_eq!(logins.seen("userpass").get(&[7; 32]).map(|f| f.failures), Some(5));
        logins.forget(&[7; 32]);
        assert!(logins.seen("userpass").get(&[7; 32]).is_none());
    }

    #[test]
    fn old_failures_no_longer_count() {
        let mut failed = FailedLogins::default();
        SETTINGS.add(&mut failed, at(100));
        SETTINGS.add(&mut failed, at(129));
        assert_eq!(failed.failures, 2);
        SETTINGS.add(&mut failed, at(159));
        assert_eq!(failed.failures, 1);
    }

    #[test]
    fn the_nearest_setting_counts() {
        let lockout = |threshold, duration, disabled| UserLockout {
            threshold,
            duration: Seconds(duration),
            disabled,
            ..UserLockout::default()
        };
        let mut config = LockoutConfig::default();
        let mut mount =
            crate::mounts::new_mount(MountClass::Auth, MountPath::parse("auth/up").unwrap(), "userpass").unwrap();
        assert_eq!(config.of(&mount), Some(LockoutSettings::default()));
        config.by_type.insert("all".into(), lockout(9, 90, false));
        config.by_type.insert("userpass".into(), lockout(7, 0, false));
        let of_type = config.of(&mount).unwrap();
        assert_eq!((of_type.threshold, of_type.duration), (7, Seconds(90)));
        mount.config.user_lockout = Some(lockout(2, 0, false));
        assert_eq!(config.of(&mount).unwrap().threshold, 2);
        mount.config.user_lockout = Some(lockout(0, 0, true));
        assert_eq!(config.of(&mount), None);
        mount.config.user_lockout = None;
        config.off = true;
        assert_eq!(config.of(&mount), None);
    }
}
