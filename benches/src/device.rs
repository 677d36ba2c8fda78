//! How fast the machine's own disk is, to compare with.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// The median time of appending 2 KiB to a file and making it durable.
pub fn fdatasync(folder: &Path) -> Duration {
    let path = folder.join("fdatasync");
    let mut times = Vec::new();
    let measured = File::create(&path).and_then(|mut file| {
        for _ in 0..300 {
            let begin = Instant::now();
            file.write_all(&[7; 2048])?;
            file.sync_data()?;
            times.push(begin.elapsed());
        }
        std::fs::remove_file(&path)
    });
    if let Err(error) = measured {
        eprintln!("{}: {error}", path.display());
    }
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
