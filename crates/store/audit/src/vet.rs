//! May a file that somebody names through the API become a log? What the server can write, such a caller must not be able
//! to write just so: a token that may make devices is not the user the server runs as (CVE-2025-6000, CVE-2025-54997).
//!
//! Asked once, when the device is made. Devices of the configuration are not asked: who writes that has the files anyway.
//! Between the look and the opening only users of the machine could exchange the file, who gain nothing by it; a symbolic
//! link is not followed then either (`sink`).

use crate::error::EnableError;
use rustix::fs::OFlags;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// How a record begins, behind its prefix, and how the two kinds of it go on (see `line`).
const BEGINNING: &[u8] = b"{\"time\":\"";
const KINDS: [&[u8]; 2] = [b"\",\"type\":\"request\"", b"\",\"type\":\"response\""];
/// As much as is read to see that. A time has some 30 characters.
const LOOKED_AT: usize = 256;

/// `file` is absolute, with the links among its folders followed; so are the server's `own` files and folders.
///
/// # Errors
/// Why this file must not be written.
pub(crate) fn check(file: &Path, prefix: &str, own: &[PathBuf]) -> Result<(), EnableError> {
    // Also what is to be a folder of the server must not become a file.
    if own.iter().any(|place| file.starts_with(place) || place.starts_with(file)) {
        return Err(EnableError::NotFree("it belongs to the server itself"));
    }
    match file.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(EnableError::Open { path: file.display().to_string(), cause }),
        Ok(status) => match objection(file, prefix, &status) {
            None => Ok(()),
            Some(why) => Err(EnableError::NotFree(why)),
        },
    }
}

/// What speaks against a file that is there.
fn objection(file: &Path, prefix: &str, status: &Metadata) -> Option<&'static str> {
    let kind = status.file_type();
    if kind.is_symlink() {
        return Some("it is a symbolic link");
    }
    if !kind.is_file() && !kind.is_fifo() {
        return Some("it is neither a file nor a pipe");
    }
    if status.uid() != rustix::process::geteuid().as_raw() {
        return Some("it belongs to somebody else");
    }
    if status.nlink() != 1 {
        return Some("it has another name as well");
    }
    if status.permissions().mode() & 0o7111 != 0 {
        return Some("it is a program");
    }
    if kind.is_file() && !is_log(file, prefix).unwrap_or(false) {
        return Some("it holds something else than audit records");
    }
    None
}

/// Is it empty, or does it begin as a log does that has this prefix or none?
fn is_log(file: &Path, prefix: &str) -> io::Result<bool> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(file)?;
    let mut text = Vec::new();
    file.take((prefix.len() + LOOKED_AT) as u64).read_to_end(&mut text)?;
    if text.is_empty() {
        return Ok(true);
    }
    // The log may have been begun without it.
    let bare = text.strip_prefix(prefix.as_bytes()).unwrap_or(&text);
    let Some(rest) = bare.strip_prefix(BEGINNING) else { return Ok(false) };
    let Some(end) = rest.iter().position(|byte| *byte == b'"') else { return Ok(false) };
    Ok(KINDS.iter().any(|kind| rest[end..].starts_with(kind)))
}
