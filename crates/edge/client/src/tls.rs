//! TLS settings to a rustls configuration.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, InconsistentKeys, OtherError, RootCertStore,
    SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    client::{WebPkiServerVerifier, verify_server_name},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};

use crate::{ClientError, TlsOptions};

pub(crate) fn client_config(options: &TlsOptions) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| refused("protocol versions", e))?;
    let builder = if options.skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(&provider))))
    } else {
        let (roots, named) = roots(options)?;
        let verifier = OwnAuthority::new(roots, named, &provider)?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
    };
    match (&options.client_cert, &options.client_key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|e| unusable(key, e))?;
            let own = own_certificate(chain, key, &provider).map_err(|e| unusable(cert, e))?;
            Ok(builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))))
        }
        (Some(one), None) | (None, Some(one)) => {
            Err(unusable(one, "a client certificate and its key must both be given"))
        }
    }
}

/// Version 1 has nothing but a key and names, which is all that a client needs, and the library parses no such
/// certificate: whether its key fits shows at the handshake.
fn own_certificate(
    chain: Certificates,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Error> {
    let own = CertifiedKey::new(chain, provider.key_provider.load_private_key(key)?);
    match own.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(own),
        Err(error) if parsing_failed_with(&error, &webpki::Error::UnsupportedCertVersion) => Ok(own),
        Err(error) => Err(error),
    }
}

type Certificates = Vec<CertificateDer<'static>>;

/// What is trusted, and the certificates among it that the user has named.
fn roots(options: &TlsOptions) -> Result<(RootCertStore, Certificates), ClientError> {
    let mut roots = RootCertStore::empty();
    let mut named = Vec::new();
    if let Some(file) = &options.ca_cert {
        named = certificates(file)?;
        add(&mut roots, file, &named)?;
    } else if let Some(folder) = &options.ca_path {
        named = add_folder(&mut roots, folder)?;
    } else {
        // A system certificate that cannot be parsed must not keep the others from working.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok((roots, named))
}

fn add(roots: &mut RootCertStore, file: &Path, found: &[CertificateDer<'static>]) -> Result<(), ClientError> {
    found.iter().try_for_each(|cert| roots.add(cert.clone()).map_err(|e| unusable(file, e)))
}

/// Other files may lie there, too, such as the key beside a certificate.
fn add_folder(roots: &mut RootCertStore, folder: &Path) -> Result<Certificates, ClientError> {
    let mut named = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| unusable(folder, e))? {
        let file = entry.map_err(|e| unusable(folder, e))?.path();
        if let (true, Ok(found)) = (file.is_file(), certificates(&file)) {
            add(roots, &file, &found)?;
            named.extend(found);
        }
    }
    if roots.is_empty() { Err(unusable(folder, "no file in it holds a certificate")) } else { Ok(named) }
}

fn certificates(file: &Path) -> Result<Certificates, ClientError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(|e| unusable(file, e))?.collect();
    let found = found.map_err(|e| unusable(file, e))?;
    if found.is_empty() { Err(unusable(file, "it holds no certificate")) } else { Ok(found) }
}

fn unusable(file: &Path, why: impl ToString) -> ClientError {
    refused(&file.display().to_string(), why)
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err, which gives the error away")]
fn refused(file: &str, why: impl ToString) -> ClientError {
    ClientError::Tls { file: file.to_owned(), why: why.to_string() }
}

/// The usual checks, and besides: a server may show the very certificate that the user named as trusted, even though it
/// is an authority's. That is what `openssl req -x509` makes and what other clients take.
#[derive(Debug)]
struct OwnAuthority {
    usual: Arc<WebPkiServerVerifier>,
    named: Certificates,
}

impl OwnAuthority {
    fn new(roots: RootCertStore, named: Certificates, provider: &Arc<CryptoProvider>) -> Result<Self, ClientError> {
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|e| refused("trusted certificates", e))?;
        Ok(Self { usual, named })
    }

    /// The only thing wrong with it is that it is an authority's: names are looked at here, dates were before.
    fn is_named(&self, cert: &CertificateDer<'_>, name: &ServerName<'_>, error: &Error) -> Result<bool, Error> {
        if !is_authoritys(error) || !self.named.iter().any(|named| named == cert) {
            return Ok(false);
        }
        verify_server_name(&ParsedCertificate::try_from(cert)?, name)?;
        Ok(true)
    }
}

fn is_authoritys(error: &Error) -> bool {
    parsing_failed_with(error, &webpki::Error::CaUsedAsEndEntity)
}

/// What the library that reads certificates has no word of its own for.
fn parsing_failed_with(error: &Error, why: &webpki::Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error else { return false };
    cause.downcast_ref() == Some(why)
}

impl ServerCertVerifier for OwnAuthority {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.usual.verify_server_cert(cert, intermediates, name, ocsp, now) {
            Err(error) if self.is_named(cert, name, &error)? => Ok(ServerCertVerified::assertion()),
            // Signed by itself, and not named: unknown, in the words for all that is.
            Err(error) if is_authoritys(&error) => Err(CertificateError::UnknownIssuer.into()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.usual.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// For `skip_verify`: any certificate will do, but its key must still have signed this handshake.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::time::Duration;

    const OWN: &[u8] = include_bytes!("../tests/tls/own-authority.pem");
    const OTHER: &[u8] = include_bytes!("../tests/tls/other-authority.pem");
    /// Within the dates of both, which run for a hundred years from 2026-11-24 on.
    const NOW: u64 = 1_800_000_000;

    fn verify(trusted: &[u8], shown: &[u8], name: &str, now: u64) -> Result<(), Error> {
        let parse = |pem| CertificateDer::from_pem_slice(pem).unwrap().into_owned();
        let mut roots = RootCertStore::empty();
        roots.add(parse(trusted)).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = OwnAuthority::new(roots, vec![parse(trusted)], &provider).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(&parse(shown), &[], &name, &[], now).map(|_| ())
    }

    #[test]
    fn the_named_certificate_itself_is_taken_under_its_names_and_within_its_dates() {
        for name in ["localhost", "127.0.0.1"] {
            verify(OWN, OWN, name, NOW).unwrap();
        }
        assert!(matches!(
            verify(OWN, OWN, "other.example", NOW),
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            ))
        ));
        let (before, after) = (1_000_000_000, NOW + 100 * 366 * 86_400);
        assert!(verify(OWN, OWN, "localhost", before).is_err());
        assert!(verify(OWN, OWN, "localhost", after).is_err());
    }

    #[test]
    fn another_authority_of_the_same_name_is_not() {
        let error = verify(OWN, OTHER, "localhost", NOW).unwrap_err();
        assert_eq!(error, Error::InvalidCertificate(CertificateError::UnknownIssuer));
    }
}
