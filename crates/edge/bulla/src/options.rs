//! What the command line may say to `server`. Not here: how it says it (`edge/cli`).

use std::path::PathBuf;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Files and folders, in order.
    pub configs: Vec<PathBuf>,
    pub dev: Option<DevOptions>,
    pub log_level: Option<String>,
    pub log_format: Option<String>,
    pub log_file: Option<PathBuf>,
    /// The version clients are told; our own if empty.
    pub claimed_version: String,
    /// Flags that were given and have no effect, without the dash.
    pub idle: Vec<&'static str>,
}

/// A server for trying things out: in memory, unsealed, root token printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevOptions {
    pub root_token_id: Option<String>,
    pub listen_address: String,
    pub store_token: bool,
    pub secret: DevSecret,
    pub tls: Option<DevTls>,
}

/// HTTPS with certificates made at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DevTls {
    /// Where `vault-ca.pem` and the others go; a folder of its own if not said.
    pub folder: Option<PathBuf>,
    /// Names and addresses beyond those of the local machine.
    pub names: Vec<String>,
}

/// What is mounted at `secret/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevSecret {
    KvV2,
    KvV1,
    LeasedKv,
    None,
}

impl Default for DevOptions {
    fn default() -> Self {
        Self {
            root_token_id: None,
            listen_address: "127.0.0.1:8200".into(),
            store_token: true,
            secret: DevSecret::KvV2,
            tls: None,
        }
    }
}
