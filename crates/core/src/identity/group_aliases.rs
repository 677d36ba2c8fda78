//! `identity/group-alias…`: what an auth mount calls an external group.

use super::groups::new_group;
use super::login::new_alias;
use super::show::{self, Mounts};
use super::{IdentityStore, input};
use crate::sys::SysCtx;
use bulla_kit::{Answer, EngineError, NoParams, Params, Reply, Route};
use bulla_records::{AliasRecord, GroupKind, GroupRecord, MountRecord};
use bulla_types::{AliasId, GroupId, Time};
use serde_json::json;

#[derive(Params)]
struct IdParams {
    /// The alias's id.
    #[param(path)]
    id: String,
}

#[derive(Params)]
struct WriteParams {
    /// The alias's id; found by mount and name if not given.
    #[param(path)]
    id: String,
    /// What the mount calls the group.
    name: String,
    /// The group; made if not given.
    canonical_id: String,
    /// The accessor of the mount.
    mount_accessor: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("group-alias")
            .help(
                "Create or update the alias of an external group.",
                "The name that an auth mount gives a group of its own; whoever logs in with that group is a member.",
            )
            .update(write),
        Route::token("group-alias/id")
            .help("List the aliases of groups.", "By id, with name, mount and group of each.")
            .list(list),
        Route::token("group-alias/id/{id:any}")
            .help("Read, update or delete the alias of an external group.", "By the alias's id.")
            .read(read)
            .update(write)
            .delete(delete),
    ]
}

async fn find(store: &IdentityStore, id: &str) -> Result<Option<(GroupRecord, AliasRecord)>, EngineError> {
    let Some(id) = AliasId::parse(id) else { return Ok(None) };
    let Some(group) = store.group_of_alias(id).await? else { return Ok(None) };
    Ok(group.alias.clone().map(|alias| (group, alias)))
}

async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    let store = ctx.identity();
    input::name("alias", &params.name)?;
    let by_id = match params.id.as_str() {
        "" => None,
        id => Some(find(&store, id).await?.ok_or_else(|| EngineError::bad("invalid group alias ID"))?),
    };
    if params.name.is_empty() {
        return Err(EngineError::bad("missing alias name"));
    }
    if params.mount_accessor.is_empty() {
        return Err(EngineError::bad("missing mount_accessor"));
    }
    let mount = input::mount(&ctx, &params.mount_accessor)?;
    if mount.local {
        return Err(EngineError::bad(format!("mount accessor {:?} is of a local mount", params.mount_accessor)));
    }
    let holder = store.group_known_as(&params.mount_accessor, &params.name).await?;
    let holder = holder.and_then(|group| group.alias.clone().map(|alias| (group, alias)));
    let old = match (by_id, holder) {
        (Some((_, one)), Some((_, other))) if one.id != other.id => {
            return Err(EngineError::bad("alias with combination of mount accessor and name already exists"));
        }
        (one, other) => one.or(other),
    };
    let to = match params.canonical_id.as_str() {
        "" => None,
        id => Some(group(&store, id).await?),
    };
    let (id, group) = place(&store, old, to, mount, &params.name, ctx.now()).await?;
    Reply::json(&json!({ "id": id, "canonical_id": group }))
}

async fn group(store: &IdentityStore, id: &str) -> Result<GroupRecord, EngineError> {
    let found = match GroupId::parse(id) {
        Some(id) => store.group(id).await?,
        None => None,
    };
    let group = found.ok_or_else(|| EngineError::bad("invalid canonical ID"))?;
    if group.kind == GroupKind::Internal {
        return Err(EngineError::bad("alias can't be set on an internal group"));
    }
    Ok(group)
}

/// Writes the alias into the group it is for: the one named, the one that has it, or a new one.
async fn place(
    store: &IdentityStore,
    old: Option<(GroupRecord, AliasRecord)>,
    to: Option<GroupRecord>,
    mount: &MountRecord,
    name: &str,
    now: Time,
) -> Result<(AliasId, GroupId), EngineError> {
    let (from, before) = old.unzip();
    let alias = match before {
        Some(before) => {
            AliasRecord { name: name.to_owned(), mount_accessor: mount.accessor.clone(), updated: now, ..before }
        }
        None => new_alias(mount, name, now)?,
    };
    let stored = to.or_else(|| from.clone());
    let mut group = match &stored {
        Some(stored) => stored.clone(),
        None => new_group(store, None, GroupKind::External, now).await?,
    };
    if group.alias.as_ref().is_some_and(|held| held.id != alias.id) {
        return Err(EngineError::bad("the group has another alias already"));
    }
    if let Some(from) = from.filter(|from| from.id != group.id) {
        without_alias(store, &from, now).await?;
    }
    let placed = (alias.id, group.id);
    group.alias = Some(alias);
    group.modify_index += 1;
    group.updated = now;
    store.put_group(stored.as_ref(), &group).await?;
    Ok(placed)
}

/// Who is in the group stays in it until their next login: nobody tells of it any more.
async fn without_alias(store: &IdentityStore, group: &GroupRecord, now: Time) -> Result<(), EngineError> {
    let index = group.modify_index + 1;
    let without = GroupRecord { alias: None, modify_index: index, updated: now, ..group.clone() };
    store.put_group(Some(group), &without).await
}

async fn read(ctx: SysCtx, params: IdParams) -> Answer {
    match find(&ctx.identity(), &params.id).await? {
        Some((group, alias)) => Reply::json(&show::alias_alone(&alias, &group.id.to_string(), &Mounts::of(&ctx.state))),
        None => Ok(Reply::none()),
    }
}

async fn delete(ctx: SysCtx, params: IdParams) -> Answer {
    let store = ctx.identity();
    if let Some((group, _)) = find(&store, &params.id).await? {
        without_alias(&store, &group, ctx.now()).await?;
    }
    Ok(Reply::none())
}

async fn list(ctx: SysCtx, _: NoParams) -> Answer {
    let mounts = Mounts::of(&ctx.state);
    let groups = ctx.identity().groups().await?;
    let mut items: Vec<_> = groups
        .iter()
        .filter_map(|group| group.alias.as_ref().map(|alias| (group, alias)))
        .map(|(group, alias)| (alias.id.to_string(), show::alias_listed(alias, &group.id.to_string(), &mounts)))
        .collect();
    items.sort_by(|a, b| a.0.cmp(&b.0));
    show::listed(items).map_or_else(|| Ok(Reply::none()), |data| Reply::json(&data))
}
