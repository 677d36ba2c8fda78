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
use std::collections::{BTreeMap, HashMap};
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
    /// Accessors of the mounts above.
    by_accessor: HashMap<String, Arc<Mount>>,
    /// Mounts being disabled: they take no requests, and what they handed out is taken back. Another mount may have their
    /// path already.
    leaving: Vec<Arc<Mount>>,
}

impl MountTable {
    /// `generation` as the store had it when it had these mounts.
    pub fn new(mounts: impl IntoIterator<Item = Arc<Mount>>, generation: Vec<u8>) -> Self {
        let mut table = Self { generation, ..Self::default() };
        for mount in mounts {
            if mount.record.going {
                table.leaving.push(mount);
            } else {
                table.by_accessor.insert(mount.record.accessor.clone(), Arc::clone(&mount));
                table.by_path.insert(mount.record.path.as_str().to_owned(), mount);
            }
        }
        table
    }

    pub fn generation(&self) -> &[u8] {
        &self.generation
    }

    /// Whether a mount with this accessor takes requests.
    pub fn has(&self, accessor: &str) -> bool {
        self.by_accessor.contains_key(accessor)
    }

    /// The mount with this accessor, also while it is being disabled.
    pub fn any(&self, accessor: &str) -> Option<&Arc<Mount>> {
        self.by_accessor.get(accessor).or_else(|| self.leaving.iter().find(|m| m.record.accessor == accessor))
    }

    /// All mounts, those being disabled included.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.by_path.values().chain(&self.leaving)
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
