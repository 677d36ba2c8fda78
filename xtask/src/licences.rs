//! Licences and bans. The lists are those of `deny.toml`, so that `cargo deny`, where installed, says the same.
//!
//! What is checked is what cargo would build, for every target, as `cargo tree` shows it: the lock file also names
//! optional crates that nothing turns on.

use crate::workspace::{ask_cargo, root};
use crate::{Outcome, none_of};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
}

pub fn check() -> Outcome {
    let text = std::fs::read_to_string(root().join("deny.toml")).map_err(|e| format!("deny.toml: {e}"))?;
    let deny: Deny = toml::from_str(&text).map_err(|e| format!("deny.toml: {e}"))?;
    let tree = ask_cargo(&[
        "tree",
        "--locked",
        "--workspace",
        "--target=all",
        "--edges=normal,build,dev",
        "--prefix=none",
        "--format={p}|{l}",
    ])?;
    none_of(&findings(&deny, &String::from_utf8_lossy(&tree)))
}

fn findings(deny: &Deny, tree: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for line in tree.lines() {
        let Some((package, licence)) = line.split_once('|') else { continue };
        let name = package.split(' ').next().unwrap_or(package);
        let licence = licence.trim_end_matches(" (*)").trim();
        if deny.bans.deny.iter().any(|ban| ban.name == name) {
            found.insert(format!("{package}: banned"));
        }
        if !allowed(licence, &deny.licenses.allow) {
            found.insert(format!("{package}: licence `{licence}` is not on the list"));
        }
    }
    found.into_iter().collect()
}

/// Whether an SPDX expression can be satisfied with the listed licences. `AND` binds closer than `OR`; the old `/`
/// means `OR`; an unknown `WITH` exception makes a licence of its own.
fn allowed(expression: &str, list: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest, list) && rest.is_empty()
}

fn either(rest: &mut &[&str], list: &BTreeSet<String>) -> bool {
    let mut good = both(rest, list);
    while let ["OR", tail @ ..] = *rest {
        *rest = tail;
        good |= both(rest, list);
    }
    good
}

fn both(rest: &mut &[&str], list: &BTreeSet<String>) -> bool {
    let mut good = one(rest, list);
    while let ["AND", tail @ ..] = *rest {
        *rest = tail;
        good &= one(rest, list);
    }
    good
}

fn one(rest: &mut &[&str], list: &BTreeSet<String>) -> bool {
    match *rest {
        ["(", tail @ ..] => {
            *rest = tail;
            let good = either(rest, list);
            let [")", tail @ ..] = *rest else { return false };
            *rest = tail;
            good
        }
        [licence, "WITH", exception, tail @ ..] => {
            *rest = tail;
            list.contains(&format!("{licence} WITH {exception}"))
        }
        [licence, tail @ ..] => {
            *rest = tail;
            list.contains(*licence)
        }
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "ISC"].map(String::from).into()
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/GPL-2.0",
            "ISC AND (GPL-3.0 OR MIT)",
            "GPL-3.0 AND GPL-2.0 OR MIT",
            "MIT OR Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allowed(good, &list()), "{good}");
        }
        for bad in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "ISC AND (GPL-3.0 OR AGPL-3.0)", "(MIT", "MIT ISC", "Apache-2.0 WITH X"]
        {
            assert!(!allowed(bad, &list()), "{bad}");
        }
    }

    #[test]
    fn bans_and_strange_licences_are_found() {
        let deny =
            Deny { licenses: Licenses { allow: list() }, bans: Bans { deny: vec![Ban { name: "ring".into() }] } };
        let tree = "serde v1.0.0|MIT OR Apache-2.0 (*)\nring v0.17.0|Apache-2.0 AND ISC\nviral v1.0.0|GPL-3.0\nserde v1.0.0|MIT\n";
        assert_eq!(
            findings(&deny, tree),
            ["ring v0.17.0: banned", "viral v1.0.0: licence `GPL-3.0` is not on the list"]
        );
    }
}
