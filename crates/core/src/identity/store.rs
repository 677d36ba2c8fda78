//! Where entities and groups lie, and the indexes that lead to them, in the scope of the identity mount.
//!
//! ```text
//! e entity              record, its aliases inside      g group          record, its alias inside
//! n hash(name)          entity                          N hash(name)     group
//! a alias               entity                          A alias          group
//! l hash(mount, name)   entity                          L hash(mount, name)  group
//! r merged entity       entity it became part of        c parent, child  nothing
//! m group, entity       nothing
//! ```
//!
//! Keys hold random ids and keyed hashes, never a name. Every index entry is made from one record, and a record is
//! only written together with its entries: see [`Index`]. Whoever writes a unique name reads its entry in the same
//! transaction, so that of two who want one name at the same time one finds the other's.

use crate::state::State;
use bulla_barrier::{Txn, View};
use bulla_crypto::random;
use bulla_kit::EngineError;
use bulla_records::{AliasRecord, EntityRecord, GroupRecord, decode, encode};
use bulla_types::{AliasId, EntityId, GroupId, fold_name};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

pub struct IdentityStore {
    view: View,
}

/// Entries that lead to one record, by key. An entry with a value is the only one of its kind; one without is a
/// relation.
type Index = BTreeMap<Vec<u8>, Vec<u8>>;

fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn id_of(bytes: &[u8]) -> Result<[u8; 16], EngineError> {
    bytes.try_into().map_err(|_| EngineError::damaged("identity index"))
}

/// For lists: one record that cannot be read is reported and left out, and the others are shown.
fn readable<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Option<T> {
    decode(what, bytes).inspect_err(|error| tracing::error!(%error, "left out of a list")).ok()
}

/// The id at the end of a relation's key.
fn tail(key: &[u8]) -> Result<[u8; 16], EngineError> {
    id_of(key.get(17..).unwrap_or_default())
}

impl IdentityStore {
    /// The store in the view of the identity mount.
    pub fn new(view: View) -> Self {
        Self { view }
    }

    /// The store of the namespace that `state` is of.
    ///
    /// # Errors
    /// There is no identity mount; every namespace is made with one.
    pub fn of(state: &State, txn: &Arc<Txn>) -> Result<Self, EngineError> {
        let mount = state.mounts.at("identity/").ok_or_else(|| EngineError::internal("there is no identity mount"))?;
        Ok(Self::new(View::new(txn, mount.record.uuid)))
    }

    /// # Errors
    /// No randomness.
    pub fn fresh_id() -> Result<[u8; 16], EngineError> {
        random::bytes().map_err(|_| EngineError::internal("no randomness could be had from the system"))
    }

    fn name_key(&self, kind: u8, name: &str) -> Vec<u8> {
        key(kind, &[&self.view.hash("identity name", &[&[kind], fold_name(name).as_bytes()].concat())])
    }

    /// The accessor's length stands before it: no pair of texts may read like another pair.
    fn alias_key(&self, kind: u8, accessor: &str, name: &str) -> Vec<u8> {
        let length = (accessor.len() as u64).to_be_bytes();
        let pair = [&[kind][..], &length, accessor.as_bytes(), fold_name(name).as_bytes()].concat();
        key(kind, &[&self.view.hash("identity alias", &pair)])
    }

    async fn id_at(&self, key: &[u8]) -> Result<Option<[u8; 16]>, EngineError> {
        match self.view.plain_get(key).await? {
            Some(bytes) => id_of(&bytes).map(Some),
            None => Ok(None),
        }
    }
}

/// Entities.
impl IdentityStore {
    pub async fn entity(&self, id: EntityId) -> Result<Option<EntityRecord>, EngineError> {
        match self.view.plain_get(&key(b'e', &[&id.0])).await? {
            Some(bytes) => decode("entity", &bytes).map(Some).map_err(|_| EngineError::damaged("entity")),
            None => Ok(None),
        }
    }

    async fn entity_at(&self, key: &[u8]) -> Result<Option<EntityRecord>, EngineError> {
        match self.id_at(key).await? {
            Some(id) => self.entity(EntityId(id)).await,
            None => Ok(None),
        }
    }

    pub async fn entity_named(&self, name: &str) -> Result<Option<EntityRecord>, EngineError> {
        self.entity_at(&self.name_key(b'n', name)).await
    }

    pub async fn entity_of_alias(&self, id: AliasId) -> Result<Option<EntityRecord>, EngineError> {
        self.entity_at(&key(b'a', &[&id.0])).await
    }

    /// The entity that is called `name` on the mount.
    pub async fn entity_known_as(&self, accessor: &str, name: &str) -> Result<Option<EntityRecord>, EngineError> {
        self.entity_at(&self.alias_key(b'l', accessor, name)).await
    }

    /// The entity with this id, or the one it has become part of.
    pub async fn entity_or_heir(&self, id: EntityId) -> Result<Option<EntityRecord>, EngineError> {
        match self.entity(id).await? {
            Some(entity) => Ok(Some(entity)),
            None => self.entity_at(&key(b'r', &[&id.0])).await,
        }
    }

    fn index_of_entity(&self, entity: &EntityRecord) -> Index {
        let own = entity.id.0.to_vec();
        let mut index = Index::new();
        index.insert(self.name_key(b'n', &entity.name), own.clone());
        for alias in &entity.aliases {
            index.insert(key(b'a', &[&alias.id.0]), own.clone());
            index.insert(self.alias_key(b'l', &alias.mount_accessor, &alias.name), own.clone());
        }
        for merged in &entity.merged {
            index.insert(key(b'r', &[&merged.0]), own.clone());
        }
        for group in &entity.groups {
            index.insert(key(b'm', &[&group.0, &entity.id.0]), Vec::new());
        }
        index
    }

