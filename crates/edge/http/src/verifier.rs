//! Client certificates at the handshake: any is let through that its client holds the key of.
//!
//! Whether a certificate means anything is decided later, by the auth method that is asked. So expired certificates,
//! unknown issuers and X.509 version 1 pass here; the usual helpers refuse the latter because they parse the whole
//! certificate, so the public key is taken out of it by hand.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme};

#[derive(Debug)]
pub(crate) struct AnyCertificate {
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyCertificate {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        spki_of(end_entity).ok_or(CertificateError::BadEncoding)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = spki_of(cert).ok_or(CertificateError::BadEncoding)?;
        let (algorithm, key) = parts_of(spki).ok_or(CertificateError::BadEncoding)?;
        let known = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
        let (_, candidates) = known.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        let fits = candidates.iter().find(|c| c.public_key_alg_id().as_ref() == algorithm);
        let checker = fits.ok_or(CertificateError::BadSignature)?;
        checker.verify_signature(key, message, dss.signature()).map_err(|_| CertificateError::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = spki_of(cert).ok_or(CertificateError::BadEncoding)?;
        verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(spki), dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// `[0]`, constructed: the version, which version 1 leaves out.
const VERSION: u8 = 0xa0;

/// The whole `SubjectPublicKeyInfo` of a certificate (RFC 5280, section 4.1), any version.
fn spki_of(cert: &[u8]) -> Option<&[u8]> {
    let (outer, _) = element(cert, SEQUENCE)?;
    let (tbs, _) = element(outer.content, SEQUENCE)?;
    let mut rest = tbs.content;
    if rest.first() == Some(&VERSION) {
        rest = element(rest, VERSION)?.1;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        rest = element(rest, tag)?.1;
    }
    element(rest, SEQUENCE).map(|(spki, _)| spki.whole)
}

/// Content of the algorithm identifier, and the key's bits.
fn parts_of(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let (outer, _) = element(spki, SEQUENCE)?;
    let (algorithm, rest) = element(outer.content, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    // Keys are whole bytes: no unused bits.
    let key = bits.content.strip_prefix(&[0])?;
    Some((algorithm.content, key))
}

struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

/// One DER element with that tag at the start of `bytes`, and what follows it. Lengths up to 65,535.
fn element(bytes: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    if *bytes.first()? != tag {
        return None;
    }
    let (header, length) = match *bytes.get(1)? {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(*bytes.get(2)?)),
        0x82 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        _ => return None,
    };
    let end = header + length;
    let content = bytes.get(header..end)?;
    Some((Element { whole: &bytes[..end], content }, &bytes[end..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn elements_end_where_they_say() {
        let (found, rest) = element(&[0x30, 2, 1, 2, 9], SEQUENCE).unwrap();
        assert_eq!((found.content, rest), (&[1, 2][..], &[9][..]));
        for bad in [&[][..], &[0x30], &[0x30, 2, 1], &[0x30, 0x82, 1], &[0x30, 0x83, 0, 0, 0], &[0x02, 1, 1]] {
            assert!(element(bad, SEQUENCE).is_none(), "{bad:?}");
        }
    }
}
