//! The commit counter: in a record, in a file, and in the raw journal.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::SeekFrom;

use super::home;
use crate::OpenError;

pub(super) const FILE: &str = "counter";
const HEADER: &str = "bulla commit counter\n";

/// Tells one store from another, and its counter records from any other bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StoreId(pub(super) [u8; 16]);

impl StoreId {
    const RECORD: usize = 24;

    /// The value of the counter record: id, then the counter, big-endian.
    pub(super) fn record(&self, seq: u64) -> Vec<u8> {
        [self.0.as_slice(), &seq.to_be_bytes()].concat()
    }

    pub(super) fn read(&self, record: &[u8]) -> Option<u64> {
        let (id, seq) = record.split_first_chunk::<16>()?;
        (*id == self.0).then_some(())?;
        Some(u64::from_be_bytes(seq.try_into().ok()?))
    }

    pub(super) fn parse(text: &str) -> Option<StoreId> {
        (text.len() == 32 && text.is_ascii()).then_some(())?;
        u128::from_str_radix(text, 16).ok().map(|id| StoreId(id.to_be_bytes()))
    }

    /// The highest counter of this store in a piece of raw journal.
    fn highest_in(&self, bytes: &[u8]) -> Option<u64> {
        bytes.windows(Self::RECORD).filter(|window| window[0] == self.0[0]).filter_map(|window| self.read(window)).max()
    }
}

impl std::fmt::Display for StoreId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

pub(super) fn write(dir: &Path, seq: u64) -> io::Result<()> {
    home::replace(dir, FILE, format!("{HEADER}{seq}\n").as_bytes())
}

pub(super) fn read(dir: &Path) -> Result<u64, OpenError> {
    let damaged = |why: &str| OpenError::Damaged { dir: dir.to_path_buf(), why: format!("the file `{FILE}` {why}") };
    let bytes = match fs::read(dir.join(FILE)) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(damaged("is missing")),
        Err(cause) => return Err(OpenError::Io { dir: dir.to_path_buf(), cause }),
    };
    let text = String::from_utf8_lossy(&bytes);
    let number = text.strip_prefix(HEADER).and_then(|rest| rest.strip_suffix('\n'));
    number.and_then(|number| number.parse().ok()).ok_or_else(|| damaged("cannot be understood"))
}

/// How many commits were acknowledged at least, by what lies in the journals: a group is written only after the one
/// before it is durable, so the last record seen may be torn but the one before it must be there.
///
/// Reads the newest journal from its end to the first record found, mostly a few hundred kilobytes.
pub(super) fn witnessed(library: &Path, id: &StoreId) -> io::Result<u64> {
    for journal in journals(library)? {
        if let Some(seq) = last_record(&File::open(journal)?, id)? {
            return Ok(seq.saturating_sub(1));
        }
    }
    Ok(0)
}

/// The library's journals, newest first.
fn journals(library: &Path) -> io::Result<Vec<PathBuf>> {
    if !library.try_exists()? {
        return Ok(Vec::new());
    }
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(library)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn last_record(file: &File, id: &StoreId) -> io::Result<Option<u64>> {
    const CHUNK: u64 = 256 * 1024;
    for (start, end) in written(file)?.into_iter().rev() {
        let mut upto = end;
        while upto > start {
            let from = upto.saturating_sub(CHUNK).max(start);
            // A little more than the chunk, so that a record across its end is seen.
            let mut bytes = vec![
                0;
                usize::try_from((upto - from).saturating_add(StoreId::RECORD as u64).min(end - from))
                    .unwrap_or(0)
            ];
            file.read_exact_at(&mut bytes, from)?;
            if let Some(seq) = id.highest_in(&bytes) {
                return Ok(Some(seq));
            }
            upto = from;
        }
    }
    Ok(None)
}

/// The parts of a file that are not holes: a journal is made 64 MiB long before anything is written to it.
fn written(file: &File) -> io::Result<Vec<(u64, u64)>> {
    let len = file.metadata()?.len();
    let (mut at, mut parts) = (0, Vec::new());
    while at < len {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(rustix::io::Errno::NXIO) => break,
            // A file system without holes.
            Err(_) => return Ok(vec![(0, len)]),
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))?.min(len);
        parts.push((start, end));
        at = end;
    }
    Ok(parts)
}
