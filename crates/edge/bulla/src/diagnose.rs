//! `operator diagnose`: what a server with this configuration would find at start, looked at from outside.
//!
//! ```text
//! configuration ─► system · storage · seal · audit · listeners ─► one tree of checks
//! ```
//!
//! Nothing is created, changed or locked, so that it may run beside a server. Not here: how the tree is shown
//! (`edge/cli`).

mod audit;
mod certificate;
mod configuration;
mod files;
mod listeners;
mod storage;
mod system;

#[cfg(test)]
mod tests;

use crate::config::{Config, Environment};
use bulla_cli::{Check, DiagnoseOptions};

/// Checks what `options` name.
pub fn run(options: &DiagnoseOptions, environment: &Environment) -> Check {
    let (parsed, config) = configuration::check(&options.configs, environment);
    let mut parts = vec![parsed];
    let name = "Bulla Diagnose";
    let Some(config) = config else { return Check::of(name, parts) };
    let running = storage::running(&config);
    let mut room = |room: &str, title: &str, look: &dyn Fn(&str) -> Check| {
        let is_skipped = options.skip.iter().any(|name| name == room);
        parts.push(if is_skipped { Check::skipped(title, "as asked") } else { look(title) });
    };
    room("system", "Check System", &|title| system::check(title, &config));
    room("storage", "Check Storage", &|title| storage::check(title, &config));
    room("seal", "Check Seal", &|title| seal(title, &config));
    room("audit", "Check Audit", &|title| audit::check(title, &config));
    room("listener", "Check Listener", &|title| listeners::check(title, &config, running));
    Check::of(name, parts)
}

fn seal(name: &str, config: &Config) -> Check {
    match config.seals.first() {
        None => Check::fine(name, "shamir: operators unseal with their shares"),
        Some(seal) => Check::broken(
            name,
            format!("seal `{}` is not supported", seal.kind),
            "Remove the block: the server is then unsealed with shares.",
        ),
    }
}
