//! `identity/group…`.

use super::login::random_name;
use super::show::{self, Mounts};
use super::standing::is_above;
use super::{IdentityStore, input};
use crate::sys::SysCtx;
use bulla_kit::{Answer, CommaList, EngineError, KeyValues, NoParams, Params, Reply, Route};
use bulla_records::{GroupKind, GroupRecord, Metadata};
use bulla_types::{EntityId, GroupId, Time};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Members whose records a deletion changes itself: what fits well into one batch.
const LET_GO: usize = 5_000;

#[derive(Params)]
struct IdParams {
    /// The group's id.
    #[param(path)]
    id: String,
}

#[derive(Params)]
struct NameParams {
    /// The group's name.
    #[param(path)]
    name: String,
}

#[derive(Params)]
struct WriteParams {
    /// The group's id; made if not given.
    #[param(path)]
    id: String,
    /// The group's name; made up if not given.
    #[param(path)]
    name: String,
    /// `internal` or `external`.
    #[param(name = "type")]
    kind: Option<String>,
    /// Texts that go with the group; they replace what was there.
    metadata: Option<KeyValues>,
    /// Policies of all its members.
    policies: Option<CommaList>,
    /// Groups that are members; they replace those that were.
    member_group_ids: Option<CommaList>,
    /// Entities that are members; they replace those that were.
    member_entity_ids: Option<CommaList>,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("group")
            .help(
                "Create or update a group.",
                "Members are entities and other groups; its policies are theirs as well.",
            )
            .update(write),
        Route::token("group/id")
            .help("List the groups by id.", "With name, alias and number of members of each.")
            .list(list_ids),
        Route::token("group/id/{id:any}")
            .help("Read, update or delete a group.", "By the group's id.")
            .read(read)
            .update(write_id)
            .delete(delete),
        Route::token("group/name").help("List the groups by name.", "Names only.").list(list_names),
        Route::token("group/name/{name..}")
            .help("Read, create, update or delete a group by its name.", "Names are the same in any case.")
            .read(read_named)
            .update(write_named)
            .delete(delete_named),
    ]
}

/// What a group reads like: the answer of reads and lookups.
///
/// # Errors
/// Storage.
pub async fn answer(ctx: &SysCtx, store: &IdentityStore, group: &GroupRecord) -> Answer {
    let (members, children) = (store.members(group.id, usize::MAX).await?, store.children(group.id).await?);
    Reply::json(&show::group(group, members, children, &Mounts::of(&ctx.state)))
}

async fn by_id(store: &IdentityStore, id: &str) -> Result<Option<GroupRecord>, EngineError> {
    match GroupId::parse(id) {
        Some(id) => store.group(id).await,
        None => Ok(None),
    }
}

/// The group of a name in a path, if policy allows it by its own spelling.
async fn by_name(ctx: &SysCtx, store: &IdentityStore, name: &str) -> Result<Option<GroupRecord>, EngineError> {
    let found = store.group_named(name).await?;
    if let Some(group) = &found {
        input::allowed_as_stored(ctx, "group", name, &group.name)?;
    }
    Ok(found)
}

async fn read(ctx: SysCtx, params: IdParams) -> Answer {
    let store = ctx.identity();
    match by_id(&store, &params.id).await? {
        Some(group) => answer(&ctx, &store, &group).await,
        None => Ok(Reply::none()),
    }
}

async fn read_named(ctx: SysCtx, params: NameParams) -> Answer {
    let store = ctx.identity();
    match by_name(&ctx, &store, &params.name).await? {
        Some(group) => answer(&ctx, &store, &group).await,
        None => Ok(Reply::none()),
    }
}

async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    let store = ctx.identity();
    let one = match params.id.as_str() {
        "" => None,
        id => Some(by_id(&store, id).await?.ok_or_else(|| EngineError::bad("invalid group ID"))?),
    };
    let named = if params.name.is_empty() { None } else { store.group_named(&params.name).await? };
    match (one, named) {
        (Some(one), Some(other)) if one.id != other.id => Err(EngineError::bad("group name is already in use")),
        (one, named) => save(&ctx, &store, one.or(named), params).await,
    }
}

async fn write_id(ctx: SysCtx, params: WriteParams) -> Answer {
    write(ctx, params).await
}

