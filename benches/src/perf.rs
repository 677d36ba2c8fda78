//! Where the time of a process goes, as `perf` sees it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Watches the process for `seconds`, while somebody else loads it.
pub fn watch(pid: u32, seconds: u64, folder: &Path) -> Option<Child> {
    let mut command = Command::new("perf");
    command.args(["record", "-q", "-F", "997", "-p", &pid.to_string(), "-o"]).arg(folder.join("perf.data"));
    command.args(["--", "sleep", &seconds.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

/// The functions that took most.
pub fn report(watching: Option<Child>, folder: &Path) {
    let Some(mut watching) = watching else { return println!("perf cannot be started") };
    let _ = watching.wait();
    let output = Command::new("perf")
        .args(["report", "--stdio", "--no-children", "--percent-limit", "0.7", "-s", "symbol", "-i"])
        .arg(folder.join("perf.data"))
        .output();
    let Ok(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter(|l| !l.starts_with('#') && !l.trim().is_empty())
        .take(40)
        .for_each(|line| println!("    {line}"));
}

/// Seconds of processor time that the process has used so far.
pub fn processor_time(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Fields after the name, which may hold blanks: user and system time are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}
