//! An entity as a request sees it: with all groups it belongs to, the policies they add up to, and values for templates.

use super::IdentityStore;
use crate::state::State;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_policy::{Hole, Identity};
use bulla_records::{AliasRecord, EntityRecord, GroupRecord};
use bulla_types::{EntityId, GroupId, PolicyName};
use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// An entity with its groups, as one snapshot has them.
#[derive(Clone, Debug)]
pub struct Standing {
    pub entity: EntityRecord,
    /// The first `direct` are its own, the others have one of these as a member, and so on upwards.
    groups: Vec<GroupRecord>,
    direct: usize,
    policies: Vec<PolicyName>,
}

/// What the entity of a token makes of the token.
#[derive(Clone, Debug)]
pub enum TokenEntity {
    /// The token has none.
    None,
    Here(Arc<Standing>),
    /// It has been deleted or disabled: the token is in force no more.
    Refused,
}

impl TokenEntity {
    pub fn standing(self) -> Option<Arc<Standing>> {
        match self {
            Self::Here(standing) => Some(standing),
            Self::None | Self::Refused => None,
        }
    }
}

/// The entity of a token. A token without one costs nothing; one with an entity costs a read, and one for each group.
///
/// # Errors
/// Storage; a record that cannot be read fails the request, since it might have said "disabled".
pub async fn of_token(state: &State, txn: &Arc<Txn>, entity_id: &str) -> Result<TokenEntity, EngineError> {
    if entity_id.is_empty() {
        return Ok(TokenEntity::None);
    }
    let store = IdentityStore::of(state, txn)?;
    let Some(id) = EntityId::parse(entity_id) else { return Ok(TokenEntity::Refused) };
    match store.entity_or_heir(id).await? {
        Some(entity) if !entity.disabled => Ok(TokenEntity::Here(Arc::new(Standing::of(&store, entity).await?))),
        _ => Ok(TokenEntity::Refused),
    }
}

impl Standing {
    /// # Errors
    /// Storage.
    pub async fn of(store: &IdentityStore, entity: EntityRecord) -> Result<Self, EngineError> {
        let (groups, direct) = groups_above(store, &entity.groups).await?;
        let own = entity.policies.iter();
        let mut policies: Vec<PolicyName> =
            own.chain(groups.iter().flat_map(|group| &group.policies)).cloned().collect();
        policies.retain(|name| !name.is_root());
        policies.sort_unstable();
        policies.dedup();
        Ok(Self { entity, groups, direct, policies })
    }

    /// From the entity and all its groups, sorted. Never `root`: it is refused when records are written, and
    /// would not count if one held it.
    pub fn policies(&self) -> &[PolicyName] {
        &self.policies
    }

    pub fn direct_groups(&self) -> &[GroupRecord] {
        self.groups.get(..self.direct).unwrap_or_default()
    }

    pub fn inherited_groups(&self) -> &[GroupRecord] {
        self.groups.get(self.direct..).unwrap_or_default()
    }

    fn alias_on(&self, accessor: &str) -> Option<&AliasRecord> {
        self.entity.aliases.iter().find(|alias| alias.mount_accessor == accessor)
    }

    fn group(&self, id: &str) -> Option<&GroupRecord> {
        let id = GroupId::parse(id)?;
        self.groups.iter().find(|group| group.id == id)
    }

    fn group_named(&self, name: &str) -> Option<&GroupRecord> {
        self.groups.iter().find(|group| group.name == name)
    }
}

/// The groups in `from` and all above them, each once, nearest first, and how many of them were in `from`.
async fn groups_above(store: &IdentityStore, from: &[GroupId]) -> Result<(Vec<GroupRecord>, usize), EngineError> {
    let mut seen: HashSet<GroupId> = HashSet::new();
    let mut groups = Vec::new();
    for id in from {
        if seen.insert(*id) {
            groups.extend(store.group(*id).await?);
        }
    }
    let direct = groups.len();
    let mut next: VecDeque<GroupId> = groups.iter().flat_map(|group| group.parents.clone()).collect();
    while let Some(id) = next.pop_front() {
        if seen.insert(id)
            && let Some(group) = store.group(id).await?
        {
            next.extend(&group.parents);
            groups.push(group);
        }
    }
    Ok((groups, direct))
}

/// Whether `above` is `group` or one of the groups that have it as a member, however far up.
///
/// # Errors
/// Storage.
pub async fn is_above(store: &IdentityStore, above: GroupId, group: &GroupRecord) -> Result<bool, EngineError> {
    if above == group.id {
        return Ok(true);
    }
    let (groups, _) = groups_above(store, &group.parents).await?;
    Ok(groups.iter().any(|found| found.id == above))
}

impl Identity for Standing {
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>> {
        let id = |id: String| Some(Cow::Owned(id));
        match hole {
            Hole::EntityId => id(self.entity.id.to_string()),
            Hole::EntityName => text(&self.entity.name),
            Hole::EntityMetadata(key) => text(self.entity.metadata.get(key)?),
            Hole::AliasId { accessor } => id(self.alias_on(accessor)?.id.to_string()),
            Hole::AliasName { accessor } => text(&self.alias_on(accessor)?.name),
            Hole::AliasMetadata { accessor, key } => text(self.alias_on(accessor)?.metadata.get(key)?),
            Hole::AliasCustomMetadata { accessor, key } => text(self.alias_on(accessor)?.custom_metadata.get(key)?),
            Hole::GroupNameById { id } => text(&self.group(id)?.name),
            Hole::GroupMetadataById { id, key } => text(self.group(id)?.metadata.get(key)?),
            Hole::GroupIdByName { name } => id(self.group_named(name)?.id.to_string()),
            Hole::GroupMetadataByName { name, key } => text(self.group_named(name)?.metadata.get(key)?),
            Hole::Unknown(_) => None,
        }
    }
}

fn text(value: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(value))
}
