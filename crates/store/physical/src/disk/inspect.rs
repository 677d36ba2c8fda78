//! A look at a directory from outside: changes nothing, creates nothing and takes no lock, so that a server that runs or
//! starts meanwhile is not disturbed. Not here: whether what is in the files can be read (opening tells).

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{counter, home};
use crate::OpenError;

/// What is at the path of a store.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing; a server would make it.
    Nothing,
    /// A directory without a store; a server would begin one.
    Empty,
    Store {
        /// Process that holds the lock, if that can be told.
        held_by: Option<u32>,
        /// At least so many commits were made.
        commits: u64,
        /// Owner of the directory.
        owner: u32,
        /// Files and directories that others than the owner may use.
        exposed: Vec<PathBuf>,
    },
}

/// # Errors
/// As opening the store: foreign files, a newer format, damage that shows from outside, or nothing can be read.
pub fn inspect(dir: &Path) -> Result<Found, OpenError> {
    let io = |cause| OpenError::Io { dir: dir.to_path_buf(), cause };
    if !dir.try_exists().map_err(io)? {
        return Ok(Found::Nothing);
    }
    let marker = dir.join(home::MARKER);
    if !marker.try_exists().map_err(io)? {
        return if home::only_beginnings(dir).map_err(io)? {
            Ok(Found::Empty)
        } else {
            Err(OpenError::Foreign(dir.to_path_buf()))
        };
    }
    home::read_marker(dir, &marker)?;
    let mut exposed = Vec::new();
    find_exposed(dir, &mut exposed).map_err(io)?;
    Ok(Found::Store {
        held_by: holder(&dir.join(home::LOCK)),
        commits: counter::read(dir)?,
        owner: fs::metadata(dir).map_err(io)?.uid(),
        exposed,
    })
}

/// Who holds the lock, by the kernel's table: asking for the lock itself would take it.
fn holder(lock: &Path) -> Option<u32> {
    let inode = fs::metadata(lock).ok()?.ino();
    holder_in(&fs::read_to_string("/proc/locks").ok()?, inode)
}

/// `1: FLOCK  ADVISORY  WRITE 4711 fe:00:131075 0 EOF`; numbers of devices are spelled in too many ways to compare.
fn holder_in(table: &str, inode: u64) -> Option<u32> {
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", process, file, ..] = words.as_slice() else { return None };
        let found: u64 = file.rsplit(':').next()?.parse().ok()?;
        (found == inode).then(|| process.parse().ok()).flatten()
    })
}

fn find_exposed(path: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let about = match fs::symlink_metadata(path) {
        // Tables come and go while we look.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if about.is_symlink() || path.ends_with("lost+found") {
        return Ok(());
    }
    if about.permissions().mode() & 0o077 != 0 {
        found.push(path.to_path_buf());
    }
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            find_exposed(&entry?.path(), found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::{DiskOptions, Store};

    #[test]
    fn looking_changes_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("store");
        assert_eq!(inspect(&dir).unwrap(), Found::Nothing);
        assert!(!dir.exists());
        fs::create_dir(&dir).unwrap();
        assert_eq!(inspect(&dir).unwrap(), Found::Empty);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::write(dir.join("letter"), "mine").unwrap();
        assert!(matches!(inspect(&dir), Err(OpenError::Foreign(_))));
    }

    #[test]
    fn a_store_in_use_is_told_and_left_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("store");
        let store = Store::open(&dir, DiskOptions::default()).unwrap();
        let Found::Store { held_by, exposed, .. } = inspect(&dir).unwrap() else { panic!("there is a store") };
        assert_eq!((held_by, exposed), (Some(std::process::id()), vec![]));
        drop(store);
        let Found::Store { held_by, .. } = inspect(&dir).unwrap() else { panic!("there is a store") };
        assert_eq!(held_by, None);
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o750)).unwrap();
        let Found::Store { exposed, .. } = inspect(&dir).unwrap() else { panic!("there is a store") };
        assert_eq!(exposed, vec![dir.clone()]);
        // The lock is free: whoever starts now gets it.
        Store::open(&dir, DiskOptions::default()).unwrap();
    }

    #[test]
    fn the_table_of_locks() {
        let table = "1: POSIX  ADVISORY  WRITE 10 fe:00:77 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 11 fe:00:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 12 00:2a:77 0 EOF\n";
        assert_eq!((holder_in(table, 77), holder_in(table, 7)), (Some(12), None));
    }
}
