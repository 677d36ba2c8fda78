//! Where the time of a process goes, as `perf` sees it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Watches the process for `seconds`, while somebody else loads it.
pub fn watch(pid: u32, seconds: u64, folder: &Path) -> Option<Child> {
    let mut command = Command::new("perf");
    command.args(["record", "-q", "-F", "997", "-p", &pid.to_string(), "-o"]).arg(folder.join("perf.data"));
    command.args(["--", "sleep", &seconds.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

/// The rooms and the functions that took most.
pub fn report(watching: Option<Child>, folder: &Path) {
    let Some(mut watching) = watching else { return println!("perf cannot be started") };
    let _ = watching.wait();
    let output = Command::new("perf")
        .args(["report", "--stdio", "--no-children", "-s", "symbol", "-i"])
        .arg(folder.join("perf.data"))
        .output();
    let Ok(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<(f64, &str)> = text.lines().filter_map(line).collect();
    let mut groups: BTreeMap<String, f64> = BTreeMap::new();
    for (share, symbol) in &lines {
        *groups.entry(group(symbol)).or_default() += share;
    }
    let mut groups: Vec<_> = groups.into_iter().filter(|(_, share)| *share >= 1.0).collect();
    groups.sort_by(|a, b| b.1.total_cmp(&a.1));
    let shown: Vec<_> = groups.iter().map(|(name, share)| format!("{name} {share:.0} %")).collect();
    println!("    {}", shown.join(", "));
    lines.iter().take(12).for_each(|(share, symbol)| println!("    {share:>5.1} % {symbol:.110}"));
}

/// `     6.33%  [.] __memmove_avx_unaligned_erms`
fn line(text: &str) -> Option<(f64, &str)> {
    let (share, symbol) = text.trim().split_once('%')?;
    Some((share.parse().ok()?, symbol.trim()))
}

/// The kernel, a crate, or what a library in C is for.
fn group(symbol: &str) -> String {
    let Some(name) = symbol.strip_prefix("[.] ") else { return "kernel".into() };
    let name = name.trim_start_matches(['<', '&']);
    let families = [
        ("__mem", "copying, comparing, wiping"),
        ("_mi", "allocator"),
        ("mi_", "allocator"),
        ("aws_lc", "cryptography"),
    ];
    if let Some((_, family)) = families.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        return (*family).into();
    }
    match name.split_once("::") {
        Some((first, _)) => first.to_owned(),
        None => "other".into(),
    }
}

/// Seconds of processor time that the process has used so far.
pub fn processor_time(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Fields after the name, which may hold blanks: user and system time are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

/// Memory of the process that is in use now, in kB.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_put_in_their_rooms() {
        assert_eq!(line("     6.33%  [.] mi_free  "), Some((6.33, "[.] mi_free")));
        assert_eq!(line("# Overhead"), None);
        let groups = ["[k] x", "[.] mi_free", "[.] <bulla_http::exchange::E as hyper::S>::call", "[.] start_thread"];
        assert_eq!(groups.map(group), ["kernel", "allocator", "bulla_http", "other"]);
    }
}
