//! What the system grants: open files, locked memory, core dumps, files beside the store.

use super::files;
use crate::config::Config;
use bulla_cli::Check;
use bulla_secret::{LockedBytes, harden_process, mlock_refused};
use rustix::process::{Resource, getrlimit};

/// One file for each connection, and some hundred for the store.
const FILES: u64 = 4096;
/// As much as keys take, generously.
const KEY_BYTES: usize = 64 * 1024;

pub fn check(name: &str, config: &Config) -> Check {
    let mut parts = vec![open_files(), locked_memory(config), core_dumps()];
    for (what, file) in [("Log File", &config.log_file), ("Process Id File", &config.pid_file)] {
        if let Some(file) = file {
            parts.push(match files::can_write(file) {
                Ok(()) => Check::fine(what, file.display().to_string()),
                Err(problem) => Check::broken(what, problem, "Make the folder, or let the server's user write there."),
            });
        }
    }
    Check::of(name, parts)
}

/// A server raises the limit to the highest allowed by itself.
fn open_files() -> Check {
    let name = "Open Files";
    match getrlimit(Resource::Nofile).maximum {
        Some(most) if most < FILES => Check::doubtful(
            name,
            format!("at most {most}, one for each connection"),
            format!(
                "Allow {FILES} or more: LimitNOFILE= of a systemd unit, or `ulimit -Hn` of the shell that starts it."
            ),
        ),
        Some(most) => Check::fine(name, format!("at most {most}")),
        None => Check::fine(name, "no limit"),
    }
}

/// Tried rather than read from the limit: capabilities and containers change what the limit means.
fn locked_memory(config: &Config) -> Check {
    let name = "Locked Memory";
    let granted = LockedBytes::zeroed(KEY_BYTES).is_ok() && !mlock_refused();
    let limit = getrlimit(Resource::Memlock).current.map_or("no limit".to_owned(), |bytes| format!("{bytes} bytes"));
    if granted {
        return Check::fine(name, format!("keys are kept out of swap ({limit})"));
    }
    let advice = format!(
        "Allow {KEY_BYTES} bytes or more: LimitMEMLOCK= of a systemd unit, `ulimit -l`, or the capability CAP_IPC_LOCK. \
         Or run without swap."
    );
    let told = if config.disable_mlock { "; the configuration does not ask for it" } else { "" };
    Check::doubtful(name, format!("keys cannot be kept out of swap ({limit}){told}"), advice)
}

/// Forbidden for this process on the way, which ends soon.
fn core_dumps() -> Check {
    let name = "Core Dumps";
    let gaps = harden_process();
    if gaps.is_empty() {
        return Check::fine(name, "a server forbids its own");
    }
    let told: Vec<String> = gaps.iter().map(ToString::to_string).collect();
    Check::doubtful(name, told.join("; "), "Forbid them from outside: LimitCORE=0 of a systemd unit, or `ulimit -c 0`.")
}
