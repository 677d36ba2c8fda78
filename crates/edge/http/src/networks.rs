//! Lists of networks whose word about the address of a client is taken.

use ipnet::IpNet;
use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};

/// Addresses and networks in CIDR notation; none contains nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// # Errors
    /// What is wrong with the first that is neither an address nor a network, or that there is none.
    pub fn parse<'a>(list: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let found: Result<Vec<IpNet>, String> = list.into_iter().map(|text| network(text.trim())).collect();
        match found? {
            empty if empty.is_empty() => Err("must name at least one address".into()),
            networks => Ok(Self(networks)),
        }
    }

    pub(crate) fn contains(&self, address: Option<SocketAddr>) -> bool {
        address.is_some_and(|known| self.0.iter().any(|net| net.contains(&known.ip().to_canonical())))
    }

    /// One of them takes in every address of its family.
    pub fn is_everybody(&self) -> bool {
        self.0.iter().any(|net| net.prefix_len() == 0)
    }
}

impl Display for Networks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, net) in self.0.iter().enumerate() {
            write!(out, "{}{net}", if number == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = |_| text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
    text.parse().or_else(single).map_err(|_| format!("`{text}` is no address and no network in CIDR notation"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_and_networks() {
        let nets = Networks::parse(["10.1.2.3/8", " 192.0.2.7 ", "2001:db8::/32", "::ffff:198.51.100.1"]).unwrap();
        let has = |text: &str| nets.contains(text.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip, 1)));
        assert!(has("10.255.0.1") && has("192.0.2.7") && has("2001:db8::5") && has("198.51.100.1"));
        assert!(has("::ffff:10.0.0.1"), "an IPv4 address in the clothes of IPv6");
        assert!(!has("11.0.0.0") && !has("192.0.2.8") && !has("2001:db9::") && !nets.contains(None));
        assert!(!nets.is_everybody() && Networks::parse(["10.0.0.0/8", "0.0.0.0/0"]).unwrap().is_everybody());
        for wrong in ["", "10.0.0.0/33", "10.0.0", "host.example", "10.0.0.1:80", "/tmp/socket"] {
            assert!(Networks::parse([wrong]).unwrap_err().contains("CIDR"), "{wrong}");
        }
        assert!(Networks::parse([]).is_err());
    }
}
