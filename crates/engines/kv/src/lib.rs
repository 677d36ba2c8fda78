//! The key-value engine in its two versions: v1 keeps one object a path, v2 keeps versions of it.
//!
//! ```text
//! v1  named  v1/<path>            the object, as its own JSON text
//! v2  named  meta/<path>          metadata: settings, the map of versions, a random key id
//!     plain  <key id><version>    one version's object (16 + 8 bytes, big-endian)
//!     plain  config               the mount's settings
//! ```
//! The spaces do not overlap, so that a v1 mount can become a v2 mount in place (see `v2::upgrade`). A v2 read costs one
//! metadata record and one version record, whatever the number of secrets.
//!
//! Not here: which of the two a mount gets (`core`), encryption of names and values (`store/barrier`).

mod params;
mod tree;
mod v1;
mod v2;

use bulla_kit::{Engine, EngineError};
use std::sync::Arc;

/// The largest object of one secret, in bytes of JSON: 1 MiB of value and room for the names around it.
pub const MAX_SECRET: usize = (1 << 20) + (32 << 10);

/// The unversioned engine.
pub fn kv_v1() -> Arc<dyn Engine> {
    Arc::new(v1::KvV1::new(v1::Reads::Plain))
}

/// The unversioned engine, giving a lease with every read.
pub fn kv_v1_leased() -> Arc<dyn Engine> {
    Arc::new(v1::KvV1::new(v1::Reads::Leased))
}

/// The versioned engine.
pub fn kv_v2() -> Arc<dyn Engine> {
    Arc::new(v2::KvV2::new())
}

fn check_size(object: &str) -> Result<(), EngineError> {
    if object.len() > MAX_SECRET {
        let size = object.len();
        return Err(EngineError::bad(format!("the secret is too large: {size} bytes of at most {MAX_SECRET}")));
    }
    Ok(())
}
