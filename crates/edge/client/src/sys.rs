//! Typed calls under `sys/` for what a client does before it has a token: status, initialisation, unsealing.

use serde::Deserialize;

use crate::{Client, ClientError, Json, Method, Request};

/// `sys/seal-status`, and what `sys/unseal` answers. An answer that does not say whether the server is initialised and
/// sealed is none: it must not pass for an open server.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SealStatus {
    #[serde(rename = "type", default)]
    pub kind: String,
    pub initialized: bool,
    pub sealed: bool,
    /// Shares needed.
    #[serde(default)]
    pub t: u64,
    /// Shares that exist.
    #[serde(default)]
    pub n: u64,
    /// Shares given in this round.
    #[serde(default)]
    pub progress: u64,
    #[serde(default)]
    pub nonce: String,
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub commit_date: String,
    #[serde(default)]
    pub build_date: String,
    #[serde(default)]
    pub migration: bool,
    #[serde(default)]
    pub cluster_name: String,
    #[serde(default)]
    pub cluster_id: String,
    #[serde(default)]
    pub recovery_seal: bool,
    #[serde(default)]
    pub recovery_seal_type: String,
    #[serde(default)]
    pub storage_type: String,
}

/// `sys/leader`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Leader {
    pub ha_enabled: bool,
    pub is_self: bool,
    /// RFC 3339; year 1 if not active.
    pub active_time: String,
    pub leader_address: String,
    pub leader_cluster_address: String,
    pub raft_committed_index: u64,
    pub raft_applied_index: u64,
}

/// `sys/init`: unseal shares and the first root token.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct InitAnswer {
    pub keys: Vec<String>,
    pub keys_base64: Vec<String>,
    pub recovery_keys: Vec<String>,
    pub recovery_keys_base64: Vec<String>,
    pub root_token: String,
}

impl std::fmt::Debug for InitAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InitAnswer({} shares, {} recovery shares)", self.keys.len(), self.recovery_keys.len())
    }
}

impl Client {
    /// One attempt: a server that answers 503 has answered.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn seal_status(&self) -> Result<SealStatus, ClientError> {
        self.typed(&Request::get("sys/seal-status").once()).await
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn leader(&self) -> Result<Leader, ClientError> {
        self.typed(&Request::get("sys/leader").once()).await
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn init(&self, body: &Json) -> Result<InitAnswer, ClientError> {
        self.typed(&Request::put("sys/init", body).once()).await
    }

    /// Whether `sys/init` has been done.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn is_initialized(&self) -> Result<bool, ClientError> {
        #[derive(Deserialize)]
        struct Known {
            initialized: bool,
        }
        self.typed(&Request::get("sys/init").once()).await.map(|known: Known| known.initialized)
    }

    /// Body: `key`, `reset`, `migrate`.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn unseal(&self, body: &Json) -> Result<SealStatus, ClientError> {
        self.typed(&Request::put("sys/unseal", body).once()).await
    }

    /// # Errors
    /// As [`Client::send`].
    pub async fn seal(&self) -> Result<(), ClientError> {
        self.send(&Request::new(Method::Put, "sys/seal").once()).await.map(drop)
    }

    async fn typed<T: for<'de> Deserialize<'de>>(&self, request: &Request) -> Result<T, ClientError> {
        let answer = self.send(request).await?;
        serde_json::from_slice(&answer.body).map_err(|e| answer.unreadable(crate::JsonError::Syntax(e)))
    }
}
