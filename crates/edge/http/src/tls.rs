//! TLS of a listener: versions, suites, certificates, client certificates. Read as a whole, also anew while it runs.

use crate::error::ListenError;
use crate::verifier::AnyCertificate;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

/// What is asked of clients at the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Not asked for.
    Off,
    /// Asked for; whatever comes is judged by the auth method.
    Any,
    /// Demanded, and issued under one of these authorities; PEM file.
    Verified { authorities: PathBuf },
}

#[derive(Clone, Debug)]
pub struct TlsSettings {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub min: TlsVersion,
    pub max: TlsVersion,
    /// Names of suites as in RFC 8446 and the IANA registry; empty = all that are safe.
    pub suites: Vec<String>,
    pub clients: ClientCertificates,
}

impl TlsSettings {
    pub fn new(certificate: PathBuf, key: PathBuf) -> Self {
        let (min, max) = (TlsVersion::Tls12, TlsVersion::Tls13);
        Self { certificate, key, min, max, suites: Vec::new(), clients: ClientCertificates::Any }
    }

    /// The files it is read from.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.certificate.clone(), self.key.clone()];
        if let ClientCertificates::Verified { authorities } = &self.clients {
            files.push(authorities.clone());
        }
        files
    }
}

pub(crate) struct Tls(Arc<ServerConfig>);

impl Tls {
    pub(crate) fn load(settings: &TlsSettings) -> Result<Self, ListenError> {
        let provider = Arc::new(provider(settings)?);
        let key = load_identity(settings, &provider)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(settings)?)
            .map_err(|e| ListenError::Tls(e.to_string()))?;
        let verifier = verifier(settings, &provider)?;
        let identity = Arc::new(SingleCertAndKey::from(key));
        let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(identity);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        tokio_rustls::TlsAcceptor::from(Arc::clone(&self.0))
    }
}

fn provider(settings: &TlsSettings) -> Result<CryptoProvider, ListenError> {
    let mut provider = aws_lc_rs::default_provider();
    if settings.suites.is_empty() {
        return Ok(provider);
    }
    let known: Vec<String> = provider.cipher_suites.iter().map(|s| suite_name(s.suite())).collect();
    for name in &settings.suites {
        if !known.contains(name) {
            return Err(ListenError::Tls(format!("no such cipher suite `{name}`; there are {}", known.join(", "))));
        }
    }
    // TLS 1.3 suites are all safe and not subject to choice, as upstream.
    provider.cipher_suites.retain(|s| s.tls13().is_some() || settings.suites.contains(&suite_name(s.suite())));
    Ok(provider)
}

/// `TLS_AES_128_GCM_SHA256` rather than the library's `TLS13_AES_128_GCM_SHA256`.
fn suite_name(suite: rustls::CipherSuite) -> String {
    suite.as_str().map_or_else(String::new, |name| name.replacen("TLS13_", "TLS_", 1))
}

fn versions(settings: &TlsSettings) -> Result<Vec<&'static SupportedProtocolVersion>, ListenError> {
    let all = [(TlsVersion::Tls12, &rustls::version::TLS12), (TlsVersion::Tls13, &rustls::version::TLS13)];
    let wanted = |v: TlsVersion| v >= settings.min && v <= settings.max;
    let found: Vec<_> = all.iter().filter(|(v, _)| wanted(*v)).map(|(_, v)| *v).collect();
    if found.is_empty() {
        return Err(ListenError::Tls("tls_min_version is above tls_max_version".into()));
    }
    Ok(found)
}

fn verifier(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, ListenError> {
    match &settings.clients {
        ClientCertificates::Off => Ok(Arc::new(NoClientAuth)),
        ClientCertificates::Any => {
            Ok(Arc::new(AnyCertificate { algorithms: provider.signature_verification_algorithms }))
        }
        ClientCertificates::Verified { authorities } => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authorities)? {
                roots.add(certificate).map_err(|e| ListenError::Tls(format!("`{}`: {e}", authorities.display())))?;
            }
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map(|v| v as Arc<dyn ClientCertVerifier>)
                .map_err(|e| ListenError::Tls(e.to_string()))
        }
    }
}

fn load_identity(settings: &TlsSettings, provider: &CryptoProvider) -> Result<CertifiedKey, ListenError> {
    let chain = certificates(&settings.certificate)?;
    let text = read(&settings.key)?;
    let no_key = |_| ListenError::NoPem { path: settings.key.clone(), what: "private key" };
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(no_key)?;
    let unusable =
        |cause| ListenError::Identity { cert: settings.certificate.clone(), key: settings.key.clone(), cause };
    CertifiedKey::from_der(chain, key, provider).map_err(unusable)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ListenError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.unwrap_or_default();
    if found.is_empty() {
        return Err(ListenError::NoPem { path: path.to_owned(), what: "certificate" });
    }
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, ListenError> {
    std::fs::read(path).map_err(|cause| ListenError::Read { path: path.to_owned(), cause })
}
