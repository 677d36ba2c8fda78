//! `identity/lookup/…`: an entity or a group by whatever is known of it.

use super::{entities, groups};
use crate::sys::SysCtx;
use bulla_kit::{Answer, EngineError, Params, Reply, Route};
use bulla_types::{AliasId, EntityId, GroupId};

#[derive(Params)]
struct LookupParams {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// The id of an alias of it.
    alias_id: String,
    /// What a mount calls it; needs `alias_mount_accessor`.
    alias_name: String,
    /// The accessor of that mount.
    alias_mount_accessor: String,
}

/// The one thing that is known.
enum Known<'a> {
    Id(&'a str),
    Name(&'a str),
    AliasId(&'a str),
    Alias { accessor: &'a str, name: &'a str },
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("lookup/entity").help("Find an entity.", "By exactly one property.").update(entity),
        Route::token("lookup/group").help("Find a group.", "By exactly one property.").update(group),
    ]
}

impl LookupParams {
    fn known(&self) -> Result<Known<'_>, EngineError> {
        let given = [&self.id, &self.name, &self.alias_id, &self.alias_name, &self.alias_mount_accessor];
        let count = given.iter().filter(|text| !text.is_empty()).count();
        let (accessor, name) = (self.alias_mount_accessor.as_str(), self.alias_name.as_str());
        match (count, accessor.is_empty(), name.is_empty()) {
            (0, ..) => Err(EngineError::bad("query parameter not supplied")),
            (2, false, false) => Ok(Known::Alias { accessor, name }),
            (1, true, true) if !self.id.is_empty() => Ok(Known::Id(&self.id)),
            (1, true, true) if !self.name.is_empty() => Ok(Known::Name(&self.name)),
            (1, true, true) => Ok(Known::AliasId(&self.alias_id)),
            (1, ..) => Err(EngineError::bad("both 'alias_name' and 'alias_mount_accessor' needs to be set")),
            _ => Err(EngineError::bad("query parameter conflict; please supply distinct set of query parameters")),
        }
    }
}

async fn entity(ctx: SysCtx, params: LookupParams) -> Answer {
    let store = ctx.identity();
    let found = match params.known()? {
        Known::Id(id) => match EntityId::parse(id) {
            Some(id) => store.entity(id).await?,
            None => None,
        },
        Known::Name(name) => store.entity_named(name).await?,
        Known::AliasId(id) => match AliasId::parse(id) {
            Some(id) => store.entity_of_alias(id).await?,
            None => None,
        },
        Known::Alias { accessor, name } => store.entity_known_as(accessor, name).await?,
    };
    match found {
        Some(found) => entities::answer(&ctx, &store, found).await,
        None => Ok(Reply::none()),
    }
}

async fn group(ctx: SysCtx, params: LookupParams) -> Answer {
    let store = ctx.identity();
    let found = match params.known()? {
        Known::Id(id) => match GroupId::parse(id) {
            Some(id) => store.group(id).await?,
            None => None,
        },
        Known::Name(name) => store.group_named(name).await?,
        Known::AliasId(id) => match AliasId::parse(id) {
            Some(id) => store.group_of_alias(id).await?,
            None => None,
        },
        Known::Alias { accessor, name } => store.group_known_as(accessor, name).await?,
    };
    match found {
        Some(found) => groups::answer(&ctx, &store, &found).await,
        None => Ok(Reply::none()),
    }
}
