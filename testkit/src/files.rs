//! Looking through files, as a thief of a disk or a backup would.

use crate::needles::{Hit, Needles};
use std::io;
use std::path::Path;

/// All occurrences in all files below `folder`, and in the names of files.
///
/// # Errors
/// A file cannot be read.
pub fn scan_files(folder: &Path, needles: &Needles) -> io::Result<Vec<Hit>> {
    let searcher = needles.searcher();
    let mut hits = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let shown = path.display().to_string();
            for (name, form, at) in searcher.find(shown.as_bytes()) {
                hits.push(Hit::new(name, form, format!("the name {shown}"), shown.as_bytes(), at));
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path)?;
            for (name, form, at) in searcher.find(&bytes) {
                hits.push(Hit::new(name, form, format!("{shown} at {at}"), &bytes, at));
            }
        }
    }
    Ok(hits)
}

/// Bytes in all files below `folder`.
///
/// # Errors
/// A folder cannot be read.
pub fn size_of(folder: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        size += if entry.file_type()?.is_dir() { size_of(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(size)
}
