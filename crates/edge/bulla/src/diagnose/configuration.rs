//! Can the configuration be read, and by whom else written?

use crate::config::{self, Config, Environment};
use bulla_cli::Check;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const NAME: &str = "Parse Configuration";

/// The check, and the configuration if there is one to go on with.
pub fn check(paths: &[PathBuf], environment: &Environment) -> (Check, Option<Config>) {
    let config = match config::read(paths, environment) {
        Ok(config) => config,
        Err(error) => return (Check::broken(NAME, error.to_string(), "Correct it; a server stops here."), None),
    };
    let mut parts: Vec<Check> = paths.iter().map(|path| check_file(path)).collect();
    parts.extend(
        config.warnings.iter().map(|line| {
            Check::doubtful("Keys", line.clone(), "Remove what has no effect, so that nobody relies on it.")
        }),
    );
    if let Err(error) = config.check() {
        parts.push(Check::broken("Completeness", error.to_string(), "Add what is missing; a server stops here."));
    }
    (Check::of(NAME, parts), Some(config))
}

/// Whoever can write the configuration can point the server at a store and a listener of their own.
fn check_file(path: &Path) -> Check {
    let name = path.display().to_string();
    match std::fs::metadata(path) {
        Ok(about) if about.permissions().mode() & 0o022 != 0 => {
            Check::doubtful(&name, "others than the owner may change it", format!("chmod go-w {name}"))
        }
        Ok(_) => Check::fine(&name, ""),
        Err(cause) => Check::broken(&name, cause.to_string(), ""),
    }
}
