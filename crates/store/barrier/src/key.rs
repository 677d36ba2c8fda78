//! Physical keys: a keyspace byte, then either sealed name segments or ordered plain bytes.
//!
//! ```text
//! named  0x01 | scope (16) | { length (2, BE) | sealed segment }*      values with names users chose
//! plain  0x1x | bytes                                                  keyed hashes, times, random ids
//! meta   0x00 | fixed word                                             what must be readable while sealed
//! ```
//! The sealed segment is AES-256-GCM-SIV with everything before it as associated data, so that a segment moved below
//! another parent does not open, and equal names in different folders look different.

use bulla_physical::MAX_KEY;

/// The first byte of every physical key. Numbers are stored; never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Keyspace {
    Meta = 0x00,
    Named = 0x01,
    /// Keyed hash of a token id -> token record.
    Token = 0x10,
    /// Keyed hash of an accessor -> keyed hash of its token id.
    Accessor = 0x11,
    /// Keyed hash of a parent, keyed hash of a child -> nothing.
    Children = 0x12,
    /// Time (8, BE), kind, id -> nothing: what falls due, in order.
    Expiry = 0x13,
    /// Keyed hash of a lease's last segment -> lease record.
    Lease = 0x14,
    /// Keyed hash of a token, keyed hash of a lease -> nothing.
    LeaseByToken = 0x15,
    /// Time (8, BE), kind, hash or random id -> nothing or what to do: what the workers have to do with leases, in order.
    LeaseDue = 0x16,
    /// Keyed hash of a lease that cannot be revoked -> nothing.
    LeaseIrrevocable = 0x17,
    /// An engine's own ordered or hashed keys below its scope.
    Engine = 0x20,
}

/// A complete key of the store.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhysicalKey(pub(crate) Vec<u8>);

impl PhysicalKey {
    pub const MAX: usize = MAX_KEY;

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Records that must be readable while sealed are stored as they are given (sealed by `rules/seal` where secret).
    pub(crate) fn is_meta(&self) -> bool {
        self.0.first() == Some(&(Keyspace::Meta as u8))
    }
}

impl std::fmt::Debug for PhysicalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A key in a keyspace without user-chosen names.
pub fn plain_key(space: Keyspace, parts: &[&[u8]]) -> PhysicalKey {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|p| p.len()).sum::<usize>());
    key.push(space as u8);
    for part in parts {
        key.extend_from_slice(part);
    }
    PhysicalKey(key)
}

/// All keys that begin with these parts: `[start, end)`.
pub fn plain_range(space: Keyspace, parts: &[&[u8]]) -> (PhysicalKey, PhysicalKey) {
    let start = plain_key(space, parts);
    let end = PhysicalKey(after_prefix(&start.0));
    (start, end)
}

/// The smallest key greater than every key that starts with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // Only for a prefix of 0xff bytes, which no keyspace has.
    vec![u8::MAX; 17]
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_prefix_and_nothing_else() {
        assert_eq!(after_prefix(&[1, 2]), vec![1, 3]);
        assert_eq!(after_prefix(&[1, 0xff]), vec![2]);
        let (start, end) = plain_range(Keyspace::Expiry, &[&[0xff]]);
        let inside = plain_key(Keyspace::Expiry, &[&[0xff, 0xff, 0xff]]);
        let outside = plain_key(Keyspace::Lease, &[]);
        assert!(start < inside && inside < end && end <= outside);
    }
}
