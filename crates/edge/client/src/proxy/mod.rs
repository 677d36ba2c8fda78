//! Which proxy a request goes through, if any. Not here: how it is spoken to (`transport`), where the settings come from
//! (`edge/cli`).

mod exceptions;

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, Uri};

pub use self::exceptions::Exceptions;

/// An HTTP proxy, with what it asks of those who use it. `Debug` and `Display` leave that out.
#[derive(Clone)]
pub struct Proxy {
    pub(crate) is_tls: bool,
    /// IPv6 addresses without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) authorization: Option<HeaderValue>,
}

/// Never says what was given: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("it is not the address of a proxy, such as http://host:3128 or http://name:password@host:3128")]
    Address,
    #[error("only proxies with http:// or https:// are supported")]
    Scheme,
}

/// How the proxy for a request is found.
#[derive(Debug, Clone, Default)]
pub enum Proxies {
    /// All servers are spoken to directly.
    #[default]
    None,
    /// This one for all, wherever they are.
    Always(Proxy),
    /// By the scheme of the server's address; [`Exceptions`] and this machine itself are spoken to directly.
    ByScheme { http: Option<Named>, https: Option<Named>, except: Exceptions },
}

/// A proxy as somebody set it; an address that is none matters only to those who would use it.
#[derive(Debug, Clone)]
pub struct Named {
    /// What set it, for error texts.
    pub by: String,
    pub proxy: Result<Proxy, ProxyError>,
}

impl Proxies {
    /// # Errors
    /// In words, if the proxy that is set for this request cannot be used.
    pub(crate) fn of(&self, uri: &Uri) -> Result<Option<&Proxy>, String> {
        let named = match self {
            Self::None => None,
            Self::Always(proxy) => return Ok(Some(proxy)),
            Self::ByScheme { http, https, except } => {
                let named = if uri.scheme_str() == Some("https") { https } else { http };
                named.as_ref().filter(|_| !except.contain(uri))
            }
        };
        let Some(named) = named else { return Ok(None) };
        match &named.proxy {
            Ok(proxy) => Ok(Some(proxy)),
            Err(why) => Err(format!("the proxy in {} cannot be used: {why}", named.by)),
        }
    }
}

impl Proxy {
    /// `http://host:port`, `https://name:password@host`; without a scheme it is `http`.
    ///
    /// # Errors
    /// If it is neither, or another kind of proxy.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let uri: Uri = if text.contains("://") { text.parse() } else { format!("http://{text}").parse() }
            .map_err(|_| ProxyError::Address)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(ProxyError::Scheme),
        };
        let authority = uri.authority().ok_or(ProxyError::Address)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // The parser takes what is behind the colon for no port if it is empty.
        let behind = authority.as_str().rsplit(['@', ']']).next().unwrap_or_default();
        let port_is_wrong = authority.port_u16().is_none() && behind.contains(':');
        if host.is_empty() || port_is_wrong {
            return Err(ProxyError::Address);
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let authorization = match authority.as_str().rsplit_once('@') {
            Some((user, _)) => Some(basic(user)?),
            None => None,
        };
        Ok(Self { is_tls, host, port, authorization })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self}, authorization: {})", self.authorization.is_some())
    }
}

/// `name:password`, both percent-encoded, as RFC 7617 has it.
fn basic(user: &str) -> Result<HeaderValue, ProxyError> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let mut pair = decoded(name)?;
    pair.push(b':');
    pair.extend(decoded(password)?);
    let mut value =
        HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair))).map_err(|_| ProxyError::Address)?;
    value.set_sensitive(true);
    Ok(value)
}

fn decoded(text: &str) -> Result<Vec<u8>, ProxyError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(ProxyError::Address) };
        out.push(u8::try_from(high * 16 + low).map_err(|_| ProxyError::Address)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses() {
        for (text, want) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://proxy/", "http://proxy:80"),
            ("https://proxy", "https://proxy:443"),
            ("proxy:3128", "http://proxy:3128"),
            (" 10.0.0.1 ", "http://10.0.0.1:80"),
            ("http://[fe80::1]:8080", "http://[fe80::1]:8080"),
            ("ann:pw@proxy:1", "http://proxy:1"),
        ] {
            assert_eq!(Proxy::parse(text).unwrap().to_string(), want, "{text}");
        }
        for text in
            ["", "http://", "http://proxy:", "http://proxy:99999", "http://a b", "http://a%2@h", "http://a%zz@h"]
        {
            assert_eq!(Proxy::parse(text).unwrap_err(), ProxyError::Address, "{text}");
        }
        for text in ["socks5://proxy:1080", "ftp://proxy"] {
            assert_eq!(Proxy::parse(text).unwrap_err(), ProxyError::Scheme, "{text}");
        }
    }

    #[test]
    fn names_and_passwords_are_decoded_and_never_shown() {
        // RFC 7617, section 2.
        let proxy = Proxy::parse("http://Aladdin:open%20sesame@proxy").unwrap();
        assert_eq!(proxy.authorization.as_ref().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let named = Named { by: "HTTPS_PROXY".into(), proxy: Ok(proxy.clone()) };
        let all = format!("{proxy} {proxy:?} {named:?} {:?} {:?}", proxy.authorization, Proxies::Always(proxy.clone()));
        assert!(!all.contains("sesame") && !all.contains("QWxh") && !all.contains("Aladdin"), "{all}");
        assert!(!Proxy::parse("socks5://ann:secret@h").unwrap_err().to_string().contains("secret"));
        let without = Proxy::parse("http://ann@proxy").unwrap();
        assert_eq!(without.authorization.unwrap(), "Basic YW5uOg==");
    }

    #[test]
    fn which_one_goes_by_scheme_and_place() {
        let named = |text: &str| Some(Named { by: "X".into(), proxy: Proxy::parse(text) });
        let proxies = Proxies::ByScheme {
            http: named("socks5://s"),
            https: named("http://p:1"),
            except: Exceptions::parse("near.example"),
        };
        let of = |uri: &'static str| proxies.of(&Uri::from_static(uri)).map(|found| found.map(Proxy::to_string));
        assert_eq!(of("https://far.example/v1/x"), Ok(Some("http://p:1".to_owned())));
        assert_eq!(of("https://near.example/v1/x"), Ok(None));
        assert_eq!(of("http://127.0.0.1:8200/v1/x"), Ok(None), "what cannot be used is not asked for");
        assert!(of("http://far.example/v1/x").unwrap_err().starts_with("the proxy in X cannot be used: only proxies"));
        let always = Proxies::Always(Proxy::parse("p").unwrap());
        assert!(always.of(&Uri::from_static("http://127.0.0.1/")).unwrap().is_some());
        assert!(Proxies::None.of(&Uri::from_static("https://far.example/")).unwrap().is_none());
    }
}
