//! Settings from the environment: `BULLA_X`, else `BAO_X`, else `VAULT_X`.

use super::Config;
use std::collections::HashMap;

/// Variables with one of the prefixes, without it.
#[derive(Clone, Debug, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let all: HashMap<String, String> = variables.into_iter().collect();
        let mut found = HashMap::new();
        for prefix in ["VAULT_", "BAO_", "BULLA_"] {
            for (name, value) in &all {
                if let Some(short) = name.strip_prefix(prefix).filter(|_| !value.is_empty()) {
                    found.insert(short.to_owned(), value.clone());
                }
            }
        }
        Self(found)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn apply(&self, config: &mut Config) {
        let set = |name: &str, slot: &mut Option<String>| {
            if let Some(value) = self.get(name) {
                *slot = Some(value.to_owned());
            }
        };
        set("API_ADDR", &mut config.api_addr);
        set("CLUSTER_ADDR", &mut config.cluster_addr);
        set("LOG_LEVEL", &mut config.log_level);
        set("LOG_FORMAT", &mut config.log_format);
        let on = |name: &str| self.get(name).is_some_and(|v| matches!(v, "1" | "true" | "t" | "TRUE" | "True"));
        config.user_lockout.off |= on("DISABLE_USER_LOCKOUT");
        config.ui |= on("UI");
        config.disable_mlock |= on("DISABLE_MLOCK");
        config.raw_storage_endpoint |= on("RAW_STORAGE_ENDPOINT");
    }
}
