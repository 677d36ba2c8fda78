//! The words everybody speaks: paths, names, ids, times, durations, networks, operations and capabilities.
//!
//! Text becomes one of these once, at the edge, and is trusted afterwards. Not here: I/O, the clock, randomness,
//! HTTP shapes (`bulla-wire`), memory that is erased (`bulla-secret`).

mod duration;
mod identity;
mod name;
mod network;
mod operation;
mod path;
mod time;

pub use duration::{DurationError, Seconds, go_duration_text, parse_duration};
pub use identity::{AliasId, EntityId, GroupId, fold_name};
pub use name::{Accessor, NameError, NamespaceId, PolicyName, ScopeId, is_unseen};
pub use network::Network;
pub use operation::{Capabilities, Capability, Operation};
pub use path::{MountPath, PathError, RequestPath, clean_path};
pub use time::Time;
