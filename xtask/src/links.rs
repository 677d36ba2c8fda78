//! Documents name files that exist: a wrong map is worse than none.
//!
//! Two kinds of names are looked at: targets of Markdown links, relative to the document, and words anywhere in it
//! that begin with a folder of the root (`crates/…`, `docs/…`). Fragments and addresses on the web are left alone.

use crate::workspace::root;
use crate::{Outcome, none_of};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders whose documents are looked at as well as those of the root.
const FOLDERS: [&str; 3] = ["docs", "changelog", "tests"];
/// Root folders that come and go.
const UNKEPT: [&str; 2] = ["target", ".git"];

pub fn check() -> Outcome {
    let root = root();
    let mut documents = Vec::new();
    collect(root, false, &mut documents)?;
    for folder in FOLDERS {
        collect(&root.join(folder), true, &mut documents)?;
    }
    let mut found = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).map_err(|e| format!("{}: {e}", document.display()))?;
        let folder = document.parent().unwrap_or(root);
        for (number, line) in text.lines().enumerate() {
            for name in missing(line, folder, root) {
                let shown = document.strip_prefix(root).unwrap_or(&document).display();
                found.push(format!("{shown}:{}: `{name}` does not exist", number + 1));
            }
        }
    }
    none_of(&found)
}

fn collect(folder: &Path, deep: bool, into: &mut Vec<PathBuf>) -> Outcome {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(|e| format!("{}: {e}", folder.display()))?.path();
        if path.is_dir() && deep {
            collect(&path, true, into)?;
        } else if path.extension().is_some_and(|e| e == "md") {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

/// Names in one line that lead nowhere.
fn missing(line: &str, folder: &Path, root: &Path) -> Vec<String> {
    let links = targets(line).filter(|target| !folder.join(target).exists());
    let paths = words(line).filter(|word| in_root(word, root) && !root.join(word).exists());
    let mut names: Vec<String> = links.chain(paths).map(str::to_owned).collect();
    names.dedup();
    names
}

/// `](target)` without its fragment; addresses with a scheme are not ours to check.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        (!target.is_empty() && !target.contains(':')).then_some(target)
    })
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || "_-./*<>{}:$".contains(c);
    line.split(move |c| !part_of_path(c)).map(|word| word.trim_start_matches("./").trim_end_matches(['.', ':', '/']))
}

/// Whether a word means a path of ours. One with a hole (`docs/<noun>.md`, `crates/base/*`) is a pattern, not a path.
fn in_root(word: &str, root: &Path) -> bool {
    let Some((first, _)) = word.split_once('/') else { return false };
    let pattern = word.contains(['*', '<', '>', '{', '}', ':', '$']);
    !pattern && !first.is_empty() && !UNKEPT.contains(&first) && first != ".." && root.join(first).is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing_here(line: &str) -> Vec<String> {
        missing(line, root(), root())
    }

    #[test]
    fn what_is_there_passes() {
        for line in [
            "see [the tool](xtask/src/main.rs#top) and `xtask/src/links.rs`, or xtask/src.",
            "run ./xtask/src/main.rs; [web](https://example.org/xtask/nothing), https://example.org/xtask/nothing",
            "`xtask/src/<noun>.rs`, `xtask/*/main.rs`, `secret/data/app`, either/or, target/release/bulla",
        ] {
            assert_eq!(missing_here(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(missing_here("[gone](gone.md) and `xtask/src/gone.rs`."), ["gone.md", "xtask/src/gone.rs"]);
        assert_eq!(missing_here("  xtask/gone/  # a drawing"), ["xtask/gone"]);
    }
}
