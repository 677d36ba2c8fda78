//! Finding and reading the files.

use super::top::apply;
use super::{Config, ConfigError, Environment};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a pipe may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// As much as is read of what tells no size, in bytes.
const LARGEST: u64 = 16 << 20;

/// Reads all files and folders in order, then the text in `VAULT_LOCAL_CONFIG`, then the environment, which wins.
///
/// # Errors
/// The first thing that is wrong, with file and line.
pub fn read(paths: &[PathBuf], environment: &Environment) -> Result<Config, ConfigError> {
    let mut config = Config { sources: paths.to_vec(), ..Config::default() };
    for path in paths {
        for file in files_at(path)? {
            let text = text_of(&file).map_err(|cause| ConfigError::Read { path: file.clone(), cause })?;
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

/// Files that are no files are read too, since shells hand over pipes (`<(…)`).
fn text_of(file: &Path) -> io::Result<String> {
    if std::fs::metadata(file)?.is_file() {
        return std::fs::read_to_string(file);
    }
    let (sender, text) = std::sync::mpsc::channel();
    let path = file.to_owned();
    // Opening a pipe waits for a writer. The thread may do so for ever; the process ends with the error.
    std::thread::Builder::new().name("config".into()).spawn(move || sender.send(text_of_pipe(&path)))?;
    text.recv_timeout(PATIENCE).unwrap_or_else(|_| Err(io::Error::other("it is a pipe to which nobody writes")))
}

fn text_of_pipe(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("it has no end"));
    }
    Ok(text)
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
