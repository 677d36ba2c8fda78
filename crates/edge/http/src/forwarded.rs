//! `X-Forwarded-For`: the client's address as a proxy that speaks HTTP tells it, and the client's certificate with it.
//!
//! A header is only as good as who sends it: from anybody but an authorised proxy it counts for nothing, or is refused.
//! What is refused names no address, for the answer may reach somebody who should not know one (CVE-2021-3024).

use crate::certificate_header;
use crate::decode::Early;
use crate::settings::ForwardedFor;
use http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

const HEADER: &str = "x-forwarded-for";

/// Who asks, once proxies have been heard.
pub(crate) struct Client {
    pub(crate) remote: Option<SocketAddr>,
    /// DER, the client's own first; `None` = as the connection's TLS says.
    pub(crate) certificates: Option<Vec<Vec<u8>>>,
}

/// `peer` is who the connection comes from (as the PROXY protocol tells, where it is used).
///
/// # Errors
/// The answer to a request that is to be refused.
pub(crate) fn client(headers: &HeaderMap, peer: Option<SocketAddr>, rule: &ForwardedFor) -> Result<Client, Early> {
    let authorized = rule.authorized.contains(peer);
    let certificates = match &rule.certificate {
        // Never the proxy's own: without the header the client has none.
        Some(header) if authorized => Some(certificate_header::read(headers, header)?),
        _ => None,
    };
    Ok(Client { remote: address(headers, peer, rule, authorized)?, certificates })
}

fn address(
    headers: &HeaderMap,
    peer: Option<SocketAddr>,
    rule: &ForwardedFor,
    authorized: bool,
) -> Result<Option<SocketAddr>, Early> {
    if headers.get_all(HEADER).iter().all(|value| value.as_bytes().trim_ascii().is_empty()) {
        return if rule.reject_not_present {
            Err(Early::bad("missing x-forwarded-for header and configured to reject when not present"))
        } else {
            Ok(peer)
        };
    }
    if !authorized {
        return if rule.reject_not_authorized {
            Err(Early::bad("client address not authorized for x-forwarded-for and configured to reject connection"))
        } else {
            Ok(peer)
        };
    }
    let port = peer.map_or(0, |p| p.port());
    let Some(hop) = hops(headers).nth(rule.hop_skips) else {
        return Err(Early::bad(format!(
            "malformed x-forwarded-for configuration or request, hops to skip ({}) would skip before earliest chain link \
             (chain length {})",
            rule.hop_skips,
            hops(headers).count()
        )));
    };
    entry(hop, port).map(Some).ok_or_else(|| Early::bad("malformed x-forwarded-for header: not an address"))
}

/// From the last, which the nearest proxy added, to the first, which anybody may have made up. Several headers are one
/// long one.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    // What is not text is no address either, but it is a link of the chain.
    headers.get_all(HEADER).iter().rev().flat_map(|value| value.to_str().unwrap_or("?").rsplit(','))
}

/// An address, with a port or without; IPv6 also in brackets. `port` is that of the connection.
fn entry(text: &str, port: u16) -> Option<SocketAddr> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<SocketAddr>() {
        return Some(SocketAddr::new(whole.ip().to_canonical(), whole.port()));
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).filter(|t| t.contains(':')).unwrap_or(text);
    bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::networks::Networks;
    use http::HeaderValue;

    fn rule(hop_skips: usize, reject: bool) -> ForwardedFor {
        ForwardedFor {
            hop_skips,
            reject_not_present: reject,
            reject_not_authorized: reject,
            ..ForwardedFor::new(Networks::parse(["10.0.0.0/8"]).unwrap())
        }
    }

    /// The address, or the error, for a request of `peer` with these headers.
    fn seen(peer: &str, lines: &[&str], rule: &ForwardedFor) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        match client(&headers, peer.parse().ok(), rule) {
            Ok(client) => client.remote.map_or_else(|| "nobody".into(), |a| a.to_string()),
            Err(Early::Refused { status, errors }) => {
                assert_eq!(status, 400);
                errors.concat()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    const PROXY: &str = "10.0.0.9:5000";

    #[test]
    fn only_an_authorised_proxy_is_believed() {
        assert_eq!(seen(PROXY, &["192.0.2.1"], &rule(0, true)), "192.0.2.1:5000");
        assert_eq!(seen("11.0.0.9:5000", &["192.0.2.1"], &rule(0, false)), "11.0.0.9:5000");
        assert!(seen("11.0.0.9:5000", &["192.0.2.1"], &rule(0, true)).contains("not authorized for x-forwarded-for"));
        assert_eq!(seen("unix", &["192.0.2.1"], &rule(0, false)), "nobody");
        for absent in [&[][..], &[""], &["  ", ""]] {
            assert_eq!(seen(PROXY, absent, &rule(0, false)), PROXY);
            assert!(seen(PROXY, absent, &rule(0, true)).starts_with("missing x-forwarded-for header"), "{absent:?}");
        }
    }

    #[test]
    fn hops_are_counted_from_the_last_over_all_headers() {
        let chain = ["1.2.3.4, 2.3.4.5", "3.4.5.6,4.5.6.7"];
        for (skips, expected) in [(0, "4.5.6.7"), (1, "3.4.5.6"), (2, "2.3.4.5"), (3, "1.2.3.4")] {
            assert_eq!(seen(PROXY, &chain, &rule(skips, true)), format!("{expected}:5000"));
        }
        let over = seen(PROXY, &chain, &rule(4, true));
        assert!(over.contains("hops to skip (4)") && over.contains("(chain length 4)"), "{over}");
        // Made up by the client in front, whatever it is: not looked at.
        assert_eq!(seen(PROXY, &["nonsense, 1.2.3.4, 2.3.4.5"], &rule(1, true)), "1.2.3.4:5000");
    }

    #[test]
    fn addresses_in_all_forms() {
        for (text, expected) in [
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("2001:db8::1", "[2001:db8::1]:5000"),
            ("[2001:db8::1]", "[2001:db8::1]:5000"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
            ("::ffff:192.0.2.1", "192.0.2.1:5000"),
        ] {
            assert_eq!(seen(PROXY, &[text], &rule(0, true)), expected, "{text}");
        }
        for wrong in
            ["192.0.2.1,", "unknown", "192.0.2.1:", "[192.0.2.1]", "192.0.2.256", "host.example", "1.2.3.4 5", "é"]
        {
            let told = seen(PROXY, &[wrong], &rule(0, false));
            assert_eq!(told, "malformed x-forwarded-for header: not an address", "{wrong}");
        }
    }
}
