//! The store: is it one, whose is it, who uses it, how much room is there?

use super::files;
use crate::config::{Config, Storage};
use bulla_cli::Check;
use bulla_physical::{DiskOptions, Found, inspect};
use std::path::{Path, PathBuf};

/// Below this share of the file system, in percent, somebody should make room.
const SHARE_LEFT: u64 = 5;
/// And below this many bytes, whatever the share.
const BYTES_LEFT: u64 = 1024 * 1024 * 1024;
/// So many names are enough to see what kind they are.
const SHOWN: usize = 3;

/// The process that uses the store, if one does.
pub fn running(config: &Config) -> Option<u32> {
    let Some(Storage::Disk(path)) = &config.storage else { return None };
    match inspect(path) {
        Ok(Found::Store { held_by, .. }) => held_by,
        _ => None,
    }
}

pub fn check(name: &str, config: &Config) -> Check {
    match &config.storage {
        Some(Storage::Disk(path)) => Check::of(name, disk(path)),
        Some(Storage::Memory) => Check::doubtful(
            name,
            "everything is kept in memory and lost when the server stops",
            "Use `storage \"disk\"` for what must last.",
        ),
        None => Check::skipped(name, "no storage is configured"),
    }
}

fn disk(path: &Path) -> Vec<Check> {
    let mut parts = match inspect(path) {
        Ok(found) => store(path, &found),
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            vec![Check::broken(
                "Store",
                format!("{error}{cause}"),
                "Name another folder, or restore this one from a backup.",
            )]
        }
    };
    parts.push(room(path));
    parts
}

fn store(path: &Path, found: &Found) -> Vec<Check> {
    let (held_by, commits, owner, exposed) = match found {
        Found::Nothing | Found::Empty => return vec![beginning(path, found)],
        Found::Store { held_by, commits, owner, exposed } => (held_by, commits, owner, exposed),
    };
    let used = held_by.map_or(String::new(), |process| format!(", in use by process {process}"));
    let mut parts = vec![Check::fine("Store", format!("`{}`, {commits} commits{used}", path.display()))];
    let own = rustix::process::geteuid().as_raw();
    if *owner != own {
        parts.push(Check::doubtful(
            "Owner",
            format!("the store belongs to user {owner}, this is user {own}"),
            "Run this as the user of the server, and the server as the owner of the store.",
        ));
    }
    if !exposed.is_empty() {
        parts.push(open_to_others(path, exposed));
    }
    if let Err(problem) = files::can_make_in(path) {
        parts.push(Check::broken(
            "Access",
            problem,
            "Let the user of the server write there; a file system may be read-only.",
        ));
    }
    parts
}

/// A server puts this right when it opens the store.
fn open_to_others(path: &Path, exposed: &[PathBuf]) -> Check {
    let shown: Vec<String> = exposed.iter().take(SHOWN).map(|file| format!("`{}`", file.display())).collect();
    let more = if exposed.len() > SHOWN { format!(" and {} more", exposed.len() - SHOWN) } else { String::new() };
    let message = format!("others than the owner may use {}{more}", shown.join(", "));
    Check::doubtful("Modes", message, format!("chmod -R go= {}", path.display()))
}

fn beginning(path: &Path, found: &Found) -> Check {
    let folder = if *found == Found::Empty { Ok(path.to_path_buf()) } else { files::beginning(path) };
    match folder.and_then(|folder| files::can_make_in(&folder)) {
        Ok(()) => Check::fine("Store", format!("there is none yet; a server begins one in `{}`", path.display())),
        Err(problem) => Check::broken("Store", problem, "Let the user of the server write there."),
    }
}

fn room(path: &Path) -> Check {
    let name = "Room";
    let Some((free, all)) = files::room(&files::nearest(path)) else {
        return Check::skipped(name, "the file system does not tell");
    };
    let told = format!("{} MiB of {} MiB are free", free >> 20, all >> 20);
    let reserve = DiskOptions::default().reserve_bytes;
    if free < reserve {
        let advice = format!("Make room: with less than {} MiB free, writes are refused.", reserve >> 20);
        Check::broken(name, told, advice)
    } else if free < BYTES_LEFT || free / 100 * 100 < all / 100 * SHARE_LEFT {
        let advice = format!("Make room before less than {} MiB are free; writes are refused then.", reserve >> 20);
        Check::doubtful(name, told, advice)
    } else {
        Check::fine(name, told)
    }
}
