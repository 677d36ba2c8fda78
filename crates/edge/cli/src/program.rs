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

    /// The version whose API we speak, for whoever decides by a number what to try: `version` under a foreign name, and
    /// the server in `sys/health` and its like. `BULLA_CLAIM_VERSION` sets another.
    pub fn claimed_version(self, env: &Env) -> String {
        let usual = if self == Self::Bao { OPENBAO } else { VAULT };
        env.plain("BULLA_CLAIM_VERSION").unwrap_or(usual).trim_start_matches('v').to_owned()
    }

    /// `Vault v1.21.4 (Bulla v0.1.0)`; under our own name our own number comes first.
    pub fn version_line(self, env: &Env) -> String {
        let (own, claimed) = (env!("CARGO_PKG_VERSION"), self.claimed_version(env));
        match self {
            Self::Bulla => format!("Bulla v{own} (API of Vault {claimed})"),
            Self::Vault => format!("Vault v{claimed} (Bulla v{own})"),
            Self::Bao => format!("OpenBao v{claimed} (Bulla v{own})"),
        }
    }
}

/// See `docs/decisions/0008-version-shown.md`.
const VAULT: &str = "1.21.4";
const OPENBAO: &str = "2.6.2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_by_name() {
        let env = Env::default();
        assert!(Program::called("/usr/bin/vault").version_line(&env).starts_with("Vault v1.21.4 ("));
        assert!(Program::called("bao").version_line(&env).starts_with("OpenBao v2.6.2 ("));
        let own = concat!("Bulla v", env!("CARGO_PKG_VERSION"), " (API of Vault 1.21.4)");
        assert_eq!(Program::called("./bulla").version_line(&env), own);
        assert_eq!(Program::Bulla.claimed_version(&env), "1.21.4");
        let env = Env::from([("BULLA_CLAIM_VERSION", "v1.21.4+ent")]);
        assert!(Program::Vault.version_line(&env).starts_with("Vault v1.21.4+ent ("));
    }
}
