//! Certificates for development servers: an authority of their own and a leaf under it, made anew at each start.
//!
//! Written as DER by hand (RFC 5280): two fixed shapes need no library. Not here: certificates for others (the PKI engine).

use crate::error::ListenError;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use bulla_types::{Seconds, Time};
use std::net::IpAddr;

/// PEM texts.
pub struct DevCertificates {
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

const DAY: u64 = 24 * 3600;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// ecdsa-with-SHA256
const ECDSA_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// id-ecPublicKey, prime256v1
const EC_P256: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: &[u8] = &[0x06, 3, 0x55, 4, 3];
const BASIC_CONSTRAINTS: &[u8] = &[0x06, 3, 0x55, 0x1d, 19];
const KEY_USAGE: &[u8] = &[0x06, 3, 0x55, 0x1d, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[0x06, 3, 0x55, 0x1d, 37];
const SUBJECT_ALT_NAME: &[u8] = &[0x06, 3, 0x55, 0x1d, 17];
/// serverAuth
const SERVER_AUTH: &[u8] = &[0x06, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];

impl DevCertificates {
    /// A leaf for `localhost`, the loopback addresses and `names`, valid for a year from `now`.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(names: &[String], now: Time) -> Result<Self, ListenError> {
        let failed = |_| ListenError::Tls("keys could not be made".into());
        let (authority_key, _) = make_key().map_err(failed)?;
        let (leaf_key, leaf_pkcs8) = make_key().map_err(failed)?;
        let issuer = name("Bulla development authority");
        let authority = Shape { subject: &issuer, key: &authority_key, extensions: authority_extensions() };
        let subject = name("localhost");
        let leaf = Shape { subject: &subject, key: &leaf_key, extensions: leaf_extensions(names) };
        let authority = authority.signed(&issuer, &authority_key, now).map_err(failed)?;
        let leaf = leaf.signed(&issuer, &authority_key, now).map_err(failed)?;
        Ok(Self {
            authority: pem("CERTIFICATE", &authority),
            certificate: pem("CERTIFICATE", &leaf),
            key: pem("PRIVATE KEY", &leaf_pkcs8),
        })
    }
}

fn make_key() -> Result<(EcdsaKeyPair, Vec<u8>), Unspecified> {
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new())?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).map_err(|_| Unspecified)?;
    Ok((pair, document.as_ref().to_vec()))
}

struct Shape<'a> {
    subject: &'a [u8],
    key: &'a EcdsaKeyPair,
    extensions: Vec<u8>,
}

impl Shape<'_> {
    fn signed(&self, issuer: &[u8], by: &EcdsaKeyPair, now: Time) -> Result<Vec<u8>, Unspecified> {
        let mut serial = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut serial)?;
        // Positive and of full length.
        serial[0] = serial[0] & 0x7f | 0x40;
        let algorithm = tlv(SEQUENCE, &[ECDSA_SHA256]);
        let from = Time::from_unix(now.unix().saturating_sub(3600));
        let validity = tlv(SEQUENCE, &[&time(from), &time(now.plus(Seconds(365 * DAY)))]);
        let key = self.key.public_key().as_ref();
        let spki = tlv(SEQUENCE, &[&tlv(SEQUENCE, &[EC_P256]), &tlv(0x03, &[&[0], key])]);
        let extensions = tlv(0xa3, &[&tlv(SEQUENCE, &[&self.extensions])]);
        let version = tlv(0xa0, &[&[0x02, 1, 2]]);
        let serial = tlv(0x02, &[&serial]);
        let tbs = tlv(SEQUENCE, &[&version, &serial, &algorithm, issuer, &validity, self.subject, &spki, &extensions]);
        let signature = by.sign(&SystemRandom::new(), &tbs)?;
        Ok(tlv(SEQUENCE, &[&tbs, &algorithm, &tlv(0x03, &[&[0], signature.as_ref()])]))
    }
}

fn authority_extensions() -> Vec<u8> {
    let constraints = tlv(SEQUENCE, &[&[0x01, 1, 0xff]]);
    // keyCertSign, cRLSign
    [critical(BASIC_CONSTRAINTS, &constraints), critical(KEY_USAGE, &[0x03, 2, 1, 0x06])].concat()
}

fn leaf_extensions(names: &[String]) -> Vec<u8> {
    let mut alternatives = vec![tlv(0x82, &[b"localhost"]), tlv(0x87, &[&[127, 0, 0, 1]])];
    alternatives.push(tlv(0x87, &[&std::net::Ipv6Addr::LOCALHOST.octets()]));
    for name in names {
        alternatives.push(match name.parse() {
            Ok(IpAddr::V4(address)) => tlv(0x87, &[&address.octets()]),
            Ok(IpAddr::V6(address)) => tlv(0x87, &[&address.octets()]),
            Err(_) => tlv(0x82, &[name.as_bytes()]),
        });
    }
    let usage = tlv(SEQUENCE, &[EXTENDED_KEY_USAGE, &tlv(0x04, &[&tlv(SEQUENCE, &[SERVER_AUTH])])]);
    let names = tlv(SEQUENCE, &[SUBJECT_ALT_NAME, &tlv(0x04, &[&tlv(SEQUENCE, &[&alternatives.concat()])])]);
    // digitalSignature
    [critical(KEY_USAGE, &[0x03, 2, 7, 0x80]), usage, names].concat()
}

fn critical(oid: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[oid, &[0x01, 1, 0xff], &tlv(0x04, &[value])])
}

fn name(common: &str) -> Vec<u8> {
    let attribute = tlv(SEQUENCE, &[COMMON_NAME, &tlv(0x0c, &[common.as_bytes()])]);
    tlv(SEQUENCE, &[&tlv(SET, &[&attribute])])
}

/// `UTCTime`, right until 2049: `YYMMDDHHMMSSZ`.
fn time(time: Time) -> Vec<u8> {
    let digits: String = time.rfc3339().chars().take(19).filter(char::is_ascii_digit).skip(2).collect();
    tlv(0x17, &[digits.as_bytes(), b"Z"])
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let mut out = vec![tag];
    match u16::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short.to_be_bytes()[1]),
        Ok(medium @ 0x80..=0xff) => out.extend_from_slice(&[0x81, medium.to_be_bytes()[1]]),
        // Nothing here comes near 64 KiB: names are limited by the length of a command line flag's use.
        long => {
            out.push(0x82);
            out.extend_from_slice(&long.unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    parts.iter().for_each(|p| out.extend_from_slice(p));
    out
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use std::sync::Arc;

    #[test]
    fn clients_that_know_the_authority_trust_the_leaf() {
        let now = UnixTime::now();
        let made =
            DevCertificates::new(&["bulla.test".into(), "10.0.0.1".into()], Time::from_unix(now.as_secs())).unwrap();
        let der = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der(&made.authority)).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let check = |name: &'static str| {
            let name = ServerName::try_from(name).unwrap();
            verifier.verify_server_cert(&der(&made.certificate), &[], &name, &[], now).is_ok()
        };
        for good in ["localhost", "127.0.0.1", "::1", "bulla.test", "10.0.0.1"] {
            assert!(check(good), "{good}");
        }
        assert!(!check("other.test"));
    }
}
