//! The directory: who owns it, what it is, who may read it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::counter::{self, StoreId};
use crate::OpenError;

pub(super) const MARKER: &str = "bulla-store";
pub(super) const LOCK: &str = "lock";
const FORMAT: u64 = 1;
/// What may lie in a directory that is not a store yet: the beginnings of one, and what a fresh file system brings.
const BEGINNINGS: &[&str] = &[LOCK, counter::FILE, "counter.new", "bulla-store.new", "lost+found"];

/// A locked directory that is a store.
pub(super) struct Home {
    pub(super) dir: PathBuf,
    pub(super) id: StoreId,
    /// The lock goes with the descriptor.
    _lock: File,
}

impl Home {
    /// Locks `dir` and reads what it is; an empty or missing directory becomes a store. Touches nothing in a foreign one.
    pub(super) fn enter(dir: &Path) -> Result<Home, OpenError> {
        let io = |cause| OpenError::Io { dir: dir.to_path_buf(), cause };
        if !dir.try_exists().map_err(io)? {
            make_dir(dir).map_err(io)?;
        }
        let marker = dir.join(MARKER);
        if !marker.try_exists().map_err(io)? && !only_beginnings(dir).map_err(io)? {
            return Err(OpenError::Foreign(dir.to_path_buf()));
        }
        let lock = lock(dir)?;
        // Only whoever holds the lock may begin a store, so look again.
        let id = if marker.try_exists().map_err(io)? { read_marker(dir, &marker)? } else { begin(dir).map_err(io)? };
        Ok(Home { dir: dir.to_path_buf(), id, _lock: lock })
    }

    pub(super) fn library(&self) -> PathBuf {
        self.dir.join("fjall")
    }

    /// Directories 0700 and files 0600, all the way down. The library creates its files as the umask says.
    pub(super) fn protect(&self) -> io::Result<()> {
        set_mode(&self.dir, 0o700)?;
        protect_below(&self.dir)
    }

    pub(super) fn protect_or_warn(&self) {
        if let Err(cause) = self.protect() {
            tracing::warn!(%cause, "the modes of the store's files could not be set");
        }
    }
}

/// The library is closed by now; what its workers wrote last gets its mode before the lock goes.
impl Drop for Home {
    fn drop(&mut self) {
        self.protect_or_warn();
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => sync_dir(Path::new(".")),
    }
}

pub(super) fn only_beginnings(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        if !BEGINNINGS.iter().any(|known| name == *known) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let io = |cause| OpenError::Io { dir: dir.to_path_buf(), cause };
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join(LOCK)).map_err(io)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse(dir.to_path_buf())),
        Err(cause) => Err(io(cause.into())),
    }
}

/// The counter first and the marker last: a directory with a marker has everything a store needs.
fn begin(dir: &Path) -> io::Result<StoreId> {
    let mut id = [0; 16];
    // No key and no secret: only has to differ from store to store and be unlikely in anybody's data.
    File::open("/dev/urandom")?.read_exact(&mut id)?;
    let id = StoreId(id);
    counter::write(dir, 0)?;
    replace(dir, MARKER, format!("bulla store\nformat {FORMAT}\nid {id}\n").as_bytes())?;
    Ok(id)
}

pub(super) fn read_marker(dir: &Path, marker: &Path) -> Result<StoreId, OpenError> {
    let bytes = fs::read(marker).map_err(|cause| OpenError::Io { dir: dir.to_path_buf(), cause })?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.lines();
    if lines.next() != Some("bulla store") {
        return Err(OpenError::Foreign(dir.to_path_buf()));
    }
    let damaged =
        || OpenError::Damaged { dir: dir.to_path_buf(), why: format!("the file `{MARKER}` cannot be understood") };
    let found = lines.next().and_then(|line| line.strip_prefix("format ")?.parse().ok()).ok_or_else(damaged)?;
    if found > FORMAT {
        return Err(OpenError::Newer { dir: dir.to_path_buf(), found, known: FORMAT });
    }
    lines.next().and_then(|line| StoreId::parse(line.strip_prefix("id ")?)).ok_or_else(damaged)
}

/// Replaces a small file so that a crash leaves the old one or the new one, and the new one is durable on return.
pub(super) fn replace(dir: &Path, name: &str, contents: &[u8]) -> io::Result<()> {
    let new = dir.join(format!("{name}.new"));
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&new, dir.join(name))?;
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn protect_below(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // Tables come and go while we look; a file that has gone needs no mode.
        match protect_entry(&entry) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}

fn protect_entry(entry: &fs::DirEntry) -> io::Result<()> {
    let kind = entry.file_type()?;
    if kind.is_dir() && entry.file_name() != "lost+found" {
        set_mode(&entry.path(), 0o700)?;
        return protect_below(&entry.path());
    }
    // Not through symbolic links: they lead out of the store.
    if kind.is_file() { set_mode(&entry.path(), 0o600) } else { Ok(()) }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & 0o7777 != mode {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}
