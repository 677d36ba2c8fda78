//! TLS settings to a rustls configuration.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};

use crate::{ClientError, TlsOptions};

pub(crate) fn client_config(options: &TlsOptions) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| refused("protocol versions", e))?;
    let builder = if options.skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        builder.with_root_certificates(roots(options)?)
    };
    match (&options.client_cert, &options.client_key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|e| unusable(key, e))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| unusable(cert, e))
        }
        (Some(one), None) | (None, Some(one)) => {
            Err(unusable(one, "a client certificate and its key must both be given"))
        }
    }
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &options.ca_cert {
        add(&mut roots, file)?;
    } else if let Some(folder) = &options.ca_path {
        add_folder(&mut roots, folder)?;
    } else {
        // A system certificate that cannot be parsed must not keep the others from working.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), ClientError> {
    certificates(file)?.into_iter().try_for_each(|cert| roots.add(cert).map_err(|e| unusable(file, e)))
}

/// Other files may lie there, too, such as the key beside a certificate.
fn add_folder(roots: &mut RootCertStore, folder: &Path) -> Result<(), ClientError> {
    for entry in std::fs::read_dir(folder).map_err(|e| unusable(folder, e))? {
        let file = entry.map_err(|e| unusable(folder, e))?.path();
        if file.is_file() && certificates(&file).is_ok() {
            add(roots, &file)?;
        }
    }
    if roots.is_empty() { Err(unusable(folder, "no file in it holds a certificate")) } else { Ok(()) }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
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
