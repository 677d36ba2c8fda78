//! Hardening changes the whole process, so it has a test process of its own.

#[test]
fn a_hardened_process_leaves_no_core() {
    assert!(bulla_secret::harden_process().is_empty());
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(line) = limits.lines().find(|line| line.starts_with("Max core file size")) {
        assert_eq!(line.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{line}");
    }
    assert_eq!(rustix::process::dumpable_behavior().ok(), Some(rustix::process::DumpableBehavior::NotDumpable));
}
