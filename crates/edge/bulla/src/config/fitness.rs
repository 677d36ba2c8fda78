//! Values that are well formed and that a server could not honour: it does not start with them. Asked after environment
//! and flags have had their say.

use super::{Config, ConfigError};
use crate::log_levels;
use crate::wiring;
use bulla_core::SYSTEM_TTL;

/// # Errors
/// The first value that is unfit.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    if let Some(address) = config.api_addr.as_deref().filter(|address| !address.is_empty() && !is_url(address)) {
        return unfit(format!("`api_addr` must be a URL like https://bulla.example:8200, not `{address}`"));
    }
    if let Some(format) = config.log_format.as_deref().filter(|format| !is_log_format(format)) {
        return unfit(format!("unknown log format `{format}`; there are standard and json"));
    }
    if let Err(error) = log_levels::parse(config.log_level.as_deref().unwrap_or_default()) {
        return unfit(error.to_string());
    }
    let default = config.default_lease_ttl.unwrap_or_default();
    let max = config.max_lease_ttl.filter(|ttl| !ttl.is_zero()).unwrap_or(SYSTEM_TTL);
    if default > max {
        let (default, max) = (default.0, max.0);
        return unfit(format!("`default_lease_ttl` ({default} s) must not be above `max_lease_ttl` ({max} s)"));
    }
    for (number, block) in config.audit.iter().enumerate() {
        if config.audit[..number].iter().any(|other| other.path == block.path) {
            return unfit(format!("there is more than one audit device at `{}`", block.path));
        }
        let (path, request) = wiring::audit_device(block);
        if let Err(error) = request.check_declared() {
            return unfit(format!("audit device `{} {path}`: {error}", block.kind));
        }
    }
    Ok(())
}

fn unfit(problem: String) -> Result<(), ConfigError> {
    Err(ConfigError::Unfit(problem))
}

/// Clients are sent there: scheme, host, perhaps a port and a path.
fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let has_host = !authority.is_empty() && !authority.starts_with(':');
    let port_fits = match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((_, port)) if !port.ends_with(']') => port.parse::<u16>().is_ok(),
        _ => true,
    };
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || "?#@<>\"".contains(c));
    has_host && port_fits && is_plain
}

fn is_log_format(text: &str) -> bool {
    ["", "standard", "json"].iter().any(|known| text.eq_ignore_ascii_case(known))
}