    /// Writes `new` in the place of `old`, entries included.
    ///
    /// # Errors
    /// A name or alias in it is another's: callers look first and say so in better words.
    pub async fn put_entity(&self, old: Option<&EntityRecord>, new: &EntityRecord) -> Result<(), EngineError> {
        let before = old.map(|old| self.index_of_entity(old)).unwrap_or_default();
        self.replace_index(&before, &self.index_of_entity(new), &new.id.0).await?;
        let bytes = encode("entity", new).map_err(|e| EngineError::internal(e.to_string()))?;
        self.view.plain_put(&key(b'e', &[&new.id.0]), bytes);
        Ok(())
    }

    pub fn delete_entity(&self, entity: &EntityRecord) {
        self.index_of_entity(entity).keys().for_each(|entry| self.view.plain_delete(entry));
        self.view.plain_delete(&key(b'e', &[&entity.id.0]));
    }

    /// All entities in the order of their ids. Costs memory for all of them; the answers it is for do as well.
    pub async fn entities(&self) -> Result<Vec<EntityRecord>, EngineError> {
        let found = self.view.plain_range(b"e", usize::MAX).await?;
        Ok(found.iter().filter_map(|(_, bytes)| readable("entity", bytes)).collect())
    }

    pub async fn count(&self) -> Result<usize, EngineError> {
        Ok(self.view.plain_count(b"e").await?)
    }
}

/// Groups.
impl IdentityStore {
    pub async fn group(&self, id: GroupId) -> Result<Option<GroupRecord>, EngineError> {
        match self.view.plain_get(&key(b'g', &[&id.0])).await? {
            Some(bytes) => decode("group", &bytes).map(Some).map_err(|_| EngineError::damaged("group")),
            None => Ok(None),
        }
    }

    async fn group_at(&self, key: &[u8]) -> Result<Option<GroupRecord>, EngineError> {
        match self.id_at(key).await? {
            Some(id) => self.group(GroupId(id)).await,
            None => Ok(None),
        }
    }

    pub async fn group_named(&self, name: &str) -> Result<Option<GroupRecord>, EngineError> {
        self.group_at(&self.name_key(b'N', name)).await
    }

    pub async fn group_of_alias(&self, id: AliasId) -> Result<Option<GroupRecord>, EngineError> {
        self.group_at(&key(b'A', &[&id.0])).await
    }

    /// The external group that is called `name` on the mount.
    pub async fn group_known_as(&self, accessor: &str, name: &str) -> Result<Option<GroupRecord>, EngineError> {
        self.group_at(&self.alias_key(b'L', accessor, name)).await
    }

    fn index_of_group(&self, group: &GroupRecord) -> Index {
        let own = group.id.0.to_vec();
        let mut index = Index::new();
        index.insert(self.name_key(b'N', &group.name), own.clone());
        if let Some(AliasRecord { id, mount_accessor, name, .. }) = &group.alias {
            index.insert(key(b'A', &[&id.0]), own.clone());
            index.insert(self.alias_key(b'L', mount_accessor, name), own);
        }
        for parent in &group.parents {
            index.insert(key(b'c', &[&parent.0, &group.id.0]), Vec::new());
        }
        index
    }

    /// As [`IdentityStore::put_entity`].
    ///
    /// # Errors
    /// As there.
    pub async fn put_group(&self, old: Option<&GroupRecord>, new: &GroupRecord) -> Result<(), EngineError> {
        let before = old.map(|old| self.index_of_group(old)).unwrap_or_default();
        self.replace_index(&before, &self.index_of_group(new), &new.id.0).await?;
        let bytes = encode("group", new).map_err(|e| EngineError::internal(e.to_string()))?;
        self.view.plain_put(&key(b'g', &[&new.id.0]), bytes);
        Ok(())
    }

    /// Its children have to be let go of first. Members may stay: a group that is gone gives them nothing, and the next
    /// change of their records takes it out of them (ids never come again).
    pub fn delete_group(&self, group: &GroupRecord) {
        self.index_of_group(group).keys().for_each(|entry| self.view.plain_delete(entry));
        self.view.plain_delete(&key(b'g', &[&group.id.0]));
    }

    /// All groups in the order of their ids.
    pub async fn groups(&self) -> Result<Vec<GroupRecord>, EngineError> {
        let found = self.view.plain_range(b"g", usize::MAX).await?;
        Ok(found.iter().filter_map(|(_, bytes)| readable("group", bytes)).collect())
    }

    /// Entities that are members themselves, in the order of their ids; at most `limit`.
    pub async fn members(&self, group: GroupId, limit: usize) -> Result<Vec<EntityId>, EngineError> {
        let found = self.view.plain_range(&key(b'm', &[&group.0]), limit).await?;
        found.iter().map(|(key, _)| tail(key).map(EntityId)).collect()
    }

    /// Groups that are members, in the order of their ids.
    pub async fn children(&self, group: GroupId) -> Result<Vec<GroupId>, EngineError> {
        let found = self.view.plain_range(&key(b'c', &[&group.0]), usize::MAX).await?;
        found.iter().map(|(key, _)| tail(key).map(GroupId)).collect()
    }
}

impl IdentityStore {
    async fn replace_index(&self, before: &Index, after: &Index, own: &[u8; 16]) -> Result<(), EngineError> {
        before.keys().filter(|entry| !after.contains_key(*entry)).for_each(|entry| self.view.plain_delete(entry));
        for (entry, value) in after.iter().filter(|(entry, _)| !before.contains_key(*entry)) {
            if !value.is_empty() && self.id_at(entry).await?.is_some_and(|holder| holder != *own) {
                return Err(EngineError::bad("the name is already in use"));
            }
            self.view.plain_put(entry, value.clone());
        }
        Ok(())
    }
}
