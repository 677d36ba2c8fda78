//! `identity/entity-alias…`, and the older names of the same: `alias…`, `persona…`.

use super::login::{new_alias, new_entity};
use super::show::{self, Mounts};
use super::{IdentityStore, input};
use crate::sys::SysCtx;
use bulla_kit::{Answer, EngineError, KeyValues, NoParams, Params, Reply, Route};
use bulla_records::{AliasRecord, EntityRecord, Metadata};
use bulla_types::{AliasId, EntityId};
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
    /// What the mount calls the entity.
    name: String,
    /// The entity.
    canonical_id: String,
    #[param(older_name_of = "canonical_id")]
    entity_id: String,
    /// The accessor of the mount.
    mount_accessor: String,
    /// Texts that go with the alias; they replace what was there.
    custom_metadata: Option<KeyValues>,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    let of = |folder: &'static str, all: &'static str, one: &'static str| {
        [
            Route::token(folder)
                .help(
                    "Create or update an alias of an entity.",
                    "The name by which an auth mount knows the entity; without an entity a new one is made.",
                )
                .update(write),
            Route::token(all)
                .help("List the aliases of entities.", "By id, with name, mount and entity of each.")
                .list(list),
            Route::token(one)
                .help("Read, update or delete an alias of an entity.", "By the alias's id.")
                .read(read)
                .update(write)
                .delete(delete),
        ]
    };
    let mut routes = Vec::from(of("entity-alias", "entity-alias/id", "entity-alias/id/{id:any}"));
    routes.extend(of("alias", "alias/id", "alias/id/{id:any}"));
    routes.extend(of("persona", "persona/id", "persona/id/{id:any}"));
    routes
}

/// The alias with this id, and its entity.
async fn find(store: &IdentityStore, id: &str) -> Result<Option<(EntityRecord, AliasRecord)>, EngineError> {
    let Some(id) = AliasId::parse(id) else { return Ok(None) };
    let Some(entity) = store.entity_of_alias(id).await? else { return Ok(None) };
    let alias = entity.aliases.iter().find(|alias| alias.id == id).cloned();
    Ok(alias.map(|alias| (entity, alias)))
}

async fn entity(store: &IdentityStore, id: &str) -> Result<EntityRecord, EngineError> {
    let found = match EntityId::parse(id) {
        Some(id) => store.entity(id).await?,
        None => None,
    };
    found.ok_or_else(|| EngineError::bad("invalid canonical ID"))
}

fn only_one_on(entity: &EntityRecord, accessor: &str) -> Result<(), EngineError> {
    if entity.aliases.iter().any(|alias| alias.mount_accessor == accessor) {
        return Err(EngineError::bad("Alias already exists for requested entity and mount accessor"));
    }
    Ok(())
}

async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    let store = ctx.identity();
    input::name("alias", &params.name)?;
    let custom = params.custom_metadata.clone().map(input::custom_metadata).transpose()?;
    if !params.id.is_empty() {
        let found = find(&store, &params.id).await?;
        let (entity, alias) = found.ok_or_else(|| EngineError::bad("invalid alias ID"))?;
        return update(&ctx, &store, entity, alias, &params, custom).await;
    }
    if params.name.is_empty() || params.mount_accessor.is_empty() {
        return Err(EngineError::bad("'id' or 'mount_accessor' and 'name' must be provided"));
    }
    input::mount(&ctx, &params.mount_accessor)?;
    let Some(entity) = store.entity_known_as(&params.mount_accessor, &params.name).await? else {
        return create(&ctx, &store, &params, custom).await;
    };
    let alias = entity.aliases.iter().find(|alias| alias.mount_accessor == params.mount_accessor).cloned();
    let alias = alias.ok_or_else(|| EngineError::damaged("identity index"))?;
    update(&ctx, &store, entity, alias, &params, custom).await
}

fn canonical(params: &WriteParams) -> &str {
    if params.canonical_id.is_empty() { &params.entity_id } else { &params.canonical_id }
}

