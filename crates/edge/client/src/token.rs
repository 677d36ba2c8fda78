//! The token a client presents.

use std::fmt;

use bulla_secret::SecretText;

/// A token: erased when dropped, never printed by `Debug`, copied only where it says so.
pub struct Token(SecretText);

impl Token {
    /// White space around it (a token file's newline) is dropped; `None` if nothing is left.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(SecretText::from(text.to_owned())))
    }

    /// The token itself; for headers and the token file.
    pub fn dangerous_expose(&self) -> &str {
        self.0.dangerous_expose()
    }

    /// A second one.
    pub fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn trims_and_hides() {
        assert!(Token::parse(" \n").is_none());
        let token = Token::parse("hvs.abc\n").unwrap();
        assert_eq!(token.dangerous_expose(), "hvs.abc");
        assert!(!format!("{token:?}").contains("abc"));
    }
}
