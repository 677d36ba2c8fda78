//! Why a server does not start: one line that names the cause.

use crate::config::ConfigError;
use bulla_http::ListenError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("error loading configuration: {0}")]
    Config(#[from] ConfigError),
    #[error("error initializing listener: {0}")]
    Listen(#[from] ListenError),
    #[error("error initializing storage: {0}")]
    Storage(String),
    #[error("{0}")]
    Unsupported(String),
    #[error("the log cannot be written to `{path}`: {cause}")]
    Log { path: String, cause: std::io::Error },
    #[error("unknown log level `{0}`; there are trace, debug, info, warn and error")]
    LogLevel(String),
    #[error("the process id cannot be written to `{path}`: {cause}")]
    PidFile { path: String, cause: std::io::Error },
    #[error("the runtime cannot be started: {0}")]
    Runtime(std::io::Error),
    #[error("the development server could not be set up: {0}")]
    Dev(String),
}
