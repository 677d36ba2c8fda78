//! Ids of identity: random UUIDs, one type for each noun, and the folding of the names beside them.

use crate::NameError;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// Reads the one spelling there is: lower case with hyphens. Policies see ids as text, so that another
            /// spelling of the same id must not lead to the same thing.
            pub fn parse(text: &str) -> Option<Self> {
                let id = Self(uuid::Uuid::parse_str(text).ok()?.into_bytes());
                (id.to_string() == text).then_some(id)
            }

            /// An id of these random bytes, with the marks of a version 4 UUID.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", uuid::Uuid::from_bytes(self.0).hyphenated())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text).ok_or(NameError::Character)
            }
        }
    };
}

random_id!(
    /// Somebody (or something) that policies speak about, however it logs in.
    EntityId
);
random_id!(
    /// What an entity or an external group is called by one auth mount.
    AliasId
);
random_id!(
    /// A group of entities and of other groups.
    GroupId
);

/// Names of entities, groups and aliases mean the same in any case. Character by character: what a letter becomes must
/// not depend on its neighbours, or two spellings of one name could differ.
pub fn fold_name(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = EntityId::from_random([0xab; 16]);
        let text = id.to_string();
        assert_eq!(EntityId::parse(&text), Some(id));
        assert_eq!(&text[14..15], "4");
        for other in [text.to_uppercase(), text.replace('-', ""), format!("{{{text}}}"), format!("urn:uuid:{text}")] {
            assert_eq!(EntityId::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn names_mean_the_same_in_any_case() {
        for name in ["bob", "ΑΣ", "Straße", "ÅNGSTRÖM"] {
            let folded = fold_name(name);
            assert_eq!(fold_name(&folded), folded, "{name}");
            assert_eq!(fold_name("Bob"), fold_name("bOB"));
        }
        // Folded as whole words, the last letters of these two would differ.
        assert_eq!(fold_name("ΑΣ"), fold_name("ασ"));
    }
}
