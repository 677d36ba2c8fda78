//! `~/.vault-token`: where `login` leaves the token for the next command. Mode 0600, replaced in one step.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bulla_client::Token;

use crate::env::Env;

/// The token file of a user; `None` without a home folder.
fn file(env: &Env) -> Option<PathBuf> {
    env.plain("HOME").map(|home| PathBuf::from(home).join(".vault-token"))
}

/// The stored token; `None` if there is none.
///
/// # Errors
/// In words, if there is something that cannot be read.
pub fn read(env: &Env) -> Result<Option<Token>, String> {
    let Some(file) = file(env) else { return Ok(None) };
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Token::parse(&zeroize::Zeroizing::new(text))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("cannot read {}: {e}", file.display())),
    }
}

/// Stores a token. A crash leaves the old one or the new one.
///
/// # Errors
/// If there is no home folder or it cannot be written.
pub fn write(env: &Env, token: &Token) -> io::Result<()> {
    let file = file(env).ok_or_else(|| io::Error::other("HOME is not set"))?;
    write_private(&file, token.dangerous_expose().as_bytes())
}

/// Puts a file in place that its owner alone may read. It is made anew and takes the place of what was there in one step:
/// no mode of an older file is kept, and no link is followed.
///
/// # Errors
/// If the folder cannot be written, or a folder is in the file's place.
pub fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{}.tmp", std::process::id()));
    let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut open| {
        open.write_all(bytes)?;
        open.sync_all()
    });
    // What was there before the draft is somebody else's and stays.
    if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
        return written;
    }
    let done = written.and_then(|()| fs::rename(&draft, file));
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
        let home = tempfile::tempdir().unwrap();
        let env = Env::from([("HOME", home.path().to_str().unwrap())]);
        let file = home.path().join(".vault-token");
        assert!(read(&env).unwrap().is_none());
        // One that everybody can read is replaced, not written into; so is a link to somewhere else.
        let elsewhere = home.path().join("elsewhere");
        fs::write(&elsewhere, "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
        for text in ["hvs.one", "hvs.two"] {
            write(&env, &Token::parse(text).unwrap()).unwrap();
            assert_eq!(read(&env).unwrap().unwrap().dangerous_expose(), text);
            assert_eq!(fs::symlink_metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert_eq!(fs::read(&elsewhere).unwrap(), b"");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::from([("HOME", home.path().to_str().unwrap())]);
        let file = home.path().join(".vault-token");
        fs::write(&file, b"\xff\xfe").unwrap();
        assert!(read(&env).unwrap_err().contains(".vault-token"));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(read(&env).is_err());
    }

    #[test]
    fn a_loose_mode_is_not_kept_and_a_link_not_followed() {
        let folder = std::env::temp_dir().join(format!("bulla-private-file-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (loose, link, other) = (folder.join("loose"), folder.join("link"), folder.join("other"));
        fs::write(&loose, "old").unwrap();
        fs::set_permissions(&loose, fs::Permissions::from_mode(0o666)).unwrap();
        fs::write(&other, "mine").unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        for file in [&loose, &link] {
            write_private(file, b"secret").unwrap();
            let about = fs::symlink_metadata(file).unwrap();
            assert!(about.is_file() && about.permissions().mode() & 0o777 == 0o600, "{file:?}");
            assert_eq!(fs::read_to_string(file).unwrap(), "secret");
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert!(write_private(&folder, b"secret").is_err(), "a folder is in its place");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "no draft is left");
        fs::remove_dir_all(folder).unwrap();
    }
}
