//! `identity/entity/merge`: several entities become one.
//!
//! Aliases, memberships and live tokens of the others become the one's; its own name, policies and metadata stay as they
//! are. Where two of them are known by the same mount, the caller says which alias is kept.

use super::IdentityStore;
use super::show::Mounts;
use crate::sys::SysCtx;
use bulla_kit::{Answer, CommaList, EngineError, Params, RawJson, Reply};
use bulla_records::{AliasRecord, EntityRecord};
use bulla_types::{EntityId, Time};
use serde_json::{Value, json};

#[derive(Params)]
pub struct MergeParams {
    /// The entities that are to become part of another.
    from_entity_ids: CommaList,
    /// The entity that stays.
    to_entity_id: String,
    /// Of aliases on the same mount, the ones to keep.
    conflicting_alias_ids_to_keep: CommaList,
    /// For second factors, which there are none of.
    force: bool,
}

pub async fn merge(ctx: SysCtx, params: MergeParams) -> Answer {
    // Second factors would be merged by it.
    let _ = params.force;
    if params.to_entity_id.is_empty() {
        return Err(EngineError::bad("missing entity id to merge to"));
    }
    if params.from_entity_ids.0.is_empty() {
        return Err(EngineError::bad("missing entity ids to merge from"));
    }
    let store = ctx.identity();
    let target = find(&store, &params.to_entity_id, "to").await?;
    let others = others(&store, &target, &params.from_entity_ids).await?;
    let merged = merged(&target, &others, &params.conflicting_alias_ids_to_keep.0, ctx.now());
    let clashes = clashes(&merged);
    if !clashes.is_empty() {
        return Err(refusal(&clashes, &[&[target], &others[..]].concat(), &Mounts::of(&ctx.state))?);
    }
    // The others' entries go first: the names in them are free by the time they are written again.
    others.iter().for_each(|other| store.delete_entity(other));
    store.put_entity(Some(&target), &merged).await?;
    Ok(Reply::none())
}

async fn find(store: &IdentityStore, id: &str, side: &str) -> Result<EntityRecord, EngineError> {
    let found = match EntityId::parse(id) {
        Some(id) => store.entity(id).await?,
        None => None,
    };
    found.ok_or_else(|| EngineError::bad(format!("entity id to merge {side} is invalid")))
}

async fn others(
    store: &IdentityStore,
    target: &EntityRecord,
    ids: &CommaList,
) -> Result<Vec<EntityRecord>, EngineError> {
    let mut others: Vec<EntityRecord> = Vec::new();
    for id in &ids.0 {
        if *id == target.id.to_string() {
            return Err(EngineError::bad("to_entity_id should not be present in from_entity_ids"));
        }
        let other = find(store, id, "from").await?;
        if others.iter().all(|seen| seen.id != other.id) {
            others.push(other);
        }
    }
    Ok(others)
}

/// The target with all that the others bring. Aliases that clash are still in it, unless one of them is to be kept.
fn merged(target: &EntityRecord, others: &[EntityRecord], keep: &[String], now: Time) -> EntityRecord {
    let mut merged = target.clone();
    for other in others {
        merged.aliases.extend(other.aliases.iter().map(|alias| {
            let mut alias = alias.clone();
            alias.merged_from.push(other.id);
            alias.updated = now;
            alias
        }));
        merged.merged.push(other.id);
        merged.merged.extend(&other.merged);
        merged.groups.extend(&other.groups);
    }
    merged.groups.sort_unstable();
    merged.groups.dedup();
    merged.updated = now;
    let kept: Vec<AliasRecord> =
        merged.aliases.iter().filter(|alias| keep.contains(&alias.id.to_string())).cloned().collect();
    let gives_way = |alias: &AliasRecord| {
        let rival = kept.iter().find(|kept| kept.mount_accessor == alias.mount_accessor);
        rival.is_some() && !kept.iter().any(|kept| kept.id == alias.id)
    };
    merged.aliases.retain(|alias| !gives_way(alias));
    merged
}

/// Aliases that share their mount with another.
fn clashes(entity: &EntityRecord) -> Vec<AliasRecord> {
    let on = |accessor: &str| entity.aliases.iter().filter(|alias| alias.mount_accessor == accessor).count();
    entity.aliases.iter().filter(|alias| on(&alias.mount_accessor) > 1).cloned().collect()
}

fn refusal(
    clashes: &[AliasRecord],
    entities: &[EntityRecord],
    mounts: &Mounts<'_>,
) -> Result<EngineError, EngineError> {
    let told: Vec<Value> = clashes
        .iter()
        .map(|clash| {
            let owner = entities.iter().find(|entity| entity.aliases.iter().any(|alias| alias.id == clash.id));
            let (path, _) = mounts.place(&clash.mount_accessor);
            json!({
                "alias_id": clash.id,
                "alias": clash.name,
                "entity": owner.map_or("", |entity| &entity.name),
                "entity_id": owner.map(|entity| entity.id),
                "mount": clash.mount_accessor,
                "mount_path": path,
            })
        })
        .collect();
    let data = RawJson::of(&told).map_err(|_| EngineError::internal("the clashes could not be written"))?;
    let text = "the entities have aliases with the same mount accessor; repeat the merge request with the ids of those \
                to keep in conflicting_alias_ids_to_keep";
    Ok(EngineError::BadRequestWith { text: text.into(), data })
}
