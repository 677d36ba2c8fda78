//! Servers that are spoken to without a proxy: `NO_PROXY`, as the established clients read it.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

/// A list of names, addresses and networks. This machine itself (`localhost`, loopback addresses) is always in it.
#[derive(Debug, Clone, Default)]
pub struct Exceptions {
    all: bool,
    networks: Vec<IpNet>,
    places: Vec<Place>,
}

#[derive(Debug, Clone)]
struct Place {
    host: Host,
    /// Any if none.
    port: Option<String>,
}

#[derive(Debug, Clone)]
enum Host {
    Address(IpAddr),
    /// With a dot in front. `itself`: not only what is below it.
    Domain {
        suffix: String,
        itself: bool,
    },
}

impl Exceptions {
    /// Parted by commas: `*` for all; an address or a network; a name, which stands for all names below it, too; `.name`
    /// or `*.name` for these alone. Behind names and addresses there may be a port. What is none of these is no exception.
    pub fn parse(list: &str) -> Self {
        let mut found = Self::default();
        for word in list.split(',').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty()) {
            if word == "*" {
                found.all = true;
            } else if let Ok(network) = word.parse() {
                found.networks.push(network);
            } else {
                found.places.extend(Place::parse(&word));
            }
        }
        found
    }

    pub(crate) fn contain(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if self.all || host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        let standard = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(standard).to_string();
        address.is_some_and(|address| self.networks.iter().any(|network| network.contains(&address)))
            || self.places.iter().any(|place| place.is_at(&host, address, &port))
    }
}

impl Place {
    fn parse(word: &str) -> Option<Self> {
        let (host, port) = match word.rsplit_once(':') {
            // An IPv6 address has colons itself.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.to_owned())),
            _ => (word, None),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = if let Ok(address) = bare.parse::<IpAddr>() {
            Host::Address(address.to_canonical())
        } else {
            let below = bare.strip_prefix("*.").or_else(|| bare.strip_prefix('.'));
            let name = below.unwrap_or(bare);
            if name.is_empty() {
                return None;
            }
            Host::Domain { suffix: format!(".{name}"), itself: below.is_none() }
        };
        Some(Self { host, port })
    }

    fn is_at(&self, host: &str, address: Option<IpAddr>, port: &str) -> bool {
        let is_host = match &self.host {
            Host::Address(own) => address == Some(*own),
            Host::Domain { suffix, itself } => host.ends_with(suffix) || (*itself && *host == suffix[1..]),
        };
        is_host && self.port.as_ref().is_none_or(|own| own == port)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn as_the_established_clients_read_them() {
        let list = "example.com, .below.test,*.star.test,ported.test:8443,10.1.0.0/16,192.0.2.7,[2001:db8::1]:8200,\
                    2001:db8:1::/48,2001:db8::2,,.,bad/99,UPPER.test";
        let exceptions = Exceptions::parse(list);
        for (uri, want) in [
            ("https://example.com/", true),
            ("https://www.EXAMPLE.com:8200/", true),
            ("https://notexample.com/", false),
            ("https://example.com.evil.test/", false),
            ("https://below.test/", false),
            ("https://a.below.test/", true),
            ("https://star.test/", false),
            ("https://a.star.test/", true),
            ("https://ported.test:8443/", true),
            ("https://ported.test/", false),
            ("https://10.1.255.1:1/", true),
            ("https://10.2.0.1/", false),
            ("https://[::ffff:10.1.0.1]/", true),
            ("https://192.0.2.7/", true),
            ("https://192.0.2.8/", false),
            ("https://[2001:db8::1]:8200/", true),
            ("https://[2001:db8::1]/", false),
            ("https://[2001:db8::2]/", true),
            ("https://[2001:db8:1::9]/", true),
            ("https://[2001:db8:2::9]/", false),
            ("https://upper.test/", true),
        ] {
            assert_eq!(exceptions.contain(&uri.parse().unwrap()), want, "{uri}");
        }
        assert!(Exceptions::parse("a, * ").contain(&Uri::from_static("https://any.where/")));
        let ports = Exceptions::parse("a.test:443,b.test:80");
        assert!(
            ports.contain(&Uri::from_static("https://a.test/")) && ports.contain(&Uri::from_static("http://b.test/"))
        );
        assert!(!ports.contain(&Uri::from_static("http://a.test/")));
    }

    #[test]
    fn this_machine_is_always_an_exception() {
        let none = Exceptions::default();
        for uri in ["http://localhost:1/", "https://127.8.8.8/", "https://[::1]:8200/", "https://[::ffff:127.0.0.1]/"] {
            assert!(none.contain(&uri.parse().unwrap()), "{uri}");
        }
        for uri in ["http://localhost.example/", "https://128.0.0.1/", "https://[::2]/"] {
            assert!(!none.contain(&uri.parse().unwrap()), "{uri}");
        }
    }
}
