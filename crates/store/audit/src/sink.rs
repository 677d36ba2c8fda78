//! Where lines end: a file, a FIFO, a standard stream, nowhere. Blocking calls; `lane` decides who makes them.
//! Not here: batching, deadlines.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// After so many writes it is looked whether the file still stands under its name: a removed file would take records
/// for ever and show them to nobody.
const LOOK_EVERY: u32 = 256;

/// How long a full pipe is left alone before it is tried again.
const PIPE_PAUSE: Duration = Duration::from_millis(2);

/// A checked destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    File(PathBuf),
    Stdout,
    Stderr,
    Discard,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::Discard => f.write_str("discard"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileMode {
    Set(u32),
    Keep,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FileOptions {
    pub(crate) mode: FileMode,
    /// The file is moved aside before it would grow beyond this.
    pub(crate) rotate_bytes: Option<u64>,
}

/// Whether a write can take as long as somebody else likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A regular file: the kernel copies the bytes.
    Prompt,
    /// A pipe, a terminal: whoever reads decides.
    Anyones,
}

pub(crate) enum Sink {
    File(LogFile),
    Stream(File),
    Discard,
    #[cfg(test)]
    Test(Pace, Box<dyn Write + Send>),
}

impl Sink {
    pub(crate) fn open(target: &Target, options: FileOptions) -> io::Result<Self> {
        Ok(match target {
            Target::File(path) => Self::File(LogFile::open(path, options)?),
            Target::Stdout => Self::Stream(io::stdout().as_fd().try_clone_to_owned()?.into()),
            Target::Stderr => Self::Stream(io::stderr().as_fd().try_clone_to_owned()?.into()),
            Target::Discard => Self::Discard,
        })
    }

    pub(crate) fn pace(&self) -> Pace {
        match self {
            Self::File(log) => log.pace,
            Self::Stream(file) => pace_of(file),
            Self::Discard => Pace::Prompt,
            #[cfg(test)]
            Self::Test(pace, _) => *pace,
        }
    }

    /// Writes all of `lines`; how many system calls it took is counted in `calls`. Gives up when `stop` is set.
    pub(crate) fn write(&mut self, lines: &[u8], stop: &AtomicBool, calls: &mut u64) -> io::Result<()> {
        match self {
            Self::File(log) => log.append(lines, stop, calls),
            Self::Stream(file) => write_all(file, lines, stop, calls).map_err(|cut| cut.error),
            Self::Discard => Ok(()),
            #[cfg(test)]
            Self::Test(_, writer) => write_all(writer, lines, stop, calls).map_err(|cut| cut.error),
        }
    }

    /// Waits until the disk has what was written. Streams have nothing to wait for.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        match self {
            Self::File(log) if log.regular => log.file.sync_data(),
            Self::File(_) | Self::Stream(_) | Self::Discard => Ok(()),
            #[cfg(test)]
            Self::Test(..) => Ok(()),
        }
    }

    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::File(log) => log.reopen(),
            Self::Stream(_) | Self::Discard => Ok(()),
            #[cfg(test)]
            Self::Test(..) => Ok(()),
        }
    }
}

pub(crate) struct LogFile {
    path: PathBuf,
    options: FileOptions,
    file: File,
    pace: Pace,
    regular: bool,
    size: u64,
    since_look: u32,
    /// The last write failed in the middle of a line; the next one starts a new line.
    torn: bool,
}

