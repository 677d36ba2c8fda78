//! The entity of a login: found by its alias, or made with it.
//!
//! All in the login's own transaction. Of two first logins of one name, the second meets the first one's entry when it
//! commits and is run again. A login that changes nothing about its entity writes nothing here.

use super::{IdentityStore, Standing};
use bulla_kit::{AliasClaim, EngineError};
use bulla_records::{AliasRecord, EntityRecord, GroupKind, Metadata, MountRecord};
use bulla_types::{AliasId, EntityId, GroupId, Time};
use std::sync::Arc;

/// The entity of a login on `mount`. What the auth method says of the alias and of its groups replaces what it said at
/// the last login; groups known by other mounts are not touched.
///
/// # Errors
/// The entity is disabled; a claim without a name; storage.
pub async fn of_login(
    store: &IdentityStore,
    mount: &MountRecord,
    claim: &AliasClaim,
    group_aliases: &[String],
    now: Time,
) -> Result<Arc<Standing>, EngineError> {
    let (old, mut entity) = find_or_make(store, mount, claim, now).await?;
    let alias = entity.aliases.iter_mut().find(|alias| alias.mount_accessor == mount.accessor);
    if let Some(alias) = alias.filter(|alias| !same(&alias.metadata, &claim.metadata)) {
        alias.metadata.clone_from(&claim.metadata);
        alias.updated = now;
    }
    entity.groups = groups_now(store, &entity.groups, &mount.accessor, group_aliases).await?;
    if old.as_ref() != Some(&entity) {
        entity.updated = now;
        store.put_entity(old.as_ref(), &entity).await?;
    }
    Standing::of(store, entity).await.map(Arc::new)
}

/// The entity that is called `name` on `mount`, made if there is none. For tokens that are made for somebody who does
/// not log in: nothing is known of its groups.
///
/// # Errors
/// As [`of_login`].
pub async fn of_alias(
    store: &IdentityStore,
    mount: &MountRecord,
    name: &str,
    now: Time,
) -> Result<Arc<Standing>, EngineError> {
    let claim = AliasClaim { name: name.to_owned(), metadata: Metadata::default() };
    let (old, entity) = find_or_make(store, mount, &claim, now).await?;
    if old.is_none() {
        store.put_entity(None, &entity).await?;
    }
    Standing::of(store, entity).await.map(Arc::new)
}

/// The stored entity of the alias (`None` = there is none yet), and the one to go on with.
async fn find_or_make(
    store: &IdentityStore,
    mount: &MountRecord,
    claim: &AliasClaim,
    now: Time,
) -> Result<(Option<EntityRecord>, EntityRecord), EngineError> {
    if claim.name.is_empty() {
        return Err(EngineError::bad("the login names nobody"));
    }
    match store.entity_known_as(&mount.accessor, &claim.name).await? {
        Some(entity) if entity.disabled => Err(EngineError::DeniedBecause("permission denied".into())),
        Some(entity) => Ok((Some(entity.clone()), entity)),
        None => {
            let mut entity = new_entity(store, None, now).await?;
            let alias = new_alias(mount, &claim.name, now)?;
            entity.aliases.push(AliasRecord { metadata: claim.metadata.clone(), ..alias });
            Ok((None, entity))
        }
    }
}

/// A new entity, not written yet; without a name it gets one that is free.
///
/// # Errors
/// No randomness; storage.
pub async fn new_entity(store: &IdentityStore, name: Option<String>, now: Time) -> Result<EntityRecord, EngineError> {
    let name = match name {
        Some(name) => name,
        None => loop {
            let name = random_name("entity")?;
            if store.entity_named(&name).await?.is_none() {
                break name;
            }
        },
    };
    Ok(EntityRecord {
        id: EntityId::from_random(IdentityStore::fresh_id()?),
        name,
        metadata: Metadata::default(),
        policies: Vec::new(),
        disabled: false,
        created: now,
        updated: now,
        merged: Vec::new(),
        aliases: Vec::new(),
        groups: Vec::new(),
    })
}

/// `entity_1f2e3d4c`: a name nobody chose. Not sure to be free.
///
/// # Errors
/// No randomness.
pub fn random_name(noun: &str) -> Result<String, EngineError> {
    let [a, b, c, d, ..] = IdentityStore::fresh_id()?;
    Ok(format!("{noun}_{}", hex::encode([a, b, c, d])))
}

/// # Errors
/// No randomness.
pub fn new_alias(mount: &MountRecord, name: &str, now: Time) -> Result<AliasRecord, EngineError> {
    Ok(AliasRecord {
        id: AliasId::from_random(IdentityStore::fresh_id()?),
        name: name.to_owned(),
        mount_accessor: mount.accessor.clone(),
        local: mount.local,
        metadata: Metadata::default(),
        custom_metadata: Metadata::default(),
        merged_from: Vec::new(),
        created: now,
        updated: now,
    })
}

/// The order of metadata means nothing.
fn same(one: &Metadata, other: &Metadata) -> bool {
    one.len() == other.len() && one.iter().all(|(key, value)| other.get(key) == Some(value))
}

/// The groups of an entity after a login: internal ones stay, and of the external ones that this mount tells of (or
/// nobody any more) exactly those that the login named.
async fn groups_now(
    store: &IdentityStore,
    before: &[GroupId],
    accessor: &str,
    group_aliases: &[String],
) -> Result<Vec<GroupId>, EngineError> {
    let mut groups = Vec::with_capacity(before.len());
    for id in before {
        let Some(group) = store.group(*id).await? else { continue };
        let told_elsewhere = group.alias.as_ref().is_some_and(|alias| alias.mount_accessor != accessor);
        if group.kind == GroupKind::Internal || told_elsewhere {
            groups.push(*id);
        }
    }
    for name in group_aliases {
        if let Some(group) = store.group_known_as(accessor, name).await? {
            groups.push(group.id);
        }
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}