async fn create(ctx: &SysCtx, store: &IdentityStore, params: &WriteParams, custom: Option<Metadata>) -> Answer {
    let mount = input::mount(ctx, &params.mount_accessor)?;
    let old = match canonical(params) {
        "" => None,
        id => Some(entity(store, id).await?),
    };
    let mut new = match &old {
        Some(old) => old.clone(),
        None => new_entity(store, None, ctx.now()).await?,
    };
    only_one_on(&new, &params.mount_accessor)?;
    let alias = new_alias(mount, &params.name, ctx.now())?;
    let id = alias.id;
    new.aliases.push(AliasRecord { custom_metadata: custom.unwrap_or_default(), ..alias });
    new.updated = ctx.now();
    store.put_entity(old.as_ref(), &new).await?;
    Reply::json(&json!({ "id": id, "canonical_id": new.id }))
}

/// Changes an alias, or hands it to another entity. Never makes one of two entities: an alias that another entity has
/// already is refused.
async fn update(
    ctx: &SysCtx,
    store: &IdentityStore,
    from: EntityRecord,
    old: AliasRecord,
    params: &WriteParams,
    custom: Option<Metadata>,
) -> Answer {
    let mut alias = old.clone();
    if !params.name.is_empty() {
        alias.name.clone_from(&params.name);
    }
    if !params.mount_accessor.is_empty() {
        let mount = input::mount(ctx, &params.mount_accessor)?;
        (alias.mount_accessor, alias.local) = (mount.accessor.clone(), mount.local);
    }
    if let Some(custom) = custom {
        alias.custom_metadata = custom;
    }
    let to = match canonical(params) {
        "" => from.clone(),
        id if id == from.id.to_string() => from.clone(),
        id => entity(store, id).await?,
    };
    if alias == old && to.id == from.id {
        return Ok(Reply::none());
    }
    let holder = store.entity_known_as(&alias.mount_accessor, &alias.name).await?;
    let taken = |holder: &EntityRecord| {
        let same = |held: &AliasRecord| held.mount_accessor == alias.mount_accessor && held.id == alias.id;
        !holder.aliases.iter().any(same)
    };
    if holder.as_ref().is_some_and(taken) {
        return Err(EngineError::bad("alias with combination of mount accessor and name already exists"));
    }
    alias.updated = ctx.now();
    let answer = json!({ "id": alias.id, "canonical_id": to.id });
    hand_over(ctx, store, from, to, alias).await?;
    Reply::json(&answer)
}

/// Takes the alias from one entity and puts it, as it is now, into the other (or the same).
async fn hand_over(
    ctx: &SysCtx,
    store: &IdentityStore,
    from: EntityRecord,
    to: EntityRecord,
    alias: AliasRecord,
) -> Result<(), EngineError> {
    let mut without = from.clone();
    let at = without.aliases.iter().position(|held| held.id == alias.id).unwrap_or_default();
    without.aliases.retain(|held| held.id != alias.id);
    without.updated = ctx.now();
    if to.id == from.id {
        only_one_on(&without, &alias.mount_accessor)?;
        without.aliases.insert(at, alias);
        return store.put_entity(Some(&from), &without).await;
    }
    only_one_on(&to, &alias.mount_accessor)?;
    store.put_entity(Some(&from), &without).await?;
    let mut with = to.clone();
    with.aliases.push(alias);
    with.updated = ctx.now();
    store.put_entity(Some(&to), &with).await
}

async fn read(ctx: SysCtx, params: IdParams) -> Answer {
    match find(&ctx.identity(), &params.id).await? {
        Some((entity, alias)) => {
            Reply::json(&show::alias_alone(&alias, &entity.id.to_string(), &Mounts::of(&ctx.state)))
        }
        None => Ok(Reply::none()),
    }
}

async fn delete(ctx: SysCtx, params: IdParams) -> Answer {
    let store = ctx.identity();
    if let Some((entity, alias)) = find(&store, &params.id).await? {
        let mut without = entity.clone();
        without.aliases.retain(|held| held.id != alias.id);
        without.updated = ctx.now();
        store.put_entity(Some(&entity), &without).await?;
    }
    Ok(Reply::none())
}

async fn list(ctx: SysCtx, _: NoParams) -> Answer {
    let mounts = Mounts::of(&ctx.state);
    let entities = ctx.identity().entities().await?;
    let mut items: Vec<_> = entities
        .iter()
        .flat_map(|entity| entity.aliases.iter().map(move |alias| (entity, alias)))
        .map(|(entity, alias)| (alias.id.to_string(), show::alias_listed(alias, &entity.id.to_string(), &mounts)))
        .collect();
    items.sort_by(|a, b| a.0.cmp(&b.0));
    show::listed(items).map_or_else(|| Ok(Reply::none()), |data| Reply::json(&data))
}
