//! The server's configuration: HCL or JSON as Vault's, read once at start.
//!
//! ```text
//! -config files and folders, VAULT_LOCAL_CONFIG ─► read ─► top level ─► Config
//! environment (VAULT_, BAO_, BULLA_) ────────────────► environment ──────┘
//! ```
//!
//! An unknown key is a warning, since configurations come from other versions and other servers; an unknown block is
//! an error, since ignoring a whole block is never what was meant. Not here: what core does with it (`wiring`).

mod environment;
mod fitness;
mod listener;
mod lockout;
mod proxies;
mod read;
mod top;

#[cfg(test)]
mod tests;

pub use environment::Environment;
pub use read::read;

use bulla_core::LockoutConfig;
use bulla_http::{Address, Settings, TlsSettings};
use bulla_types::Seconds;
use indexmap::IndexMap;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read `{path}`: {cause}")]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("`{0}` holds no file that ends in .hcl or .json")]
    EmptyFolder(PathBuf),
    #[error("{file}: {problem}")]
    Syntax { file: String, problem: String },
    #[error("{file}: line {line}: {problem}")]
    At { file: String, line: u32, problem: String },
    #[error("{0}")]
    Incomplete(&'static str),
    #[error("{0}")]
    Unfit(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    Memory,
    Disk(PathBuf),
}

/// An audit device declared in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditBlock {
    pub kind: String,
    /// With a trailing slash.
    pub path: String,
    pub description: String,
    pub local: bool,
    pub options: IndexMap<String, String>,
}

/// A seal other than the shares of operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealBlock {
    pub kind: String,
    pub options: IndexMap<String, String>,
}

#[derive(Clone, Debug, Default)]
pub struct Config {
    pub storage: Option<Storage>,
    pub listeners: Vec<Settings>,
    pub audit: Vec<AuditBlock>,
    pub seals: Vec<SealBlock>,
    pub api_addr: Option<String>,
    pub cluster_addr: Option<String>,
    pub cluster_name: Option<String>,
    pub default_lease_ttl: Option<Seconds>,
    pub max_lease_ttl: Option<Seconds>,
    pub user_lockout: LockoutConfig,
    pub log_level: Option<String>,
    pub log_format: Option<String>,
    pub log_file: Option<PathBuf>,
    pub pid_file: Option<PathBuf>,
    pub disable_mlock: bool,
    pub ui: bool,
    pub raw_storage_endpoint: bool,
    pub introspection_endpoint: bool,
    pub unsafe_allow_api_audit_creation: bool,
    pub allow_audit_log_prefixing: bool,
    /// The version clients are told, from the command line; our own if empty.
    pub claimed_version: String,
    /// The files and folders it was read from.
    pub sources: Vec<PathBuf>,
    /// What was passed over, one line each, for the log.
    pub warnings: Vec<String>,
}

impl Config {
    /// # Errors
    /// A server needs a store and at least one listener, and does not start with what it cannot honour.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.storage.is_none() {
            return Err(ConfigError::Incomplete("A storage backend must be specified"));
        }
        if self.listeners.is_empty() {
            return Err(ConfigError::Incomplete("at least one listener must be specified"));
        }
        fitness::check(self)
    }

    /// Files and folders that are the server's: who may write them is the server. What the API names is held against them.
    pub fn own_places(&self) -> Vec<PathBuf> {
        let mut places = self.sources.clone();
        if let Some(Storage::Disk(path)) = &self.storage {
            places.push(path.clone());
        }
        places.extend([&self.log_file, &self.pid_file].into_iter().flatten().cloned());
        for listener in &self.listeners {
            if let Address::Unix { path, .. } = &listener.address {
                places.push(path.clone());
            }
            places.extend(listener.tls.iter().flat_map(TlsSettings::files));
        }
        // Their modes are the operator's, and their end.
        let logs = self.audit.iter().filter_map(|block| block.options.get("file_path").or(block.options.get("path")));
        places.extend(logs.map(PathBuf::from));
        places.extend(std::env::current_exe());
        places
    }

    /// What `sys/config/state/sanitized` may show: keys chosen here one by one, so that a new key is hidden until
    /// somebody decides otherwise.
    pub fn sanitized(&self) -> serde_json::Value {
        let listeners: Vec<_> = self.listeners.iter().map(listener::sanitized).collect();
        let kind = match &self.storage {
            Some(Storage::Disk(_)) => "file",
            _ => "inmem",
        };
        serde_json::json!({
            "api_addr": self.api_addr.as_deref().unwrap_or_default(),
            "cluster_addr": self.cluster_addr.as_deref().unwrap_or_default(),
            "cluster_name": self.cluster_name.as_deref().unwrap_or_default(),
            "default_lease_ttl": self.default_lease_ttl.unwrap_or_default(),
            "max_lease_ttl": self.max_lease_ttl.unwrap_or_default(),
            "disable_mlock": self.disable_mlock,
            "enable_ui": self.ui,
            "introspection_endpoint": self.introspection_endpoint,
            "raw_storage_endpoint": self.raw_storage_endpoint,
            "log_format": self.log_format.as_deref().unwrap_or_default(),
            "log_level": self.log_level.as_deref().unwrap_or_default(),
            "listeners": listeners,
            "storage": { "type": kind },
        })
    }
}
