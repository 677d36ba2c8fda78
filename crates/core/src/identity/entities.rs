//! `identity/entity…`.

use super::login::new_entity;
use super::show::{self, Mounts};
use super::{IdentityStore, Standing, input, merge};
use crate::sys::SysCtx;
use bulla_kit::{Answer, CommaList, EngineError, Flag, KeyValues, NoParams, Params, Reply, Route};
use bulla_records::EntityRecord;
use bulla_types::EntityId;
use serde_json::{Map, Value, json};

#[derive(Params)]
struct IdParams {
    /// The entity's id.
    #[param(path)]
    id: String,
}

#[derive(Params)]
struct NameParams {
    /// The entity's name.
    #[param(path)]
    name: String,
}

#[derive(Params)]
struct WriteParams {
    /// The entity's id; made if not given.
    #[param(path)]
    id: String,
    /// The entity's name; made up if not given.
    #[param(path)]
    name: String,
    /// Texts that go with the entity; they replace what was there.
    metadata: Option<KeyValues>,
    /// Policies of all its tokens.
    policies: Option<CommaList>,
    /// Whether its tokens are refused.
    disabled: Flag,
}

#[derive(Params)]
struct BatchParams {
    /// The entities to delete.
    entity_ids: CommaList,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("entity")
            .help(
                "Create or update an entity.",
                "By name or id; without a name one is made up. Policies come on top of those that a token has.",
            )
            .update(write),
        Route::token("entity/batch-delete")
            .help("Delete entities.", "By id, with their aliases; ids that nobody has are passed over.")
            .update(batch_delete),
        Route::token("entity/merge")
            .help("Make several entities one.", "Aliases and memberships move; the others' policies do not.")
            .update(merge::merge),
        Route::token("entity/id").help("List the entities by id.", "With name and aliases of each.").list(list_ids),
        Route::token("entity/id/{id:any}")
            .help("Read, update or delete an entity.", "By the entity's id.")
            .read(read)
            .update(write_id)
            .delete(delete),
        Route::token("entity/name").help("List the entities by name.", "Names only.").list(list_names),
        Route::token("entity/name/{name..}")
            .help("Read, create, update or delete an entity by its name.", "Names are the same in any case.")
            .read(read_named)
            .update(write_named)
            .delete(delete_named),
    ]
}

/// What an entity reads like: the answer of reads and lookups.
///
/// # Errors
/// Storage.
pub async fn answer(ctx: &SysCtx, store: &IdentityStore, entity: EntityRecord) -> Answer {
    let standing = Standing::of(store, entity).await?;
    Reply::json(&show::entity(&standing, &Mounts::of(&ctx.state)))
}

async fn by_id(store: &IdentityStore, id: &str) -> Result<Option<EntityRecord>, EngineError> {
    match EntityId::parse(id) {
        Some(id) => store.entity(id).await,
        None => Ok(None),
    }
}

/// The entity of a name in a path, if policy allows it by its own spelling.
async fn by_name(ctx: &SysCtx, store: &IdentityStore, name: &str) -> Result<Option<EntityRecord>, EngineError> {
    let found = store.entity_named(name).await?;
    if let Some(entity) = &found {
        input::allowed_as_stored(ctx, "entity", name, &entity.name)?;
    }
    Ok(found)
}

async fn read(ctx: SysCtx, params: IdParams) -> Answer {
    let store = ctx.identity();
    match by_id(&store, &params.id).await? {
        Some(entity) => answer(&ctx, &store, entity).await,
        None => Ok(Reply::none()),
    }
}

async fn read_named(ctx: SysCtx, params: NameParams) -> Answer {
    let store = ctx.identity();
    match by_name(&ctx, &store, &params.name).await? {
        Some(entity) => answer(&ctx, &store, entity).await,
        None => Ok(Reply::none()),
    }
}

async fn write(ctx: SysCtx, params: WriteParams) -> Answer {
    let store = ctx.identity();
    let by_id = if params.id.is_empty() { None } else { Some(existing(&store, &params.id).await?) };
    let by_name = if params.name.is_empty() { None } else { store.entity_named(&params.name).await? };
    match (by_id, by_name) {
        (Some(one), Some(other)) if one.id != other.id => Err(EngineError::bad("entity name is already in use")),
        (one, other) => save(&ctx, &store, one.or(other), params).await,
    }
}

async fn existing(store: &IdentityStore, id: &str) -> Result<EntityRecord, EngineError> {
    by_id(store, id).await?.ok_or_else(|| EngineError::bad("entity not found from id"))
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

/// Everything is checked before anything is written.
async fn save(ctx: &SysCtx, store: &IdentityStore, old: Option<EntityRecord>, params: WriteParams) -> Answer {
    input::name("entity", &params.name)?;
    let name = Some(params.name).filter(|name| !name.is_empty());
    let mut entity = match &old {
        Some(old) => EntityRecord { name: name.unwrap_or_else(|| old.name.clone()), ..old.clone() },
        None => new_entity(store, name, ctx.now()).await?,
    };
    if let Some(given) = params.metadata {
        entity.metadata = input::metadata("entity", given)?;
    }
    if let Some(given) = &params.policies {
        entity.policies = input::policies(given)?;
    }
    entity.disabled = params.disabled.unwrap_or(entity.disabled);
    entity.updated = ctx.now();
    store.put_entity(old.as_ref(), &entity).await?;
    match old {
        Some(_) => Ok(Reply::none()),
        None => Reply::json(&json!({ "id": entity.id, "name": entity.name, "aliases": null })),
    }
}

async fn delete(ctx: SysCtx, params: IdParams) -> Answer {
    let store = ctx.identity();
    if let Some(entity) = by_id(&store, &params.id).await? {
        store.delete_entity(&entity);
    }
    Ok(Reply::none())
}

async fn delete_named(ctx: SysCtx, params: NameParams) -> Answer {
    let store = ctx.identity();
    if let Some(entity) = by_name(&ctx, &store, &params.name).await? {
        store.delete_entity(&entity);
    }
    Ok(Reply::none())
}

/// Ids that are nobody's here, be they another namespace's, are passed over.
async fn batch_delete(ctx: SysCtx, params: BatchParams) -> Answer {
    if params.entity_ids.0.is_empty() {
        return Err(EngineError::bad("missing entity ids to delete"));
    }
    let store = ctx.identity();
    for id in &params.entity_ids.0 {
        if let Some(entity) = by_id(&store, id).await? {
            store.delete_entity(&entity);
        }
    }
    Ok(Reply::none())
}

async fn list_ids(ctx: SysCtx, _: NoParams) -> Answer {
    let mounts = Mounts::of(&ctx.state);
    let entities = ctx.identity().entities().await?;
    let items = entities.iter().map(|entity| {
        let mut about = Map::new();
        about.insert("name".into(), entity.name.as_str().into());
        if !entity.aliases.is_empty() {
            let aliases = entity.aliases.iter().map(|alias| Value::Object(show::alias_brief(alias, &mounts)));
            about.insert("aliases".into(), aliases.collect());
        }
        (entity.id.to_string(), about)
    });
    show::listed(items).map_or_else(|| Ok(Reply::none()), |data| Reply::json(&data))
}

async fn list_names(ctx: SysCtx, _: NoParams) -> Answer {
    let mut names: Vec<String> = ctx.identity().entities().await?.into_iter().map(|entity| entity.name).collect();
    names.sort_unstable();
    Reply::keys(&names)
}
