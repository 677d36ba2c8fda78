//! Entities and groups. An alias lies inside the record of what it stands for, so that it can never point nowhere. All
//! indexes are made from these records (see the identity store in core) and can be made again from them.

use bulla_types::{AliasId, EntityId, GroupId, PolicyName, Time};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub type Metadata = IndexMap<String, String>;

/// Lies under its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityRecord {
    pub id: EntityId,
    /// As it was written; unique in any case.
    pub name: String,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyName>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    pub created: Time,
    pub updated: Time,
    /// Entities that have become part of this one; their tokens are this one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<EntityId>,
    /// At most one on each mount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<AliasRecord>,
    /// Groups it is a member of itself, sorted; what these are members of is in their records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupId>,
}

/// A name on an auth mount; unique there in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    pub id: AliasId,
    pub name: String,
    pub mount_accessor: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
    /// What the auth method said at the last login.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// What an administrator wrote.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub custom_metadata: Metadata,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<EntityId>,
    pub created: Time,
    pub updated: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupKind {
    /// An administrator says who is in it.
    #[default]
    Internal,
    /// Logins say who is in it.
    External,
}

impl GroupKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "internal" => Some(Self::Internal),
            "external" => Some(Self::External),
            _ => None,
        }
    }
}

/// Lies under its id. Who is in it stands in the members' own records: a group may have very many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    pub id: GroupId,
    /// As it was written; unique in any case.
    pub name: String,
    #[serde(default)]
    pub kind: GroupKind,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyName>,
    /// Groups that it is a member of, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<GroupId>,
    /// External groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<AliasRecord>,
    /// Counts the writes of this record. Logins that change who is in the group are not among them.
    #[serde(default)]
    pub modify_index: u64,
    pub created: Time,
    pub updated: Time,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{decode, encode};

    fn metadata(key: &str, value: &str) -> Metadata {
        [(key.to_owned(), value.to_owned())].into()
    }

    fn alias() -> AliasRecord {
        AliasRecord {
            id: AliasId([2; 16]),
            name: "bob".into(),
            mount_accessor: "auth_userpass_1".into(),
            local: true,
            metadata: metadata("username", "bob"),
            custom_metadata: metadata("k", "v"),
            merged_from: vec![EntityId([9; 16])],
            created: Time(1),
            updated: Time(2),
        }
    }

    fn entity() -> EntityRecord {
        EntityRecord {
            id: EntityId([1; 16]),
            name: "Robert".into(),
            metadata: metadata("team", "blue"),
            policies: vec![PolicyName::parse("p").unwrap()],
            disabled: true,
            created: Time(1),
            updated: Time(2),
            merged: vec![EntityId([9; 16])],
            aliases: vec![alias()],
            groups: vec![GroupId([3; 16])],
        }
    }

    fn group() -> GroupRecord {
        GroupRecord {
            id: GroupId([3; 16]),
            name: "Ops".into(),
            kind: GroupKind::External,
            metadata: metadata("a", "1"),
            policies: vec![PolicyName::parse("q").unwrap()],
            parents: vec![GroupId([4; 16])],
            alias: Some(alias()),
            modify_index: 2,
            created: Time(1),
            updated: Time(2),
        }
    }

    fn text<T: Serialize>(record: &T) -> String {
        String::from_utf8(encode("test", record).unwrap()).unwrap()
    }

    #[test]
    fn what_is_stored_does_not_change() {
        assert_eq!(text(&entity()), include_str!("../golden/entity.json").trim());
        assert_eq!(decode::<EntityRecord>("e", include_bytes!("../golden/entity.json")).unwrap(), entity());
        assert_eq!(text(&group()), include_str!("../golden/group.json").trim());
        assert_eq!(decode::<GroupRecord>("g", include_bytes!("../golden/group.json")).unwrap(), group());
    }

    #[test]
    fn the_smallest_records_read() {
        let plain: EntityRecord = decode("e", include_bytes!("../golden/entity-smallest.json")).unwrap();
        assert!(plain.aliases.is_empty() && plain.policies.is_empty() && !plain.disabled);
        assert_eq!(text(&plain), include_str!("../golden/entity-smallest.json").trim());
        let plain: GroupRecord = decode("g", include_bytes!("../golden/group-smallest.json")).unwrap();
        assert_eq!((plain.kind, plain.modify_index), (GroupKind::Internal, 0));
    }
}
