//! Which engines this binary has. A new engine is one line here.

use bulla_core::Registry;
use bulla_kit::{Engine, EngineKind, MountSettings};
use std::sync::Arc;

pub fn engines() -> Registry {
    let registry = Registry::default()
        .with(EngineKind::Secrets, "kv", kv)
        .with(EngineKind::Secrets, "generic", kv)
        .with(EngineKind::Auth, "approle", |_| Ok(bulla_approle::approle()));
    registry.with(EngineKind::Auth, "userpass", |_| Ok(bulla_userpass::userpass()))
}

/// Version 1 unless the options say otherwise.
fn kv(settings: &MountSettings) -> Result<Arc<dyn Engine>, String> {
    let is_leased = settings.options.get("leased_passthrough").is_some_and(|word| word == "true");
    match settings.options.get("version").map(String::as_str) {
        None | Some("" | "1") if is_leased => Ok(bulla_kv::kv_v1_leased()),
        None | Some("" | "1") => Ok(bulla_kv::kv_v1()),
        Some("2") => Ok(bulla_kv::kv_v2()),
        // The reference's words for options that no engine answers to.
        Some(_) => Err("nil backend of type \"kv\" returned from factory".into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn every_engine_has_help_for_all_that_it_offers() {
        let registry = engines();
        let newer = MountSettings { options: [("version".to_owned(), "2".to_owned())].into_iter().collect() };
        for kind in [EngineKind::Secrets, EngineKind::Auth] {
            for name in registry.names(kind) {
                for settings in [&MountSettings::default(), &newer] {
                    let engine = registry.find(kind, name).unwrap()(settings).unwrap();
                    assert!(!engine.help().is_empty(), "{name}");
                    assert_eq!(bulla_kit::undocumented(engine.routes()), Vec::<String>::new(), "{name}");
                }
            }
        }
    }
}