impl LogFile {
    fn open(path: &Path, options: FileOptions) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let file = open_to_append(path, options.mode)?;
        let status = file.metadata()?;
        let kind = status.file_type();
        if !kind.is_file() && !kind.is_fifo() && !kind.is_char_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a pipe"));
        }
        Ok(Self {
            path: path.to_owned(),
            options,
            pace: pace_of(&file),
            regular: kind.is_file(),
            size: status.len(),
            file,
            since_look: 0,
            torn: false,
        })
    }

    fn append(&mut self, lines: &[u8], stop: &AtomicBool, calls: &mut u64) -> io::Result<()> {
        self.keep_its_name();
        self.rotate_before(lines.len());
        if self.torn {
            write_all(&mut self.file, b"\n", stop, calls).map_err(|cut| cut.error)?;
            self.torn = false;
            self.size += 1;
        }
        match write_all(&mut self.file, lines, stop, calls) {
            Ok(()) => {
                self.size += lines.len() as u64;
                Ok(())
            }
            Err(cut) => {
                self.size += cut.written as u64;
                self.torn = cut.written > 0 && lines.get(cut.written - 1) != Some(&b'\n');
                Err(cut.error)
            }
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        let mut fresh = Self::open(&self.path, self.options)?;
        if (fresh.pace, fresh.regular) != (self.pace, self.regular) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has become another kind of file"));
        }
        fresh.torn = self.torn && self.same_file(&fresh.file);
        *self = fresh;
        Ok(())
    }

    fn same_file(&self, other: &File) -> bool {
        let id = |file: &File| file.metadata().map(|status| (status.dev(), status.ino())).ok();
        id(&self.file).is_some_and(|mine| id(other) == Some(mine))
    }

    /// Makes the file anew if somebody took it away. On failure the records go where they went before.
    fn keep_its_name(&mut self) {
        self.since_look += 1;
        if !self.regular || self.since_look < LOOK_EVERY {
            return;
        }
        self.since_look = 0;
        let named = std::fs::symlink_metadata(&self.path).map(|status| (status.dev(), status.ino())).ok();
        let open = self.file.metadata().map(|status| (status.dev(), status.ino())).ok();
        if named == open {
            return;
        }
        match self.reopen() {
            Ok(()) => tracing::warn!(path = %self.path.display(), "audit file was moved or removed; opened anew"),
            Err(error) => tracing::error!(path = %self.path.display(), %error, "audit file is gone"),
        }
    }

    /// Moves a full file to the first free `<name>.<n>`. Nothing is ever overwritten or deleted. If that fails the
    /// file grows on: a record in a large file is better than none.
    fn rotate_before(&mut self, more: usize) {
        let Some(limit) = self.options.rotate_bytes else { return };
        if !self.regular || self.size == 0 || self.size.saturating_add(more as u64) <= limit {
            return;
        }
        if let Err(error) = self.rotate() {
            tracing::error!(path = %self.path.display(), %error, "audit file could not be rotated");
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        for n in 1_u64.. {
            let mut aside = self.path.clone().into_os_string();
            aside.push(format!(".{n}"));
            // A hard link refuses to replace a file, which a rename would not.
            match std::fs::hard_link(&self.path, &aside) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        std::fs::remove_file(&self.path)?;
        self.reopen()
    }
}

#[cfg(test)]
impl LogFile {
    /// As after a write that failed in the middle of a line.
    pub(crate) const fn tear(&mut self) {
        self.torn = true;
    }
}

/// Opens for appending, never through a symbolic link at the end of the path, never waiting for a reader of a FIFO.
fn open_to_append(path: &Path, mode: FileMode) -> io::Result<File> {
    use rustix::fs::OFlags;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let create = match mode {
        FileMode::Set(bits) => bits,
        FileMode::Keep => 0o600,
    };
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(create)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    // By the open file, so that nobody can put another one in its place meanwhile.
    let status = file.metadata()?;
    if let FileMode::Set(bits) = mode
        && status.is_file()
        && status.permissions().mode() & 0o7777 != bits
    {
        file.set_permissions(Permissions::from_mode(bits))?;
    }
    Ok(file)
}

fn pace_of(file: &File) -> Pace {
    if file.metadata().is_ok_and(|status| status.is_file()) { Pace::Prompt } else { Pace::Anyones }
}

/// A write that stopped on its way.
struct Cut {
    written: usize,
    error: io::Error,
}

fn write_all(writer: &mut impl Write, lines: &[u8], stop: &AtomicBool, calls: &mut u64) -> Result<(), Cut> {
    let mut written = 0;
    while written < lines.len() {
        *calls += 1;
        match writer.write(&lines[written..]) {
            Ok(0) => return Err(Cut { written, error: io::ErrorKind::WriteZero.into() }),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !stop.load(Ordering::Relaxed) => {
                std::thread::sleep(PIPE_PAUSE);
            }
            Err(error) => return Err(Cut { written, error }),
        }
    }
    Ok(())
}
