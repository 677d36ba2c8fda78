//! What cargo knows of the workspace: members and their direct dependencies. Not here: what is allowed (`layers`).

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate of ours, by its folder relative to the root: `crates/rules/policy`.
#[derive(Clone, Debug)]
pub struct Member {
    pub folder: String,
    pub arrows: Vec<Arrow>,
}

/// A direct dependency.
#[derive(Clone, Debug)]
pub struct Arrow {
    pub to: Target,
    pub use_: Use,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Folder of another member.
    Ours(String),
    /// Name of a crate from outside.
    Outside(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// In what is shipped, or in the making of it.
    Product,
    Tests,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// The folder this tool was built from lies one below the root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The cargo that called us, so that the toolchain stays the same.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

/// Standard output of a cargo command in the root.
pub fn ask_cargo(arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new(cargo())
        .current_dir(root())
        .args(arguments)
        .output()
        .map_err(|cause| format!("cargo could not be started: {cause}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("`cargo {}` failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
}

pub fn members() -> Result<Vec<Member>, String> {
    let text = ask_cargo(&["metadata", "--format-version", "1", "--locked", "--no-deps"])?;
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let folders: BTreeMap<&str, String> = metadata.packages.iter().map(|p| (p.name.as_str(), folder(p))).collect();
    Ok(metadata.packages.iter().map(|package| member(package, &folders)).collect())
}

fn folder(package: &Package) -> String {
    let folder = package.manifest_path.parent().unwrap_or(Path::new(""));
    folder.strip_prefix(root()).unwrap_or(folder).display().to_string()
}

fn member(package: &Package, folders: &BTreeMap<&str, String>) -> Member {
    let arrow = |dependency: &Dependency| Arrow {
        to: match folders.get(dependency.name.as_str()) {
            Some(folder) => Target::Ours(folder.clone()),
            None => Target::Outside(dependency.name.clone()),
        },
        use_: if dependency.kind.as_deref() == Some("dev") { Use::Tests } else { Use::Product },
    };
    Member { folder: folder(package), arrows: package.dependencies.iter().map(arrow).collect() }
}
