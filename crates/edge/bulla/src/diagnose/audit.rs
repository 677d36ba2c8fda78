//! Audit devices of the configuration: can they take records?

use super::files;
use crate::config::{AuditBlock, Config};
use bulla_cli::Check;
use std::path::Path;

/// Words that name no file.
const NO_FILES: [&str; 3] = ["stdout", "stderr", "discard"];

pub fn check(name: &str, config: &Config) -> Check {
    if config.audit.is_empty() {
        return Check::skipped(
            name,
            "none is configured; devices enabled through the API are known to the server alone",
        );
    }
    Check::of(name, config.audit.iter().map(device).collect())
}

fn device(block: &AuditBlock) -> Check {
    let name = format!("{} {}", block.kind, block.path);
    let file = block.options.get("file_path").or_else(|| block.options.get("path"));
    match (block.kind.as_str(), file) {
        ("file", None) => Check::broken(&name, "`file_path` is missing", "Name the file in the options of the device."),
        ("file", Some(file)) if NO_FILES.contains(&file.as_str()) => Check::fine(&name, file.clone()),
        ("file", Some(file)) => match can_record(Path::new(file)) {
            Ok(()) => Check::fine(&name, file.clone()),
            Err(problem) => Check::broken(
                &name,
                problem,
                "Let the server's user write there: without an audit device that takes records nothing is answered.",
            ),
        },
        _ => Check::skipped(&name, "only the server can tell"),
    }
}

/// A server makes the folders that are missing.
fn can_record(file: &Path) -> Result<(), String> {
    match file.ancestors().skip(1).find(|above| above.exists()) {
        Some(above) if !above.is_dir() => Err(format!("`{}` is no folder", above.display())),
        Some(above) if file.parent() != Some(above) => files::can_make_in(above),
        _ => files::can_write(file),
    }
}
