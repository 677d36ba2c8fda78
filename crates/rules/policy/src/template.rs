//! Templates in policy paths: `{{identity.…}}` becomes a typed hole when the policy is parsed and is filled with the
//! caller's values when rules are compiled. Not here: where the values come from (the identity store, in core).

use crate::policy::Options;
use std::borrow::Cow;

/// What a hole asks about the caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hole {
    EntityId,
    EntityName,
    EntityMetadata(String),
    AliasId {
        accessor: String,
    },
    AliasName {
        accessor: String,
    },
    AliasMetadata {
        accessor: String,
        key: String,
    },
    AliasCustomMetadata {
        accessor: String,
        key: String,
    },
    GroupNameById {
        id: String,
    },
    GroupMetadataById {
        id: String,
        key: String,
    },
    GroupIdByName {
        name: String,
    },
    GroupMetadataByName {
        name: String,
        key: String,
    },
    /// A directive nobody knows. Accepted as upstream does; it never has a value.
    Unknown(String),
}

/// Values for holes. Implemented by whoever knows the caller's entity, aliases and groups.
///
/// For an alias hole the alias is the one the caller logged in with, if that is on the mount asked for.
pub trait Identity {
    /// `None`: the caller has no such value. Groups count only if the caller is a member.
    fn value(&self, hole: &Hole) -> Option<Cow<'_, str>>;
}

/// A caller without an entity.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIdentity;

impl Identity for NoIdentity {
    fn value(&self, _: &Hole) -> Option<Cow<'_, str>> {
        None
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Hole(Hole),
}

/// A path with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    source: String,
    pieces: Vec<Piece>,
}

/// `{{` and `}}` do not pair up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unbalanced;

/// Why a template has no path for this caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfilled {
    Missing,
    Forbidden,
}

impl Template {
    pub(crate) fn parse(source: &str) -> Result<Self, Unbalanced> {
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(open) = rest.find("{{") {
            let (text, tail) = rest.split_at(open);
            let inner_and_rest = &tail[2..];
            let close = inner_and_rest.find("}}").ok_or(Unbalanced)?;
            let inner = &inner_and_rest[..close];
            if text.contains("}}") || inner.contains("{{") {
                return Err(Unbalanced);
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            pieces.push(Piece::Hole(parse_hole(inner.trim())));
            rest = &inner_and_rest[close + 2..];
        }
        if rest.contains("}}") {
            return Err(Unbalanced);
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { source: source.to_owned(), pieces })
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn has_holes(&self) -> bool {
        self.holes().next().is_some()
    }

    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Hole(hole) => Some(hole),
            Piece::Text(_) => None,
        })
    }

    pub(crate) fn fill(&self, identity: &dyn Identity, options: &Options) -> Result<String, Unfilled> {
        let mut out = String::with_capacity(self.source.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Hole(hole) => {
                    let value = identity.value(hole).ok_or(Unfilled::Missing)?;
                    if !may_fill(&value, options) {
                        return Err(Unfilled::Forbidden);
                    }
                    out.push_str(&value);
                }
            }
        }
        Ok(out)
    }
}

/// Users can often choose these values, so they must not mean more than themselves in a path.
fn may_fill(value: &str, options: &Options) -> bool {
    let relative = value.split('/').any(|s| matches!(s, "" | "." | ".."));
    let encoded = value.as_bytes().windows(3).any(|w| w[0] == b'%' && w[1..].iter().all(u8::is_ascii_hexdigit));
    !relative
        && !encoded
        && !value.contains("{{")
        && !value.contains("}}")
        && !value.chars().any(char::is_control)
        && (options.allow_slashes || !value.contains('/'))
        && (options.allow_wildcards || !value.contains(['*', '+']))
}

fn parse_hole(text: &str) -> Hole {
    known_hole(text).unwrap_or_else(|| Hole::Unknown(text.to_owned()))
}

/// Keys of metadata may contain dots, so they are what remains; accessors, ids and group names may not.
fn known_hole(text: &str) -> Option<Hole> {
    let text = text.strip_prefix("identity.")?;
    if let Some(entity) = text.strip_prefix("entity.") {
        return match entity {
            "id" => Some(Hole::EntityId),
            "name" => Some(Hole::EntityName),
            _ => {
                if let Some(key) = entity.strip_prefix("metadata.") {
                    return Some(Hole::EntityMetadata(key.to_owned()));
                }
                alias_hole(entity.strip_prefix("aliases.")?)
            }
        };
    }
    if let Some(by_id) = text.strip_prefix("groups.ids.") {
        let (id, field) = by_id.split_once('.')?;
        let id = id.to_owned();
        return match field {
            "name" => Some(Hole::GroupNameById { id }),
            _ => field.strip_prefix("metadata.").map(|k| Hole::GroupMetadataById { id, key: k.to_owned() }),
        };
    }
    let by_name = text.strip_prefix("groups.names.")?;
    if let Some(name) = by_name.strip_suffix(".id") {
        return Some(Hole::GroupIdByName { name: name.to_owned() });
    }
    let (name, key) = by_name.split_once(".metadata.")?;
    Some(Hole::GroupMetadataByName { name: name.to_owned(), key: key.to_owned() })
}

fn alias_hole(text: &str) -> Option<Hole> {
    let (accessor, field) = text.split_once('.')?;
    let accessor = accessor.to_owned();
    match field {
        "id" => Some(Hole::AliasId { accessor }),
        "name" => Some(Hole::AliasName { accessor }),
        _ => match field.strip_prefix("metadata.") {
            Some(key) => Some(Hole::AliasMetadata { accessor, key: key.to_owned() }),
            None => field
                .strip_prefix("custom_metadata.")
                .map(|key| Hole::AliasCustomMetadata { accessor, key: key.to_owned() }),
        },
    }
}
