//! Networks that something is bound to. A single address is a network of its own and is shown without its length.

use bulla_kit::EngineError;
use bulla_types::Network;
use std::net::IpAddr;

/// The most networks in one list: each is compared with the client's address at every use.
const MAX_NETWORKS: usize = 1000;

/// All of a list; empty items do not count.
///
/// # Errors
/// One is no network, or there are more than a thousand.
pub fn networks_of(list: &[String]) -> Result<Vec<Network>, EngineError> {
    if list.len() > MAX_NETWORKS {
        return Err(EngineError::bad(format!("more than {MAX_NETWORKS} addresses in one list")));
    }
    let texts = list.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    texts
        .map(|text| {
            let refusal = || {
                EngineError::bad(format!(
                    "error parsing address {text:?}: Unable to convert {text:?} to an IPv4 or IPv6 address, or a UNIX Socket"
                ))
            };
            Network::parse(text).ok_or_else(refusal)
        })
        .collect()
}

/// The client's address lies in one of the networks, or there are none. An address that is not known is in no network.
pub fn allows(bound: &[Network], remote: Option<IpAddr>) -> bool {
    bound.is_empty() || remote.is_some_and(|address| bound.iter().any(|net| net.contains(address)))
}

/// The refusal of a login from elsewhere than [`allows`].
///
/// # Errors
/// 403.
pub fn check_address(bound: &[Network], remote: Option<IpAddr>) -> Result<(), EngineError> {
    if allows(bound, remote) { Ok(()) } else { Err(EngineError::DeniedBecause("permission denied".into())) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn nets(list: &[&str]) -> Result<Vec<String>, String> {
        let list: Vec<String> = list.iter().map(|t| (*t).to_owned()).collect();
        networks_of(&list).map(|nets| nets.iter().map(ToString::to_string).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn single_addresses_show_without_length() {
        let shown =
            nets(&["127.0.0.1/32", "10.0.0.0/8", "::1", "", "2001:db8::/32", "10.1.2.3", "::ffff:10.0.0.0/104"])
                .unwrap();
        assert_eq!(shown, ["127.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "10.1.2.3", "10.0.0.0/8"]);
        for bad in ["nonsense", "10.0.0.0/33", "10.0.0", "/tmp/socket", "10.0.0.0/-1"] {
            assert!(nets(&[bad]).unwrap_err().starts_with("error parsing address"), "{bad}");
        }
        assert!(nets(&vec!["::1"; MAX_NETWORKS]).is_ok());
        assert!(nets(&vec!["::1"; MAX_NETWORKS + 1]).is_err());
    }

    #[test]
    fn addresses_are_compared_by_network() {
        for ten in ["10.0.0.0/8", "::ffff:10.0.0.0/104"] {
            let bound = networks_of(&[ten.into(), "::1".into()]).unwrap();
            let passes = |text: &str| check_address(&bound, Some(text.parse().unwrap())).is_ok();
            assert!(passes("10.255.0.1") && passes("::1") && passes("::ffff:10.0.0.1"), "{ten}");
            assert!(!passes("11.0.0.0") && !passes("9.255.255.255") && !passes("::2") && !passes("::ffff:11.0.0.1"));
            assert!(check_address(&bound, None).is_err());
        }
        assert!(check_address(&[], None).is_ok());
    }
}
