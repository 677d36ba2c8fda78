//! How entities, groups and aliases read.

use super::Standing;
use crate::state::State;
use bulla_records::{AliasRecord, GroupRecord, Metadata, MountRecord};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt::Display;

/// Mounts by accessor, to say where an alias is from.
pub struct Mounts<'a>(HashMap<&'a str, &'a MountRecord>);

impl<'a> Mounts<'a> {
    pub fn of(state: &'a State) -> Self {
        Self(state.mounts.iter().map(|mount| (mount.record.accessor.as_str(), &mount.record)).collect())
    }

    /// Path and type; both empty once the mount is gone.
    pub fn place(&self, accessor: &str) -> (&str, &str) {
        self.0.get(accessor).map_or(("", ""), |mount| (mount.path.as_str(), mount.kind.as_str()))
    }

    fn put(&self, accessor: &str, data: &mut Map<String, Value>) {
        let (path, kind) = self.place(accessor);
        data.insert("mount_accessor".into(), accessor.into());
        data.insert("mount_path".into(), path.into());
        data.insert("mount_type".into(), kind.into());
    }
}

fn texts<T: Display>(items: impl IntoIterator<Item = T>) -> Value {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().into()
}

/// An empty list or map is shown as null.
fn or_null(value: Value) -> Value {
    let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    if empty { Value::Null } else { value }
}

fn map(metadata: &Metadata) -> Value {
    or_null(json!(metadata))
}

/// What every form of an alias has.
fn alias_core(alias: &AliasRecord, of: &str, mounts: &Mounts<'_>) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("canonical_id".into(), of.into());
    data.insert("metadata".into(), map(&alias.metadata));
    data.insert("name".into(), alias.name.as_str().into());
    mounts.put(&alias.mount_accessor, &mut data);
    data
}

/// An alias inside its entity; `of` is the id of what it stands for.
pub fn alias(alias: &AliasRecord, of: &str, mounts: &Mounts<'_>) -> Map<String, Value> {
    let mut data = group_alias(alias, of, mounts);
    data.insert("custom_metadata".into(), map(&alias.custom_metadata));
    data.insert("local".into(), alias.local.into());
    data
}

/// An alias inside its group.
fn group_alias(alias: &AliasRecord, of: &str, mounts: &Mounts<'_>) -> Map<String, Value> {
    let mut data = alias_core(alias, of, mounts);
    data.insert("id".into(), alias.id.to_string().into());
    data.insert("creation_time".into(), alias.created.rfc3339().into());
    data.insert("last_update_time".into(), alias.updated.rfc3339().into());
    data.insert("merged_from_canonical_ids".into(), or_null(texts(&alias.merged_from)));
    data
}

/// An alias by itself.
pub fn alias_alone(record: &AliasRecord, of: &str, mounts: &Mounts<'_>) -> Map<String, Value> {
    let mut data = alias(record, of, mounts);
    data.insert("namespace_id".into(), "root".into());
    data
}

/// An alias in the list of all aliases.
pub fn alias_listed(alias: &AliasRecord, of: &str, mounts: &Mounts<'_>) -> Map<String, Value> {
    let mut data = alias_core(alias, of, mounts);
    data.insert("custom_metadata".into(), map(&alias.custom_metadata));
    data.insert("local".into(), alias.local.into());
    data
}

/// An alias in the list of entities or groups.
pub fn alias_brief(alias: &AliasRecord, mounts: &Mounts<'_>) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("id".into(), alias.id.to_string().into());
    data.insert("name".into(), alias.name.as_str().into());
    mounts.put(&alias.mount_accessor, &mut data);
    data
}

pub fn entity(standing: &Standing, mounts: &Mounts<'_>) -> Map<String, Value> {
    let record = &standing.entity;
    let id = record.id.to_string();
    let (direct, inherited) = (standing.direct_groups(), standing.inherited_groups());
    let ids = |groups: &[GroupRecord]| texts(groups.iter().map(|group| group.id));
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("aliases", record.aliases.iter().map(|item| Value::Object(alias(item, &id, mounts))).collect());
    put("creation_time", record.created.rfc3339().into());
    put("direct_group_ids", ids(direct));
    put("disabled", record.disabled.into());
    put("group_ids", texts(direct.iter().chain(inherited).map(|group| group.id)));
    put("id", id.as_str().into());
    put("inherited_group_ids", ids(inherited));
    put("last_update_time", record.updated.rfc3339().into());
    put("merged_entity_ids", or_null(texts(&record.merged)));
    put("metadata", map(&record.metadata));
    put("name", record.name.as_str().into());
    put("namespace_id", "root".into());
    put("policies", texts(&record.policies));
    data
}

/// `members` and `children` are the ids of those in it.
pub fn group(
    record: &GroupRecord,
    members: impl IntoIterator<Item: Display>,
    children: impl IntoIterator<Item: Display>,
    mounts: &Mounts<'_>,
) -> Map<String, Value> {
    let id = record.id.to_string();
    let alias = record.alias.as_ref().map(|alias| group_alias(alias, &id, mounts)).unwrap_or_default();
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("alias", Value::Object(alias));
    put("creation_time", record.created.rfc3339().into());
    put("id", id.as_str().into());
    put("last_update_time", record.updated.rfc3339().into());
    put("member_entity_ids", or_null(texts(members)));
    put("member_group_ids", or_null(texts(children)));
    put("metadata", map(&record.metadata));
    put("modify_index", record.modify_index.into());
    put("name", record.name.as_str().into());
    put("namespace_id", "root".into());
    put("parent_group_ids", or_null(texts(&record.parents)));
    put("policies", or_null(texts(&record.policies)));
    put("type", record.kind.word().into());
    data
}

/// The answer to a list by id.
pub fn listed(items: impl IntoIterator<Item = (String, Map<String, Value>)>) -> Option<Value> {
    let mut keys: Vec<Value> = Vec::new();
    let mut info = Map::new();
    for (id, about) in items {
        keys.push(id.as_str().into());
        info.insert(id, Value::Object(about));
    }
    (!keys.is_empty()).then(|| json!({ "keys": keys, "key_info": info }))
}
