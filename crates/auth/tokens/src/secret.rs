//! A parameter that is a secret: a password, a secret id.

use bulla_kit::{Field, FieldKind, RawJson};
use bulla_secret::SecretText;

/// As it came, erased when dropped; `Debug` shows its length only.
#[derive(Debug)]
pub struct SecretParam(SecretText);

impl SecretParam {
    pub fn new(text: String) -> Self {
        Self(SecretText::new(text))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself. Never into a log, an error or a format string.
    pub fn dangerous_expose(&self) -> &str {
        self.0.dangerous_expose()
    }
}

impl Field for SecretParam {
    const KIND: FieldKind = FieldKind::Text;

    fn decode(raw: &RawJson) -> Result<Self, String> {
        String::decode(raw).map(Self::new)
    }

    fn missing() -> Option<Self> {
        Some(Self::new(String::new()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn it_is_read_as_text_and_never_printed() {
        let read = SecretParam::decode(&RawJson::parse("\"canary\"".into()).unwrap()).unwrap();
        assert_eq!(read.dangerous_expose(), "canary");
        assert!(!format!("{read:?}").contains("canary"));
        assert!(!SecretParam::decode(&RawJson::parse("[\"canary\"]".into()).unwrap()).unwrap_err().contains("canary"));
    }
}