async fn write_named(ctx: SysCtx, params: WriteParams) -> Answer {
    input::no_id_beside_name(&params.id)?;
    let store = ctx.identity();
    let found = by_name(&ctx, &store, &params.name).await?;
    save(&ctx, &store, found, params).await
}

/// A new group, not written yet; without a name it gets one that is free.
///
/// # Errors
/// No randomness; storage.
pub async fn new_group(
    store: &IdentityStore,
    name: Option<String>,
    kind: GroupKind,
    now: Time,
) -> Result<GroupRecord, EngineError> {
    let name = match name {
        Some(name) => name,
        None => loop {
            let name = random_name("group")?;
            if store.group_named(&name).await?.is_none() {
                break name;
            }
        },
    };
    Ok(GroupRecord {
        id: GroupId::from_random(IdentityStore::fresh_id()?),
        name,
        kind,
        metadata: Metadata::default(),
        policies: Vec::new(),
        parents: Vec::new(),
        alias: None,
        modify_index: 0,
        created: now,
        updated: now,
    })
}

/// Everything is checked before anything is written.
async fn save(ctx: &SysCtx, store: &IdentityStore, old: Option<GroupRecord>, params: WriteParams) -> Answer {
    let kind = kind_of(old.as_ref(), params.kind.as_deref())?;
    input::name("group", &params.name)?;
    let name = Some(params.name).filter(|name| !name.is_empty());
    let mut group = match &old {
        Some(old) => GroupRecord { name: name.unwrap_or_else(|| old.name.clone()), ..old.clone() },
        None => new_group(store, name, kind, ctx.now()).await?,
    };
    if let Some(given) = params.metadata {
        group.metadata = input::metadata("group", given)?;
    }
    if let Some(given) = &params.policies {
        group.policies = input::policies(given)?;
    }
    let entities = check_entities(store, kind, params.member_entity_ids.as_ref()).await?;
    let children = check_children(store, &group, params.member_group_ids.as_ref()).await?;
    group.modify_index += 1;
    group.updated = ctx.now();
    store.put_group(old.as_ref(), &group).await?;
    if let Some(wanted) = entities {
        set_entities(store, group.id, &wanted).await?;
    }
    if let Some(wanted) = children {
        set_children(store, group.id, &wanted, ctx.now()).await?;
    }
    match old {
        Some(_) => Ok(Reply::none()),
        None => Reply::json(&json!({ "id": group.id, "name": group.name })),
    }
}

fn kind_of(old: Option<&GroupRecord>, given: Option<&str>) -> Result<GroupKind, EngineError> {
    let given = match given.filter(|word| !word.is_empty()) {
        None => None,
        Some(word) => {
            let kind = GroupKind::parse(word);
            Some(kind.ok_or_else(|| EngineError::bad(format!("invalid group type {word:?}")))?)
        }
    };
    match (old, given) {
        (Some(old), Some(given)) if old.kind != given => Err(EngineError::bad("group type cannot be changed")),
        (Some(old), _) => Ok(old.kind),
        (None, given) => Ok(given.unwrap_or_default()),
    }
}

/// The members that are wanted, if any were named; all of them there.
async fn check_entities(
    store: &IdentityStore,
    kind: GroupKind,
    given: Option<&CommaList>,
) -> Result<Option<BTreeSet<EntityId>>, EngineError> {
    let Some(given) = given else { return Ok(None) };
    if kind == GroupKind::External {
        if given.0.is_empty() {
            return Ok(None);
        }
        return Err(EngineError::bad("member entities can't be set manually for external groups"));
    }
    let mut wanted = BTreeSet::new();
    for text in &given.0 {
        let unknown = || EngineError::bad(format!("invalid entity ID {text:?}"));
        let id = EntityId::parse(text).ok_or_else(unknown)?;
        store.entity(id).await?.ok_or_else(unknown)?;
        wanted.insert(id);
    }
    Ok(Some(wanted))
}

