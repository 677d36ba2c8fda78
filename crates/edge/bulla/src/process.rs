//! What the process asks of the system before it holds anything worth protecting.

use crate::start::StartError;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::PathBuf;

/// As many open files as the system allows: each connection is one.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// A file with the number of this process, there as long as the server runs.
pub struct PidFile(PathBuf);

impl PidFile {
    /// # Errors
    /// The file cannot be written.
    pub fn write(path: PathBuf) -> Result<Self, StartError> {
        let fail = |cause| StartError::PidFile { path: path.display().to_string(), cause };
        std::fs::write(&path, format!("{}\n", std::process::id())).map_err(fail)?;
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
