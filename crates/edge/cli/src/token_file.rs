//! `~/.vault-token`: where `login` leaves the token for the next command. Mode 0600, replaced in one step.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use bulla_client::Token;

use crate::env::Env;

/// The token file of a user; `None` without a home folder.
fn file(env: &Env) -> Option<PathBuf> {
    env.plain("HOME").map(|home| PathBuf::from(home).join(".vault-token"))
}

/// The stored token, if there is one that can be read.
pub fn read(env: &Env) -> Option<Token> {
    let text = zeroize::Zeroizing::new(fs::read_to_string(file(env)?).ok()?);
    Token::parse(&text)
}

/// Stores a token. A crash leaves the old one or the new one.
///
/// # Errors
/// If there is no home folder or it cannot be written.
pub fn write(env: &Env, token: &Token) -> io::Result<()> {
    let file = file(env).ok_or_else(|| io::Error::other("HOME is not set"))?;
    let draft = file.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut open| {
        open.write_all(token.dangerous_expose().as_bytes())?;
        open.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&draft, &file));
    if done.is_err() {
        let _ = fs::remove_file(&draft);
    }
    done
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn kept_private_and_replaced() {
        let home = std::env::temp_dir().join(format!("bulla-token-file-{}", std::process::id()));
        fs::create_dir_all(&home).unwrap();
        let env = Env::from([("HOME", home.to_str().unwrap())]);
        assert!(read(&env).is_none());
        for text in ["hvs.one", "hvs.two"] {
            write(&env, &Token::parse(text).unwrap()).unwrap();
            assert_eq!(read(&env).unwrap().dangerous_expose(), text);
        }
        assert_eq!(fs::metadata(home.join(".vault-token")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
        fs::remove_dir_all(home).unwrap();
    }
}
