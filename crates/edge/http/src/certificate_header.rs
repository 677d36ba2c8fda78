//! A client's certificate as a proxy that ends TLS hands it on in a header (RFC 9440, or base64 of DER as it is).
//!
//! Whether the client holds the key is the proxy's to check, so the header is read from authorised proxies only.

use crate::decode::Early;
use crate::query;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A step from the header's text towards base64 of DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateDecoder {
    /// `%xx`, and `+` for a blank.
    Url,
    /// PEM; the first certificate counts.
    Pem,
    /// Between two colons (RFC 9440, section 2.1).
    Rfc9440,
}

impl CertificateDecoder {
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "URL" => Some(Self::Url),
            "PEM" => Some(Self::Pem),
            "RFC9440" => Some(Self::Rfc9440),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateHeader {
    pub name: HeaderName,
    /// In this order; none = the value is base64 of DER already.
    pub decoders: Vec<CertificateDecoder>,
}

/// No header, or an empty one, is no certificate.
///
/// # Errors
/// The answer to a header that is not what it should be.
pub(crate) fn read(headers: &HeaderMap, header: &CertificateHeader) -> Result<Vec<Vec<u8>>, Early> {
    let mut values = headers.get_all(&header.name).iter();
    let Some(value) = values.next().filter(|v| !v.as_bytes().trim_ascii().is_empty()) else { return Ok(Vec::new()) };
    if values.next().is_some() {
        return Err(Early::bad("more than one client certificate header"));
    }
    let text = value.to_str().map_err(|_| Early::bad("the client certificate header is not a text"))?;
    decode(text, &header.decoders).map(|der| vec![der]).map_err(Early::bad)
}

fn decode(text: &str, decoders: &[CertificateDecoder]) -> Result<Vec<u8>, &'static str> {
    let mut text = text.trim().to_owned();
    for decoder in decoders {
        text = match decoder {
            CertificateDecoder::Url => {
                query::decode_plus(&text).ok_or("error url decoding client certificate header")?
            }
            CertificateDecoder::Pem => {
                let found = CertificateDer::from_pem_slice(text.as_bytes());
                STANDARD.encode(found.map_err(|_| "failed to decode PEM certificate of client certificate header")?)
            }
            CertificateDecoder::Rfc9440 => {
                let inner = text.strip_prefix(':').and_then(|t| t.strip_suffix(':'));
                inner.ok_or("error decoding RFC9440 client certificate header")?.to_owned()
            }
        };
    }
    let der = STANDARD.decode(text).map_err(|_| "error decoding client certificate header as base64")?;
    // A sequence of some length, as every certificate is; the auth method takes it apart.
    if der.first() == Some(&0x30) { Ok(der) } else { Err("the client certificate header holds no certificate") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use CertificateDecoder::{Pem, Rfc9440, Url};

    const PEM: &str = include_str!("../testdata/server.pem");

    fn base64() -> String {
        STANDARD.encode(CertificateDer::from_pem_slice(PEM.as_bytes()).unwrap())
    }

    fn url(text: &str) -> String {
        text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").replace('\n', "%0A").replace(' ', "%20")
    }

    #[test]
    fn every_form_comes_to_the_same() {
        let der = STANDARD.decode(base64()).unwrap();
        assert_eq!(decode(&base64(), &[]).unwrap(), der);
        assert_eq!(decode(&format!(":{}:", base64()), &[Rfc9440]).unwrap(), der);
        assert_eq!(decode(&url(PEM), &[Url, Pem]).unwrap(), der);
        assert_eq!(decode(&url(PEM).replace("%20", "+"), &[Url, Pem]).unwrap(), der);
    }

    #[test]
    fn anything_else_is_refused() {
        for (text, decoders) in [
            ("invalid".to_owned(), &[][..]),
            (format!("::{}", base64()), &[]),
            (String::new(), &[]),
            (STANDARD.encode("text"), &[]),
            (base64(), &[Rfc9440]),
            (format!(":{}", base64()), &[Rfc9440]),
            (format!("{}:", base64()), &[Rfc9440]),
            (":".into(), &[Rfc9440]),
            (url(PEM) + "%GG", &[Url, Pem]),
            (url(&PEM.replace("CERTIFICATE", "LETTER")), &[Url, Pem]),
            (url(PEM), &[]),
            (PEM.to_owned(), &[]),
        ] {
            assert!(decode(&text, decoders).is_err(), "{text} {decoders:?}");
        }
    }

    #[test]
    fn one_header_or_none() {
        let header = CertificateHeader { name: HeaderName::from_static("client-cert"), decoders: vec![Rfc9440] };
        let mut headers = HeaderMap::new();
        assert_eq!(read(&headers, &header).unwrap(), Vec::<Vec<u8>>::new());
        headers.append("client-cert", format!(":{}:", base64()).parse().unwrap());
        assert_eq!(read(&headers, &header).unwrap().len(), 1);
        headers.append("client-cert", format!(":{}:", base64()).parse().unwrap());
        assert!(read(&headers, &header).is_err());
        assert_eq!(CertificateDecoder::parse("rfc9440"), Some(Rfc9440));
        assert_eq!(CertificateDecoder::parse("DER"), None);
    }
}
