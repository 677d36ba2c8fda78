//! What a request looks at once, through one pointer: the mount table. Immutable; writers publish a new one after
//! their batch is durable.
//!
//! [`Unsealed`] is the owner of everything that exists only between unseal and seal.

use crate::audit::AuditedHeaders;
use crate::login::Logins;
use crate::mounts::Moves;
use crate::policy::{AclCache, Generation};
use crate::sys::{KeyWork, SysCtx};
use arc_swap::ArcSwap;
use bulla_audit::Broker;
use bulla_kit::{Engine, MountInfo, Routes};
use bulla_records::MountRecord;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// What answers at a mount.
pub enum Backend {
    Engine(Arc<dyn Engine>),
    /// A table of core's own: `sys`, `auth/token`, `cubbyhole`, `identity`.
    System(Arc<Routes<SysCtx>>),
    /// Mounted by a server that knew the type; its data is kept, its paths answer an error.
    Unknown,
}

pub struct Mount {
    pub record: MountRecord,
    pub info: Arc<MountInfo>,
    pub backend: Backend,
}

/// Mounts by complete path. No mount lies above or below another, so at most one is a prefix of a path.
#[derive(Default)]
pub struct MountTable {
    by_path: BTreeMap<String, Arc<Mount>>,
    generation: Vec<u8>,
}

impl MountTable {
    /// `generation` as the store had it when it had these mounts.
    pub fn new(mounts: impl IntoIterator<Item = Arc<Mount>>, generation: Vec<u8>) -> Self {
        let by_path = mounts.into_iter().map(|m| (m.record.path.as_str().to_owned(), m)).collect();
        Self { by_path, generation }
    }

    pub fn generation(&self) -> &[u8] {
        &self.generation
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.by_path.values()
    }

    pub fn at(&self, path: &str) -> Option<&Arc<Mount>> {
        self.by_path.get(path)
    }

    /// The mount of a request path and the rest of the path below it.
    pub fn find<'p>(&self, path: &'p str) -> Option<(&Arc<Mount>, &'p str)> {
        for (at, _) in path.match_indices('/') {
            if let Some(mount) = self.by_path.get(&path[..=at]) {
                return Some((mount, &path[at + 1..]));
            }
        }
        // `kv` is the mount `kv/` itself.
        (!path.ends_with('/')).then(|| self.by_path.get(&format!("{path}/"))).flatten().map(|mount| (mount, ""))
    }
}

pub struct State {
    pub mounts: MountTable,
}

/// Dropped by the seal, and with it every cache, salt and open engine.
pub struct Unsealed {
    pub state: ArcSwap<State>,
    /// Held while a new state is made and published; never across a request.
    pub publishing: tokio::sync::Mutex<()>,
    pub acls: AclCache,
    /// Grows with every change of a policy, after it is durable.
    pub policy_generation: AtomicU64,
    pub audit: Broker,
    pub audited_headers: ArcSwap<AuditedHeaders>,
    pub cluster: Cluster,
    pub keys: KeyWork,
    pub logins: Logins,
    /// Mounts that were moved since the unseal.
    pub moves: parking_lot::Mutex<Moves>,
    /// Ends the background workers.
    pub workers: CancellationToken,
}

impl Unsealed {
    pub fn policies_now(&self) -> Generation {
        Generation(self.policy_generation.load(Ordering::SeqCst))
    }

    pub fn policies_changed(&self) {
        self.policy_generation.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Unsealed {
    fn drop(&mut self) {
        self.workers.cancel();
    }
}

/// Name and id of the installation, made at initialisation.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Cluster {
    pub name: String,
    pub id: String,
}
