//! The environment, read once. Every setting has three spellings; `BULLA_` wins over `BAO_` over `VAULT_`.

use std::{collections::HashMap, ffi::OsString};

const PREFIXES: [&str; 3] = ["BULLA_", "BAO_", "VAULT_"];

/// A snapshot of the environment.
#[derive(Debug, Clone, Default)]
pub struct Env(HashMap<String, String>);

impl Env {
    /// The process's environment; what is not UTF-8 is left out.
    ///
    /// # Errors
    /// If that would be a setting of ours: the next one in line (another server's address, another token) must not take
    /// its place.
    pub fn of_process() -> Result<Self, String> {
        Self::of(std::env::vars_os())
    }

    fn of(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, String> {
        let mut known = HashMap::new();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => drop(known.insert(name, value)),
                Err(_) if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) => {
                    return Err(format!("the value of {name} is not UTF-8"));
                }
                Err(_) => {}
            }
        }
        Ok(Self(known))
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

    #[test]
    fn settings_that_are_not_text_are_told() {
        use std::os::unix::ffi::OsStringExt;
        let of = |name: &str, value: &[u8]| Env::of([(name.into(), OsString::from_vec(value.to_vec()))].into_iter());
        assert_eq!(of("VAULT_TOKEN", b"a\xff").err().as_deref(), Some("the value of VAULT_TOKEN is not UTF-8"));
        assert!(of("LS_COLORS", b"a\xff").is_ok_and(|env| env.plain("LS_COLORS").is_none()));
        assert!(of("VAULT_TOKEN", b"a").is_ok_and(|env| env.setting("TOKEN") == Some("a")));
    }
}
