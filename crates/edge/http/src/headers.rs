//! Request headers that mean something to this server, and the view of the others that core gets.

use bulla_core::{RequestHeaders, WrapRequest};
use bulla_types::{Seconds, parse_duration};
use http::HeaderMap;
use http::header::AUTHORIZATION;

pub(crate) const TOKEN: &str = "x-vault-token";
pub(crate) const NAMESPACE: &str = "x-vault-namespace";
pub(crate) const REQUEST: &str = "x-vault-request";
const WRAP_TTL: &str = "x-vault-wrap-ttl";
const WRAP_FORMAT: &str = "x-vault-wrap-format";

/// The headers as hyper read them; texts are made only of those somebody asks for.
pub(crate) struct Lazy(pub(crate) HeaderMap);

impl RequestHeaders for Lazy {
    fn each(&self, name: &str, take: &mut dyn FnMut(&str)) {
        if name == TOKEN {
            return;
        }
        for value in self.0.get_all(name) {
            let Ok(text) = value.to_str() else { continue };
            // A bearer is this server's own credential: no engine may see it (CVE-2026-4525).
            if name != AUTHORIZATION.as_str() || bearer(text).is_none() {
                take(text);
            }
        }
    }
}

/// The token: its own header wins over a bearer.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(TOKEN).filter(|v| !v.is_empty()) {
        // Not text, so no token of ours; still a token, so that the bearer does not stand in for it.
        return Some(value.to_str().unwrap_or("?"));
    }
    headers.get_all(AUTHORIZATION).iter().find_map(|v| bearer(v.to_str().ok()?)).filter(|t| !t.is_empty())
}

fn bearer(value: &str) -> Option<&str> {
    let scheme = value.get(..7)?;
    scheme.eq_ignore_ascii_case("bearer ").then(|| value[7..].trim())
}

/// The longest time in Vault's clocks, 2^63 nanoseconds: 292 years.
const MAX_WRAP_TTL: Seconds = Seconds(9_223_372_036);

/// # Errors
/// The text for a 400.
pub(crate) fn wrap(headers: &HeaderMap) -> Result<Option<WrapRequest>, String> {
    let Some(value) = headers.get(WRAP_TTL).filter(|v| !v.is_empty()) else {
        return Ok(None);
    };
    let fail = |why: &str| format!("error parsing X-Vault-Wrap-TTL header: {why}");
    let text = value.to_str().map_err(|_| fail("not a text"))?;
    let nanos = parse_duration(text).map_err(|e| fail(&e.to_string()))?;
    if nanos < 0 {
        return Err(fail("requested wrap ttl cannot be negative"));
    }
    let ttl = Seconds::of_nanos(nanos).filter(|ttl| *ttl <= MAX_WRAP_TTL).ok_or_else(|| fail("too long"))?;
    let jwt = headers.get(WRAP_FORMAT).is_some_and(|f| f.as_bytes().eq_ignore_ascii_case(b"jwt"));
    Ok((!ttl.is_zero()).then_some(WrapRequest { ttl, jwt }))
}

/// The media type without parameters, in lower case only where it has to be compared.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let text = headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn the_token_header_wins() {
        assert_eq!(token(&map(&[(TOKEN, "a"), ("authorization", "Bearer b")])), Some("a"));
        assert_eq!(token(&map(&[(TOKEN, ""), ("authorization", "Bearer b")])), Some("b"));
        assert_eq!(token(&map(&[("authorization", "Bearer  b ")])), Some("b"));
        assert_eq!(token(&map(&[("authorization", "Basic b")])), None);
        assert_eq!(token(&map(&[("authorization", "b")])), None);
        assert_eq!(token(&map(&[("authorization", "Basic x"), ("authorization", "Bearer b")])), Some("b"));
        assert_eq!(token(&map(&[])), None);
    }

    #[test]
    fn engines_never_see_the_servers_credentials() {
        let lazy = Lazy(map(&[
            (TOKEN, "a"),
            ("authorization", "bearer b"),
            ("authorization", "Basic c"),
            ("x-a", "1"),
            ("x-a", "2"),
        ]));
        assert_eq!(lazy.joined(TOKEN), None);
        assert_eq!(lazy.joined("authorization").unwrap(), "Basic c");
        assert_eq!(lazy.joined("x-a").unwrap(), "1, 2");
    }

    #[test]
    fn wrapping_times() {
        let ttl = |text: &str| wrap(&map(&[(WRAP_TTL, text)])).map(|w| w.map(|w| w.ttl.0));
        assert_eq!(ttl("60"), Ok(Some(60)));
        assert_eq!(ttl("5m"), Ok(Some(300)));
        assert_eq!(ttl("0"), Ok(None));
        // What was asked to be wrapped never goes out in clear.
        assert_eq!(ttl("900ms"), Ok(Some(1)));
        assert_eq!(ttl("1ns"), Ok(Some(1)));
        assert_eq!(ttl("500ms"), Ok(Some(1)));
        assert_eq!(ttl(""), Ok(None));
        assert_eq!(ttl("soon"), Err("error parsing X-Vault-Wrap-TTL header: time: invalid duration \"soon\"".into()));
        assert_eq!(
            ttl("-5s"),
            Err("error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative".into())
        );
    }

    /// Times that no clock here counts to were taken, and shown as they were asked for.
    #[test]
    fn wrapping_times_have_an_end() {
        let ttl = |text: &str| wrap(&map(&[(WRAP_TTL, text)])).map(|w| w.map(|w| w.ttl.0));
        for (text, fits) in [("9223372036", 9_223_372_036), ("2562047h", 9_223_369_200), ("106751d", 9_223_286_400)] {
            assert_eq!(ttl(text), Ok(Some(fits)));
        }
        for text in [
            "9223372037",
            "9223372036855ms",
            "2562048h",
            "106752d",
            "99999999999999",
            "9223372036854775807",
            "9223372036854775808",
            "1e9",
            "-1",
            "-9223372036854775808",
            "-1ns",
            "0x10",
            "1.5",
            "60,60",
            "60 60",
            "\u{ff16}",
        ] {
            assert!(ttl(text).is_err(), "{text}");
        }
    }
}
