//! What a lookup tells of a token.

use crate::identity::Standing;
use bulla_records::TokenRecord;
use bulla_types::Time;
use serde_json::{Map, Value, json};

/// The data of `lookup`, `lookup-self` and `lookup-accessor`; `id` is empty where the caller named an accessor.
pub fn describe(record: &TokenRecord, standing: Option<&Standing>, id: &str, now: Time) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| {
        data.insert(name.to_owned(), value);
    };
    put("id", id.into());
    put("accessor", record.accessor.as_str().into());
    put("policies", record.policies.iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>().into());
    put("path", record.path.as_str().into());
    put("meta", json!(record.meta));
    put("display_name", record.display_name.as_str().into());
    put("num_uses", record.uses.unwrap_or(0).into());
    put("orphan", record.parent.is_none().into());
    put("creation_time", record.created.unix().into());
    put("creation_ttl", record.creation_ttl.0.into());
    put("expire_time", record.expires.map_or(Value::Null, |end| end.rfc3339().into()));
    put("ttl", record.ttl(now).0.into());
    put("explicit_max_ttl", record.explicit_max_ttl.map_or(0, |s| s.0).into());
    put("entity_id", record.entity_id.as_str().into());
    put("type", record.kind.word().into());
    put("issue_time", record.created.rfc3339().into());
    put("renewable", record.renewable.into());
    if let Some(standing) = standing.filter(|s| !s.policies().is_empty()) {
        put("identity_policies", standing.policies().iter().map(|p| p.as_str().to_owned()).collect::<Vec<_>>().into());
        put("external_namespace_policies", json!({}));
    }
    if let Some(period) = record.period {
        put("period", period.0.into());
    }
    if let Some(role) = &record.role {
        put("role", role.as_str().into());
    }
    if !record.bound_cidrs.is_empty() {
        put("bound_cidrs", record.bound_cidrs.clone().into());
    }
    if let Some(time) = record.last_renewal {
        put("last_renewal", time.rfc3339().into());
        put("last_renewal_time", time.unix().into());
    }
    data
}
