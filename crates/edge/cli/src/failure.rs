//! How a command ends. Exit codes are a promise: 0 done, 1 used wrongly, 2 refused by the server or nothing there.

use bulla_client::ClientError;

/// The exit code of a command that ran to its end, or why it did not.
pub type Done = Result<u8, Failure>;

/// A command that stopped early.
#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    /// Printed on standard error; empty if all has been said.
    pub text: String,
}

impl Failure {
    /// The command line is at fault.
    pub fn local(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }

    /// The server refused, or has nothing there.
    pub fn remote(text: impl Into<String>) -> Self {
        Self { code: 2, text: text.into() }
    }

    /// A refusal behind a word on what was tried; `what` may be empty.
    #[expect(clippy::needless_pass_by_value, reason = "used with map_err, which gives the error away")]
    pub fn of(what: &str, error: ClientError) -> Self {
        Self::remote(if what.is_empty() { said(&error) } else { format!("{what}: {}", said(&error)) })
    }

    /// Everything has been printed; end with this code.
    pub const fn silent(code: u8) -> Self {
        Self { code, text: String::new() }
    }
}

/// The error with its cause, on one line unless it is a refusal.
pub fn said(error: &ClientError) -> String {
    match std::error::Error::source(error) {
        Some(cause) if error.api().is_none() => format!("{error}: {cause}"),
        _ => error.to_string(),
    }
}
