//! The floors of the house and the doors for outside libraries. `ARCHITECTURE.md` draws the same picture.
//!
//! ```text
//! base <- rules <- store <- engines/kit <- { engines, auth, core } <- edge
//! ```
//! The workshop (xtask, testkit, tests, benches) may use every floor; the house uses it in tests only.

use crate::workspace::{Member, Target, Use, members};
use crate::{Outcome, none_of};

/// Where a crate stands, told by its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floor {
    Base,
    Rules,
    Store,
    Kit,
    /// A secrets engine or an auth method.
    Engine,
    Core,
    Edge,
    Workshop,
}

impl Floor {
    fn of(folder: &str) -> Option<Self> {
        Some(match folder.split('/').collect::<Vec<_>>().as_slice() {
            ["crates", "base", _] => Self::Base,
            ["crates", "rules", _] => Self::Rules,
            ["crates", "store", _] => Self::Store,
            ["crates", "engines", "kit" | "kit-derive"] | ["crates", "auth", "tokens"] => Self::Kit,
            ["crates", "engines" | "auth", _] => Self::Engine,
            ["crates", "core"] | ["crates", "core", _] => Self::Core,
            ["crates", "edge", _] => Self::Edge,
            ["xtask" | "testkit" | "tests" | "benches"] => Self::Workshop,
            _ => return None,
        })
    }

    fn height(self) -> u8 {
        match self {
            Self::Base => 0,
            Self::Rules => 1,
            Self::Store => 2,
            Self::Kit => 3,
            Self::Engine | Self::Core => 4,
            Self::Edge => 5,
            Self::Workshop => 6,
        }
    }
}

/// Outside libraries that only some rooms may name; everybody else goes through those rooms. A room is a prefix of a
/// crate's folder.
const DOORS: [(&[&str], &[&str]); 8] = [
    // The edges are there for TLS, which brings its own use of the crypto library.
    (&["aws-lc-rs", "aws-lc-sys"], &["crates/rules/crypto", "crates/edge/http", "crates/edge/client"]),
    (&["fjall"], &["crates/store/physical"]),
    (&["pgp", "rand_core"], &["crates/rules/pgp"]),
    (&["hyper", "hyper-util", "http", "http-body", "http-body-util"], &["crates/edge"]),
    (&["rustls", "tokio-rustls", "hyper-rustls", "rustls-webpki"], &["crates/edge"]),
    (&["mimalloc"], &["crates/base/secret"]),
    (&["bcrypt"], &["crates/auth/userpass"]),
    // No I/O and nothing to wait for below the store.
    (&["tokio", "tokio-util"], &["crates/store", "crates/engines", "crates/auth", "crates/core", "crates/edge"]),
];

/// The only crate that lists engines and auth methods.
const REGISTRY: &str = "crates/edge/bulla";

pub fn check() -> Outcome {
    none_of(&findings(&members()?))
}

fn findings(members: &[Member]) -> Vec<String> {
    let mut found = Vec::new();
    for member in members {
        let Some(floor) = Floor::of(&member.folder) else {
            found.push(format!("{}: this folder is on no floor", member.folder));
            continue;
        };
        for arrow in member.arrows.iter().filter(|_| floor != Floor::Workshop) {
            let (wrong, to) = match &arrow.to {
                Target::Ours(to) => (wrong_arrow(floor, &member.folder, to, arrow.use_), to),
                Target::Outside(library) => (wrong_door(&member.folder, library, arrow.use_), library),
            };
            found.extend(wrong.map(|why| format!("{} -> {to}: {why}", member.folder)));
        }
    }
    found
}

/// Why this arrow between crates of ours may not be, if so.
fn wrong_arrow(from: Floor, folder: &str, to: &str, use_: Use) -> Option<&'static str> {
    // A target on no floor is reported as a member already.
    let target = Floor::of(to)?;
    if target == Floor::Workshop {
        return (use_ == Use::Product).then_some("the house uses the workshop in tests only");
    }
    if target.height() > from.height() {
        return Some("goes up");
    }
    let fourth = Floor::Core.height();
    if target.height() == fourth && from.height() == fourth {
        return Some("goes sideways: engines, auth methods and core do not see each other");
    }
    (target == Floor::Engine && folder != REGISTRY).then_some("only the registry lists engines")
}

