//! The name the binary was called with, and the version it then claims.
//!
//! Test suites and provisioning tools parse the second word of `version` and choose what they try by it, so under a
//! foreign name the version is one whose API we speak.

use std::path::Path;

use crate::env::Env;

/// Who we are to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Bulla,
    Vault,
    Bao,
}

impl Program {
    /// By the file name of the first word of the command line.
    pub fn called(argv0: &str) -> Self {
        match Path::new(argv0).file_stem().and_then(|name| name.to_str()) {
            Some("vault") => Self::Vault,
            Some("bao" | "openbao") => Self::Bao,
            _ => Self::Bulla,
        }
    }

    /// As typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bulla => "bulla",
            Self::Vault => "vault",
            Self::Bao => "bao",
        }
    }

    /// Prefix of its environment variables.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Bulla => "BULLA",
            Self::Vault => "VAULT",
            Self::Bao => "BAO",
        }
    }

    /// `Vault v1.21.4 (Bulla v0.1.0)`; `BULLA_CLAIM_VERSION` sets the number.
    pub fn version_line(self, env: &Env) -> String {
        let own = env!("CARGO_PKG_VERSION");
        let claimed =
            |usual: &str| env.plain("BULLA_CLAIM_VERSION").unwrap_or(usual).trim_start_matches('v').to_owned();
        match self {
            Self::Bulla => format!("Bulla v{} (API of Vault 1.21 and OpenBao 2.6)", claimed(own)),
            Self::Vault => format!("Vault v{} (Bulla v{own})", claimed("1.21.4")),
            Self::Bao => format!("OpenBao v{} (Bulla v{own})", claimed("2.6.2")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_by_name() {
        let env = Env::default();
        assert!(Program::called("/usr/bin/vault").version_line(&env).starts_with("Vault v1.21.4 ("));
        assert!(Program::called("bao").version_line(&env).starts_with("OpenBao v2.6.2 ("));
        assert!(Program::called("./bulla").version_line(&env).starts_with("Bulla v0.1.0 ("));
        let env = Env::from([("BULLA_CLAIM_VERSION", "v1.21.4+ent")]);
        assert!(Program::Vault.version_line(&env).starts_with("Vault v1.21.4+ent ("));
    }
}
