//! Finding and reading the files.

use super::top::apply;
use super::{Config, ConfigError, Environment};
use std::path::{Path, PathBuf};

/// Reads all files and folders in order, then the text in `VAULT_LOCAL_CONFIG`, then the environment, which wins.
///
/// # Errors
/// The first thing that is wrong, with file and line.
pub fn read(paths: &[PathBuf], environment: &Environment) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    for path in paths {
        for file in files_at(path)? {
            let text =
                std::fs::read_to_string(&file).map_err(|cause| ConfigError::Read { path: file.clone(), cause })?;
            parse(&mut config, &file.display().to_string(), &text)?;
        }
    }
    if let Some(text) = environment.get("LOCAL_CONFIG") {
        parse(&mut config, "VAULT_LOCAL_CONFIG", text)?;
    }
    environment.apply(&mut config);
    Ok(config)
}

pub(super) fn parse(config: &mut Config, file: &str, text: &str) -> Result<(), ConfigError> {
    let document = bulla_hcl::parse(text)
        .map_err(|e| ConfigError::Syntax { file: file.to_owned(), problem: format!("line {}: {e}", e.pos().line) })?;
    apply(config, file, &document.body)
}

fn files_at(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let fail = |cause| ConfigError::Read { path: path.to_owned(), cause };
    if !std::fs::metadata(path).map_err(fail)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fail)? {
        let file = entry.map_err(fail)?.path();
        if file.extension().is_some_and(|e| e == "hcl" || e == "json") {
            found.push(file);
        }
    }
    if found.is_empty() {
        return Err(ConfigError::EmptyFolder(path.to_owned()));
    }
    found.sort();
    Ok(found)
}