fn wrong_door(folder: &str, library: &str, use_: Use) -> Option<&'static str> {
    if use_ == Use::Tests {
        return None;
    }
    let (_, rooms) = DOORS.iter().find(|(libraries, _)| libraries.contains(&library))?;
    let inside = |room: &&str| folder.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (!rooms.iter().any(inside)).then_some("this library has its door elsewhere")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Arrow;

    fn one(folder: &str, to: Target, use_: Use) -> Vec<String> {
        findings(&[Member { folder: folder.into(), arrows: vec![Arrow { to, use_ }] }])
    }

    fn ours(from: &str, to: &str) -> Vec<String> {
        one(from, Target::Ours(to.into()), Use::Product)
    }

    fn outside(from: &str, library: &str) -> Vec<String> {
        one(from, Target::Outside(library.into()), Use::Product)
    }

    #[test]
    fn forbidden_arrows_are_found() {
        for (from, to) in [
            ("crates/base/types", "crates/rules/crypto"),
            ("crates/rules/policy", "crates/store/barrier"),
            ("crates/store/audit", "crates/engines/kit"),
            ("crates/engines/kit", "crates/engines/kv"),
            ("crates/engines/kit", "crates/core"),
            ("crates/engines/kv", "crates/engines/transit"),
            ("crates/engines/kv", "crates/auth/approle"),
            ("crates/auth/userpass", "crates/auth/approle"),
            ("crates/auth/tokens", "crates/auth/approle"),
            ("crates/engines/kv", "crates/core"),
            ("crates/core", "crates/engines/kv"),
            ("crates/core", "crates/edge/http"),
            ("crates/edge/http", "crates/engines/kv"),
            ("crates/engines/kv", "testkit"),
        ] {
            assert_eq!(ours(from, to).len(), 1, "{from} -> {to}");
            assert!(ours(from, to).concat().starts_with(&format!("{from} -> {to}: ")));
        }
    }

    #[test]
    fn arrows_down_and_within_a_lower_floor_are_fine() {
        for (from, to) in [
            ("crates/base/wire", "crates/base/types"),
            ("crates/rules/seal", "crates/rules/crypto"),
            ("crates/store/audit", "crates/rules/policy"),
            ("crates/store/barrier", "crates/store/physical"),
            ("crates/engines/kv", "crates/engines/kit"),
            ("crates/core", "crates/engines/kit"),
            ("crates/auth/approle", "crates/auth/tokens"),
            ("crates/auth/tokens", "crates/engines/kit"),
            ("crates/edge/http", "crates/core"),
            ("crates/edge/bulla", "crates/engines/kv"),
            ("testkit", "crates/core"),
        ] {
            assert_eq!(ours(from, to), Vec::<String>::new());
        }
    }

    #[test]
    fn tests_may_use_the_workshop_but_no_upper_floor() {
        assert!(one("crates/engines/kv", Target::Ours("testkit".into()), Use::Tests).is_empty());
        assert!(!one("crates/engines/kv", Target::Ours("crates/core".into()), Use::Tests).is_empty());
    }

    #[test]
    fn libraries_stay_behind_their_doors() {
        for (from, library) in [
            ("crates/store/audit", "aws-lc-rs"),
            ("crates/rules/cryptography", "aws-lc-rs"),
            ("crates/store/barrier", "fjall"),
            ("crates/core", "hyper"),
            ("crates/base/types", "tokio"),
            ("crates/auth/approle", "bcrypt"),
        ] {
            assert_eq!(outside(from, library).len(), 1, "{from} -> {library}");
        }
        for (from, library) in [
            ("crates/rules/crypto", "aws-lc-rs"),
            ("crates/edge/http", "aws-lc-rs"),
            ("crates/store/physical", "fjall"),
            ("crates/edge/client", "hyper"),
            ("crates/core", "tokio"),
            ("testkit", "hyper"),
            ("crates/base/types", "serde"),
        ] {
            assert_eq!(outside(from, library), Vec::<String>::new());
        }
    }

    #[test]
    fn a_folder_on_no_floor_is_found() {
        assert_eq!(outside("crates/cellar/wine", "serde"), ["crates/cellar/wine: this folder is on no floor"]);
    }
}
