//! Whether standard output will take an answer that is given only once. Asked before the request that makes it.
//!
//! Not here: what happens if it fails nevertheless (`ui`).

use std::{io, os::fd::AsFd};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FallocateFlags, FileType, OFlags, fallocate, fcntl_getfl, fstat, major, minor, seek},
    io::{Errno, write},
};

/// More than any such answer needs.
const ROOM: u64 = 64 << 10;

/// # Errors
/// Why nothing written there would be kept.
pub fn check(out: impl AsFd) -> io::Result<()> {
    let out = out.as_fd();
    // Devices that are always full, and what is open for reading only, refuse even nothing.
    write(out, b"")?;
    let stat = fstat(out)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice if may_be_closed(out)? => {
            Err(io::Error::other("it is closed, or leads to /dev/null"))
        }
        FileType::RegularFile => room(out),
        FileType::Fifo | FileType::Socket => reader(out),
        _ => Ok(()),
    }
}

/// A closed stream shows as the null device open for both ways: that is what the runtime puts in its place, so that no
/// file opened later takes it. `>/dev/null` opens it for writing only, and is somebody's wish.
///
/// So is the null device open for both ways where a program of another language has started this one (Python's `DEVNULL`,
/// Node's `ignore`, `daemon(3)`), and from the inside the two cannot be told apart. That is why only commands whose
/// answer would be lost for good refuse it; others would break whoever starts them like that.
pub fn may_be_closed(stream: impl AsFd) -> io::Result<bool> {
    let device = fstat(&stream)?.st_rdev;
    let is_null = (major(device), minor(device)) == (1, 3);
    Ok(is_null && fcntl_getfl(&stream)?.contains(OFlags::RDWR))
}

/// Asks the disk to set space aside; what is not used it takes back when the file is next cut.
fn room(out: impl AsFd) -> io::Result<()> {
    let here = seek(&out, rustix::fs::SeekFrom::Current(0))?;
    match fallocate(&out, FallocateFlags::KEEP_SIZE, here, ROOM) {
        Err(cause @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(cause.into()),
        // Some file systems cannot set space aside.
        _ => Ok(()),
    }
}

fn reader(out: impl AsFd) -> io::Result<()> {
    let mut asked = [PollFd::new(&out, PollFlags::OUT)];
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    if asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) { Err(Errno::PIPE.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::fs::{File, OpenOptions};

    use super::*;

    fn opened(path: &str, read: bool) -> io::Result<()> {
        check(OpenOptions::new().read(read).write(true).open(path).unwrap())
    }

    #[test]
    fn what_keeps_nothing_is_told() {
        assert_eq!(opened("/dev/full", false).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(opened("/dev/null", true).unwrap_err().to_string(), "it is closed, or leads to /dev/null");
        opened("/dev/null", false).unwrap();
        assert!(check(File::open("/dev/null").unwrap()).is_err(), "open for reading only");
        let (reader, writer) = io::pipe().unwrap();
        check(&writer).unwrap();
        drop(reader);
        assert_eq!(check(&writer).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_file_stays_as_long_as_it_is() {
        let file = tempfile::tempfile().unwrap();
        check(&file).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
    }
}
