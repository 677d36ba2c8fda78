//! What the server's configuration says to core.

use crate::login::LockoutConfig;
use bulla_types::Seconds;
use std::path::PathBuf;
use std::time::Duration;

/// Work in the background: expired tokens and leases are taken back, disabled mounts are cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    Running,
    /// Nothing happens by itself: tests take each step with [`crate::Core::work_once`].
    Stopped,
}

#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// The version that clients are told, without a leading `v`.
    pub version: String,
    /// Bulla's own version, which `sys/version-history` notes.
    pub own_version: String,
    pub build_date: String,
    /// The word for the store in `seal-status`: `inmem`, `file`.
    pub storage_type: String,
    pub cluster_name: Option<String>,
    pub api_addr: String,
    pub cluster_addr: String,
    pub default_ttl: Seconds,
    pub max_ttl: Seconds,
    pub user_lockout: LockoutConfig,
    /// Whether the server works in the background by itself.
    pub workers: Workers,
    /// How long an engine may take to renew or take back a secret.
    pub lease_timeout: Duration,
    /// How long requests in flight may go on once a seal has begun.
    pub drain: Duration,
    /// Devices may be enabled over the API.
    pub api_audit_creation: bool,
    /// Devices enabled over the API may set a prefix.
    pub audit_prefix: bool,
    /// Devices declared in the configuration: path and description.
    pub audit: Vec<(String, bulla_audit::EnableRequest)>,
    /// Files and folders of the server itself, which no device enabled over the API may write.
    pub own_places: Vec<PathBuf>,
    /// The configuration as `sys/config/state/sanitized` shows it: no secrets.
    pub sanitized: serde_json::Value,
}

impl CoreConfig {
    /// The version of what is built in, as plugins' versions are written.
    pub fn running_version(&self) -> String {
        format!("v{}+builtin.bulla", self.version)
    }
}

/// 32 days, the reference's default and maximum.
pub const SYSTEM_TTL: Seconds = Seconds(32 * 24 * 3600);

impl Default for CoreConfig {
    fn default() -> Self {
        Self {
            version: "0.1.0".into(),
            own_version: env!("CARGO_PKG_VERSION").into(),
            build_date: String::new(),
            storage_type: "inmem".into(),
            cluster_name: None,
            api_addr: String::new(),
            cluster_addr: String::new(),
            default_ttl: SYSTEM_TTL,
            max_ttl: SYSTEM_TTL,
            user_lockout: LockoutConfig::default(),
            workers: Workers::Running,
            lease_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            api_audit_creation: false,
            audit_prefix: false,
            audit: Vec::new(),
            own_places: Vec::new(),
            sanitized: serde_json::json!({}),
        }
    }
}
