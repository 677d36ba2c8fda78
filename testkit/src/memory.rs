//! Looking through the memory of another process, as a thief with the rights of root would.

use crate::needles::{Hit, Needles};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Small enough that most chunks of memory that was reserved and never used are skipped.
const CHUNK: usize = 64 << 10;

/// A mapped region of a process.
struct Region {
    from: u64,
    to: u64,
    /// Permissions and what is mapped.
    what: String,
}

/// All occurrences in all readable memory of the process: heap, stacks, libraries, files that it has mapped.
///
/// # Errors
/// The process is gone, or the caller may not read it (it takes root: the server forbids everybody else).
pub fn scan_memory(pid: u32, needles: &Needles) -> io::Result<Vec<Hit>> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let searcher = needles.searcher();
    let overlap = needles.longest();
    let mut buffer = vec![0; CHUNK + overlap];
    let zeros = vec![0; CHUNK + overlap];
    let mut hits = Vec::new();
    let mut read_any = false;
    for region in regions(pid)? {
        let mut at = region.from;
        while at < region.to {
            let wanted = usize::try_from(region.to - at).unwrap_or(usize::MAX).min(buffer.len());
            // Some special pages ([vvar]) are listed as readable and are not.
            let Ok(length) = memory.read_at(&mut buffer[..wanted], at) else { break };
            if length == 0 {
                break;
            }
            read_any = true;
            let bytes = &buffer[..length];
            if bytes != &zeros[..length] {
                for (name, form, position) in searcher.find(bytes) {
                    // What begins in the overlap is found again at the start of the next chunk.
                    if position < CHUNK {
                        let place = format!("{:#x} in {}", at + position as u64, region.what);
                        hits.push(Hit::new(name, form, place, bytes, position));
                    }
                }
            }
            at += length.min(CHUNK) as u64;
        }
    }
    if read_any { Ok(hits) } else { Err(io::Error::other("no memory of the process could be read")) }
}

fn regions(pid: u32) -> io::Result<Vec<Region>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let region = |line: &str| {
        let mut words = line.split_whitespace();
        let (from, to) = words.next()?.split_once('-')?;
        let permissions = words.next()?;
        let name = words.nth(3).unwrap_or("anonymous");
        if !permissions.starts_with('r') {
            return None;
        }
        let parse = |text| u64::from_str_radix(text, 16).ok();
        let (from, to) = (parse(from)?, parse(to)?);
        Some(Region { from, to, what: format!("{permissions} {from:x}-{to:x} {name}") })
    };
    Ok(maps.lines().filter_map(region).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_this_process_holds_and_nothing_else() {
        let own = std::process::id();
        let mut there = Needles::default();
        let text = format!("here-is-{}-a-canary", own);
        let held: Vec<u8> = text.bytes().rev().collect();
        there.raw("held", &held);
        assert!(!scan_memory(own, &there).expect("root may read itself").is_empty());
        drop(held);
        assert!(scan_memory(u32::MAX, &there).is_err());
    }
}
