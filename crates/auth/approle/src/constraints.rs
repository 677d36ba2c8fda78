//! Networks that a role and its secret ids are bound to. Unlike those of tokens they are always given with a length.

use bulla_auth_tokens::allows;
use bulla_kit::EngineError;
use ipnet::IpNet;
use std::net::IpAddr;

/// The most networks in one list: each is compared with the client's address at every login.
const MAX_NETWORKS: usize = 1000;

/// Networks with their length; empty items do not count.
///
/// # Errors
/// One is no network, or there are more than a thousand.
pub fn networks(list: &[String]) -> Result<Vec<IpNet>, EngineError> {
    if list.len() > MAX_NETWORKS {
        return Err(EngineError::bad(format!("more than {MAX_NETWORKS} CIDR blocks in one list")));
    }
    let texts = list.iter().filter(|text| !text.is_empty());
    let refusal = |text: &str| format!("failed to validate CIDR blocks: invalid CIDR address: {text}");
    texts.map(|text| text.parse().map_err(|_| EngineError::bad(refusal(text)))).collect()
}

pub fn shown(nets: &[IpNet]) -> Vec<String> {
    nets.iter().map(ToString::to_string).collect()
}

/// A secret id's networks must lie within the role's, if it has any.
///
/// # Errors
/// One does not.
pub fn check_subset(role: &[IpNet], secret_id: &[IpNet]) -> Result<(), EngineError> {
    let within = |net: &IpNet| role.iter().any(|wide| wide.contains(net));
    if role.is_empty() || secret_id.iter().all(within) {
        return Ok(());
    }
    let (role, secret_id) = (shown(role), shown(secret_id));
    Err(EngineError::bad(format!(
        "failed to verify subset relationship between CIDR blocks on the role {role:?} and CIDR blocks on the secret ID \
         {secret_id:?}"
    )))
}

/// # Errors
/// The client is elsewhere, or nobody knows where.
pub fn check_source(bound: &[IpNet], remote: Option<IpAddr>, whose: &str) -> Result<(), EngineError> {
    if allows(bound, remote) {
        return Ok(());
    }
    Err(EngineError::bad(format!("source address unauthorized through CIDR restrictions on the {whose}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn nets(text: &str) -> Vec<IpNet> {
        networks(&text.split(',').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn networks_have_a_length_and_keep_it() {
        assert_eq!(shown(&nets("10.0.0.0/8,,127.0.0.1/32")), ["10.0.0.0/8", "127.0.0.1/32"]);
        for bad in ["nonsense", "10.0.0.1", "10.0.0.0/33", "::1"] {
            let text = networks(&[bad.to_owned()]).unwrap_err().to_string();
            assert_eq!(text, format!("failed to validate CIDR blocks: invalid CIDR address: {bad}"));
        }
        assert!(networks(&vec!["::1/128".to_owned(); MAX_NETWORKS]).is_ok());
        assert!(networks(&vec!["::1/128".to_owned(); MAX_NETWORKS + 1]).is_err());
    }

    #[test]
    fn subsets() {
        let subset = |role: &str, secret_id: &str| check_subset(&nets(role), &nets(secret_id)).is_ok();
        assert!(subset("127.0.0.0/8", "127.0.0.1/32") && subset("127.0.0.0/8,10.0.0.0/8", "10.0.0.0/8"));
        assert!(subset("", "10.0.0.0/8") && subset("10.0.0.0/8", ""));
        assert!(!subset("127.0.0.0/8", "10.0.0.0/8") && !subset("10.0.0.0/8", "10.0.0.0/7"));
        assert!(!subset("10.0.0.0/8", "10.0.0.0/16,11.0.0.0/16"), "all of them have to");
    }

    #[test]
    fn sources() {
        let passes = |bound: &str, at: &str| check_source(&nets(bound), at.parse().ok(), "role").is_ok();
        assert!(passes("10.0.0.0/8", "10.255.255.255") && passes("10.0.0.0/8", "::ffff:10.0.0.1") && passes("", ""));
        assert!(!passes("10.0.0.0/8", "11.0.0.0") && !passes("10.0.0.0/8", ""));
    }
}
