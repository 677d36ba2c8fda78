//! Networks that something is bound to, and whether an address lies in one of them.
//!
//! An IPv4 address has a second spelling in IPv6 (`::ffff:10.0.0.1`, RFC 4291 section 2.5.5.2): clients of a socket for both
//! families come under it, and people copy it from logs. Here it is IPv4, whoever writes it, so that no spelling of a
//! binding is looser or tighter than another.

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;

/// The length of what every IPv4 address has in front when it is written as IPv6.
const MAPPED: u8 = 96;

/// A network in CIDR notation. A single address is a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

impl Network {
    /// `10.0.0.0/8`, `2001:db8::/32`, `10.1.2.3`, `::1`; `None` = it is no such thing.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_cidr(text).or_else(|| text.parse().ok().map(Self::of))
    }

    /// As [`Network::parse`], with the length always given.
    pub fn parse_cidr(text: &str) -> Option<Self> {
        text.parse().ok().map(canonical).map(Self)
    }

    pub fn of(address: IpAddr) -> Self {
        Self(IpNet::from(address.to_canonical()))
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether all of `other` lies in it.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// With its length, also for a single address.
    pub fn cidr(&self) -> String {
        self.0.to_string()
    }
}

/// IPv4 in the clothes of IPv6 becomes IPv4.
fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(wide) = net else { return net };
    let mapped = || {
        let length = wide.prefix_len().checked_sub(MAPPED)?;
        Ipv4Net::new(wide.addr().to_ipv4_mapped()?, length).ok()
    };
    mapped().map_or(net, IpNet::V4)
}

/// Without the length of a single address.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

/// As [`Network::cidr`].
impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("no network in CIDR notation"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn net(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    #[test]
    fn networks_are_read_and_shown() {
        for (text, shown, cidr) in [
            ("10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/8"),
            ("127.0.0.1/32", "127.0.0.1", "127.0.0.1/32"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.3/32"),
            ("::1", "::1", "::1/128"),
            ("2001:DB8::/32", "2001:db8::/32", "2001:db8::/32"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1/32"),
            ("::FFFF:0a00:0001/128", "10.0.0.1", "10.0.0.1/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8", "10.0.0.0/8"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0", "0.0.0.0/0"),
            // Wider than IPv4, so something else.
            ("::ffff:0.0.0.0/95", "::ffff:0.0.0.0/95", "::ffff:0.0.0.0/95"),
            ("::10.0.0.1", "::a00:1", "::a00:1/128"),
        ] {
            assert_eq!((net(text).to_string().as_str(), net(text).cidr().as_str()), (shown, cidr), "{text}");
            assert_eq!(net(&net(text).cidr()), net(text));
        }
        for text in
            ["", "nonsense", "10.0.0.0/33", "10.0.0", "::ffff:10.0.0.0/129", "/tmp/socket", "10.0.0.0/-1", " ::1"]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
        assert_eq!((Network::parse_cidr("::ffff:10.0.0.1"), Network::parse_cidr("10.0.0.1")), (None, None));
    }

    #[test]
    fn both_spellings_of_an_address_are_one() {
        for bound in ["10.0.0.0/8", "::ffff:10.0.0.0/104"] {
            for (address, inside) in [
                ("10.255.255.255", true),
                ("::ffff:10.255.255.255", true),
                ("11.0.0.0", false),
                ("::ffff:11.0.0.0", false),
                ("::a00:1", false),
            ] {
                assert_eq!(net(bound).contains(address.parse().unwrap()), inside, "{bound} {address}");
            }
        }
        assert!(
            net("10.0.0.0/8").covers(&net("::ffff:10.1.0.0/112"))
                && net("::ffff:10.0.0.0/104").covers(&net("10.1.2.3"))
        );
        assert!(!net("10.0.0.0/8").covers(&net("::ffff:10.0.0.0/103")) && !net("::/0").covers(&net("10.1.2.3")));
    }

    /// What has been stored in the other spelling means the same.
    #[test]
    fn stored_networks_are_read() {
        let nets: Vec<Network> = serde_json::from_str(r#"["10.0.0.0/8","::ffff:10.0.0.0/104","::1/128"]"#).unwrap();
        assert_eq!(serde_json::to_string(&nets).unwrap(), r#"["10.0.0.0/8","10.0.0.0/8","::1/128"]"#);
        assert!(serde_json::from_str::<Network>(r#""nonsense""#).is_err());
    }
}
