//! The environment, read once. Every setting has three spellings; `BULLA_` wins over `BAO_` over `VAULT_`.

use std::collections::HashMap;

const PREFIXES: [&str; 3] = ["BULLA_", "BAO_", "VAULT_"];

/// A snapshot of the environment.
#[derive(Debug, Clone, Default)]
pub struct Env(HashMap<String, String>);

impl Env {
    /// The process's environment; entries that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// A variable under its full name, unless empty.
    pub fn plain(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A setting by its name without prefix, unless empty.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.named(name).map(|(_, value)| value)
    }

    /// A setting with the full name of the variable it came from.
    pub fn named(&self, name: &str) -> Option<(String, &str)> {
        PREFIXES.iter().find_map(|prefix| {
            let full = format!("{prefix}{name}");
            self.plain(&full).map(|value| (full.clone(), value))
        })
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Env {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_name_wins() {
        let env = Env::from([("VAULT_ADDR", "v"), ("BAO_ADDR", "b"), ("BULLA_ADDR", "")]);
        assert_eq!(env.named("ADDR"), Some(("BAO_ADDR".to_owned(), "b")));
        assert_eq!(Env::from([("BULLA_ADDR", "u"), ("BAO_ADDR", "b")]).setting("ADDR"), Some("u"));
        assert_eq!(env.setting("TOKEN"), None);
    }
}