/// As [`check_entities`]; none of them may lie above the group.
async fn check_children(
    store: &IdentityStore,
    group: &GroupRecord,
    given: Option<&CommaList>,
) -> Result<Option<BTreeSet<GroupId>>, EngineError> {
    let Some(given) = given else { return Ok(None) };
    if group.kind == GroupKind::External {
        if given.0.is_empty() {
            return Ok(None);
        }
        return Err(EngineError::bad("member groups can't be set for external groups"));
    }
    let mut wanted = BTreeSet::new();
    for text in &given.0 {
        let unknown = || EngineError::bad(format!("invalid group ID {text:?}"));
        let id = GroupId::parse(text).ok_or_else(unknown)?;
        if is_above(store, id, group).await? {
            return Err(EngineError::bad(format!("cyclic relationship detected for member group ID {text:?}")));
        }
        store.group(id).await?.ok_or_else(unknown)?;
        wanted.insert(id);
    }
    Ok(Some(wanted))
}

/// Only those that come or go are written.
async fn set_entities(store: &IdentityStore, group: GroupId, wanted: &BTreeSet<EntityId>) -> Result<(), EngineError> {
    let before: BTreeSet<EntityId> = store.members(group, usize::MAX).await?.into_iter().collect();
    for id in before.symmetric_difference(wanted) {
        let Some(old) = store.entity(*id).await? else { continue };
        let mut new = old.clone();
        new.groups.retain(|held| *held != group);
        if wanted.contains(id) {
            new.groups.push(group);
            new.groups.sort_unstable();
        }
        store.put_entity(Some(&old), &new).await?;
    }
    Ok(())
}

async fn set_children(
    store: &IdentityStore,
    group: GroupId,
    wanted: &BTreeSet<GroupId>,
    now: Time,
) -> Result<(), EngineError> {
    let before: BTreeSet<GroupId> = store.children(group).await?.into_iter().collect();
    for id in before.symmetric_difference(wanted) {
        let Some(old) = store.group(*id).await? else { continue };
        let mut new = GroupRecord { modify_index: old.modify_index + 1, updated: now, ..old.clone() };
        new.parents.retain(|held| *held != group);
        if wanted.contains(id) {
            new.parents.push(group);
            new.parents.sort_unstable();
        }
        store.put_group(Some(&old), &new).await?;
    }
    Ok(())
}

/// A group of very many is gone at once all the same: those beyond the first let go of it at their next login.
async fn remove(ctx: &SysCtx, store: &IdentityStore, group: &GroupRecord) -> Answer {
    for id in store.members(group.id, LET_GO).await? {
        let Some(old) = store.entity(id).await? else { continue };
        let mut new = old.clone();
        new.groups.retain(|held| *held != group.id);
        store.put_entity(Some(&old), &new).await?;
    }
    set_children(store, group.id, &BTreeSet::new(), ctx.now()).await?;
    store.delete_group(group);
    Ok(Reply::none())
}

async fn delete(ctx: SysCtx, params: IdParams) -> Answer {
    let store = ctx.identity();
    match by_id(&store, &params.id).await? {
        Some(group) => remove(&ctx, &store, &group).await,
        None => Ok(Reply::none()),
    }
}

async fn delete_named(ctx: SysCtx, params: NameParams) -> Answer {
    let store = ctx.identity();
    match by_name(&ctx, &store, &params.name).await? {
        Some(group) => remove(&ctx, &store, &group).await,
        None => Ok(Reply::none()),
    }
}

async fn list_ids(ctx: SysCtx, _: NoParams) -> Answer {
    let mounts = Mounts::of(&ctx.state);
    let store = ctx.identity();
    let mut items = Vec::new();
    for group in store.groups().await? {
        let mut about = Map::new();
        about.insert("name".into(), group.name.as_str().into());
        about.insert("num_member_entities".into(), store.members(group.id, usize::MAX).await?.len().into());
        about.insert("num_parent_groups".into(), group.parents.len().into());
        if let Some(alias) = &group.alias {
            about.insert("alias".into(), Value::Object(show::alias_brief(alias, &mounts)));
        }
        items.push((group.id.to_string(), about));
    }
    show::listed(items).map_or_else(|| Ok(Reply::none()), |data| Reply::json(&data))
}

async fn list_names(ctx: SysCtx, _: NoParams) -> Answer {
    let mut names: Vec<String> = ctx.identity().groups().await?.into_iter().map(|group| group.name).collect();
    names.sort_unstable();
    Reply::keys(&names)
}
