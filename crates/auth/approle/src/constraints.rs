//! Networks that a role and its secret ids are bound to. Unlike those of tokens they are always given with a length.

use bulla_auth_tokens::allows;
use bulla_kit::EngineError;
use bulla_types::Network;
use std::net::IpAddr;

/// The most networks in one list: each is compared with the client's address at every login.
const MAX_NETWORKS: usize = 1000;

/// Networks with their length; empty items do not count.
///
/// # Errors
/// One is no network, or there are more than a thousand.
pub fn networks(list: &[String]) -> Result<Vec<Network>, EngineError> {
    if list.len() > MAX_NETWORKS {
        return Err(EngineError::bad(format!("more than {MAX_NETWORKS} CIDR blocks in one list")));
    }
    let texts = list.iter().filter(|text| !text.is_empty());
    let refusal = |text: &str| format!("failed to validate CIDR blocks: invalid CIDR address: {text}");
    texts.map(|text| Network::parse_cidr(text).ok_or_else(|| EngineError::bad(refusal(text)))).collect()
}

pub fn shown(nets: &[Network]) -> Vec<String> {
    nets.iter().map(Network::cidr).collect()
}

/// A secret id's networks must lie within the role's, if it has any.
///
/// # Errors
/// One does not.
pub fn check_subset(role: &[Network], secret_id: &[Network]) -> Result<(), EngineError> {
    let within = |net: &Network| role.iter().any(|wide| wide.covers(net));
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
pub fn check_source(bound: &[Network], remote: Option<IpAddr>, whose: &str) -> Result<(), EngineError> {
    if allows(bound, remote) {
        return Ok(());
    }
    Err(EngineError::bad(format!("source address unauthorized through CIDR restrictions on the {whose}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn nets(text: &str) -> Vec<Network> {
        networks(&text.split(',').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn networks_have_a_length_and_keep_it() {
        let shown = shown(&nets("10.0.0.0/8,,127.0.0.1/32,::ffff:10.1.0.0/112"));
        assert_eq!(shown, ["10.0.0.0/8", "127.0.0.1/32", "10.1.0.0/16"]);
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
        assert!(subset("10.0.0.0/8", "::ffff:10.1.0.0/112") && subset("::ffff:10.0.0.0/104", "10.1.0.0/16"));
        assert!(!subset("127.0.0.0/8", "10.0.0.0/8") && !subset("10.0.0.0/8", "10.0.0.0/7"));
        assert!(!subset("10.0.0.0/8", "10.0.0.0/16,11.0.0.0/16"), "all of them have to");
    }

    #[test]
    fn sources() {
        let passes = |bound: &str, at: &str| check_source(&nets(bound), at.parse().ok(), "role").is_ok();
        assert!(passes("10.0.0.0/8", "10.255.255.255") && passes("10.0.0.0/8", "::ffff:10.0.0.1") && passes("", ""));
        assert!(passes("::ffff:10.0.0.0/104", "10.0.0.1") && passes("::ffff:10.0.0.0/104", "::ffff:10.0.0.1"));
        assert!(!passes("::ffff:10.0.0.0/104", "11.0.0.0") && !passes("::ffff:10.0.0.0/104", "::ffff:11.0.0.0"));
        assert!(!passes("10.0.0.0/8", "11.0.0.0") && !passes("10.0.0.0/8", ""));
    }
}
