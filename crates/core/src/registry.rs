//! Which engines there are. Filled in by the binary; core never names one.

use bulla_kit::{Engine, EngineKind, MountSettings};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes an engine for a mount; the error is for the client.
pub type Factory = fn(&MountSettings) -> Result<Arc<dyn Engine>, String>;

#[derive(Clone, Default)]
pub struct Registry {
    secrets: BTreeMap<&'static str, Factory>,
    auth: BTreeMap<&'static str, Factory>,
}

impl Registry {
    #[must_use]
    pub fn with(mut self, kind: EngineKind, name: &'static str, factory: Factory) -> Self {
        match kind {
            EngineKind::Secrets => self.secrets.insert(name, factory),
            EngineKind::Auth => self.auth.insert(name, factory),
        };
        self
    }

    pub fn find(&self, kind: EngineKind, name: &str) -> Option<Factory> {
        match kind {
            EngineKind::Secrets => self.secrets.get(name).copied(),
            EngineKind::Auth => self.auth.get(name).copied(),
        }
    }

    pub fn names(&self, kind: EngineKind) -> Vec<&'static str> {
        match kind {
            EngineKind::Secrets => self.secrets.keys().copied().collect(),
            EngineKind::Auth => self.auth.keys().copied().collect(),
        }
    }
}
