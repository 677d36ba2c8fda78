//! What the process asks of the system before it holds anything worth protecting.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many open files as the system allows: each connection is one.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}
