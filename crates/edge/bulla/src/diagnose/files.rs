//! What several checks ask of files: may they be made here, how much room is there?

use rustix::fs::{Access, access, statfs, statvfs};
use std::path::{Path, PathBuf};

/// May this process make or write the file? `Err` says what stands in the way.
pub fn can_write(file: &Path) -> Result<(), String> {
    if file.is_dir() {
        return Err(format!("`{}` is a folder", file.display()));
    }
    if file.exists() {
        return access(file, Access::WRITE_OK)
            .map_err(|cause| format!("`{}` cannot be written: {cause}", file.display()));
    }
    let folder = parent(file);
    if !folder.is_dir() {
        return Err(format!("there is no folder `{}`", folder.display()));
    }
    can_make_in(&folder)
}

/// File systems that show the kernel, by the numbers of statfs(2): proc, sysfs, cgroup2, debugfs, tracefs. Their folders
/// have modes that promise root more than they keep.
const KERNEL: [i64; 5] = [0x9fa0, 0x6265_6572, 0x6367_7270, 0x6462_6720, 0x7472_6163];

/// May this process make files in the folder?
pub fn can_make_in(folder: &Path) -> Result<(), String> {
    if statfs(folder).is_ok_and(|about| KERNEL.contains(&about.f_type)) {
        return Err(format!("nothing can be made in `{}`: it belongs to the kernel", folder.display()));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|cause| format!("nothing can be made in `{}`: {cause}", folder.display()))
}

/// The nearest folder above, or at, `path` that exists.
pub fn nearest(path: &Path) -> PathBuf {
    let mut folder = path.to_path_buf();
    while !folder.is_dir() {
        folder = parent(&folder);
    }
    folder
}

/// The folder in which the first part of `path` that is missing would be made. `Err` says what lies in the way.
pub fn beginning(path: &Path) -> Result<PathBuf, String> {
    let nearest = nearest(path);
    // Of the missing parts, the topmost must not be there as something else: a file, or a link that leads nowhere.
    let missing = path.ancestors().take_while(|above| !above.is_dir()).last();
    match missing.filter(|above| !above.as_os_str().is_empty()) {
        Some(there) if there.symlink_metadata().is_ok() => Err(format!("`{}` is no folder", there.display())),
        _ => Ok(nearest),
    }
}

/// Bytes this user may still write there, and bytes there are at all.
pub fn room(folder: &Path) -> Option<(u64, u64)> {
    let about = statvfs(folder).ok()?;
    Some((about.f_bavail.saturating_mul(about.f_frsize), about.f_blocks.saturating_mul(about.f_frsize)))
}

/// The folder a file is in; relative names are in the working directory.
pub fn parent(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_path_buf(),
        None => PathBuf::from("/"),
    }
}
