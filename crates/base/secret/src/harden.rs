//! Keeping the process's memory out of core dumps and away from other processes of the same user.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::fmt;
use std::io;

/// A protection the system did not grant.
#[derive(Debug)]
pub struct Unhardened {
    pub what: &'static str,
    pub cause: io::Error,
}

impl fmt::Display for Unhardened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be set: {}", self.what, self.cause)
    }
}

/// Forbids core dumps (`RLIMIT_CORE` 0, soft and hard) and makes the process not dumpable, which also stops other
/// processes of the same user from attaching. Tries everything; returns what could not be done. Cannot be undone.
pub fn harden_process() -> Vec<Unhardened> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let steps = [
        ("the core dump limit", setrlimit(Resource::Core, none)),
        ("the not-dumpable flag", set_dumpable_behavior(DumpableBehavior::NotDumpable)),
    ];
    steps
        .into_iter()
        .filter_map(|(what, done)| done.err().map(|cause| Unhardened { what, cause: cause.into() }))
        .collect()
}
