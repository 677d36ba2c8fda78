//! Doors beside the doors: functions that one room has to offer across crates and that only a few files may call. The
//! language cannot say so, so that their names are looked for in the sources.

use crate::workspace::root;
use crate::{Outcome, none_of};
use std::fs;
use std::path::Path;

struct Hatch {
    name: &'static str,
    /// Files of the house that may name it.
    files: &'static [&'static str],
}

const HATCHES: [Hatch; 2] = [
    // An answer that leaves without a record.
    Hatch {
        name: "Disclosable::exempt(",
        files: &["crates/store/audit/src/proof.rs", "crates/core/src/record.rs", "crates/core/src/sys/always.rs"],
    },
    // Storage without a pass.
    Hatch {
        name: "before_open(",
        files: &["crates/store/barrier/src/txn.rs", "crates/store/barrier/src/sealed.rs", "crates/core/src/init.rs"],
    },
];

/// Where a file's tests begin; they may open every hatch.
const TESTS: &str = "#[cfg(test)]";

pub fn check() -> Outcome {
    let mut found = Vec::new();
    look_into(&root().join("crates"), &mut found)?;
    none_of(&found)
}

fn look_into(folder: &Path, found: &mut Vec<String>) -> Outcome {
    let fault = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "tests" {
            look_into(&path, found)?;
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let shown = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().into_owned();
            found.extend(opened(&shown, &text));
        }
    }
    Ok(())
}

fn opened(file: &str, text: &str) -> Vec<String> {
    let house = text.split(TESTS).next().unwrap_or_default();
    let closed = HATCHES.iter().filter(|hatch| !hatch.files.contains(&file));
    closed
        .filter(|hatch| house.contains(hatch.name))
        .map(|hatch| format!("{file} may not call `{}…)`", hatch.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_files_and_tests_may() {
        let call = "fn f() { Disclosable::exempt(1, why) }";
        assert_eq!(opened("crates/core/src/record.rs", call), Vec::<String>::new());
        assert_eq!(opened("crates/core/src/route.rs", call).len(), 1);
        assert!(opened("crates/core/src/route.rs", &format!("{TESTS}\n{call}")).is_empty());
    }
}
