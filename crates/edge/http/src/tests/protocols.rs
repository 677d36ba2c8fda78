//! TLS of both versions, HTTP/2, client certificates of any kind, Unix sockets.

use super::*;
use crate::{ClientCertificates, TlsSettings, TlsVersion, UnixOwner};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tokio_rustls::client::TlsStream;

pub(super) fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

pub(super) fn tls() -> TlsSettings {
    TlsSettings::new(data("server.pem"), data("server-key.pem"))
}

/// Trusts every server: the tests are about the other side.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

struct Client {
    version: TlsVersion,
    alpn: &'static [u8],
    /// Certificate and key files.
    identity: Option<(&'static str, &'static str)>,
}

impl Client {
    fn plain(version: TlsVersion) -> Self {
        Self { version, alpn: b"http/1.1", identity: None }
    }

    async fn connect(&self, server: &Server) -> std::io::Result<TlsStream<TcpStream>> {
        self.over(server.connect().await).await
    }

    async fn over(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let version = match self.version {
            TlsVersion::Tls12 => &rustls::version::TLS12,
            TlsVersion::Tls13 => &rustls::version::TLS13,
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone(Arc::clone(&provider))));
        let mut config = match self.identity {
            None => builder.with_no_client_auth(),
            // By hand: the usual way parses the certificate, and version 1 does not parse.
            Some((cert, key)) => {
                let chain = vec![CertificateDer::from_pem_file(data(cert)).unwrap()];
                let key = PrivateKeyDer::from_pem_file(data(key)).unwrap();
                let key = provider.key_provider.load_private_key(key).unwrap();
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
            }
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// TLS over a connection on which something was said before.
pub(super) async fn tls_connect(stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    Client::plain(TlsVersion::Tls13).over(stream).await
}

#[tokio::test]
async fn both_versions() {
    let server = server_with(|s| s.tls = Some(tls())).await;
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut stream = Client::plain(version).connect(&server).await.unwrap();
        let answer = ask_on(&mut stream, get("/v1/a")).await;
        assert!(answer.contains(r#""certificates":0"#), "{answer}");
    }
}

#[tokio::test]
async fn versions_can_be_narrowed() {
    let server = server_with(|s| s.tls = Some(TlsSettings { min: TlsVersion::Tls13, ..tls() })).await;
    assert!(Client::plain(TlsVersion::Tls12).connect(&server).await.is_err());
    assert!(Client::plain(TlsVersion::Tls13).connect(&server).await.is_ok());
    let server = server_with(|s| s.tls = Some(TlsSettings { max: TlsVersion::Tls12, ..tls() })).await;
    assert!(Client::plain(TlsVersion::Tls13).connect(&server).await.is_err());
}

#[tokio::test]
async fn suites_can_be_chosen() {
    let suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384".to_owned();
    let server = server_with(|s| s.tls = Some(TlsSettings { suites: vec![suite], ..tls() })).await;
    let stream = Client::plain(TlsVersion::Tls12).connect(&server).await.unwrap();
    let chosen = stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(chosen, rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
    let mut settings = Settings::new(Address::Tcp("127.0.0.1:0".into()));
    settings.tls = Some(TlsSettings { suites: vec!["TLS_NONSENSE".into()], ..tls() });
    assert!(Listener::open(settings).await.is_err());
}

#[tokio::test]
async fn client_certificates_of_any_kind_pass() {
    let server = server_with(|s| s.tls = Some(tls())).await;
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        for identity in [
            ("client-v1.pem", "client-v1-key.pem"),
            ("client-expired.pem", "client-expired-key.pem"),
            ("other.pem", "other-key.pem"),
        ] {
            let client = Client { identity: Some(identity), ..Client::plain(version) };
            let mut stream = client.connect(&server).await.unwrap();
            let answer = ask_on(&mut stream, get("/v1/a")).await;
            assert!(answer.contains(r#""certificates":1"#), "{version:?} {identity:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_does_not_pass() {
    let server = server_with(|s| s.tls = Some(tls())).await;
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let client = Client { identity: Some(("other.pem", "server-key.pem")), ..Client::plain(version) };
        let Ok(mut stream) = client.connect(&server).await else { continue };
        assert_eq!(ask_on(&mut stream, get("/v1/a")).await, "", "{version:?}");
    }
}

#[tokio::test]
async fn client_certificates_can_be_demanded_or_left_out() {
    let clients = ClientCertificates::Verified { authorities: data("other.pem") };
    let server = server_with(|s| s.tls = Some(TlsSettings { clients, ..tls() })).await;
    let ask = async |identity| {
        let client = Client { identity, ..Client::plain(TlsVersion::Tls13) };
        let Ok(mut stream) = client.connect(&server).await else { return String::new() };
        ask_on(&mut stream, get("/v1/a")).await
    };
    assert_eq!(ask(None).await, "");
    assert_eq!(ask(Some(("client-v1.pem", "client-v1-key.pem"))).await, "");
    let server = server_with(|s| s.tls = Some(TlsSettings { clients: ClientCertificates::Off, ..tls() })).await;
    let client = Client { identity: Some(("other.pem", "other-key.pem")), ..Client::plain(TlsVersion::Tls13) };
    let mut stream = client.connect(&server).await.unwrap();
    assert!(ask_on(&mut stream, get("/v1/a")).await.contains(r#""certificates":0"#));
}

#[tokio::test]
async fn certificates_are_exchanged_without_closing_connections() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
    let copy = |name: &str| {
        std::fs::copy(data(&format!("{name}.pem")), &cert).unwrap();
        std::fs::copy(data(&format!("{name}-key.pem")), &key).unwrap();
    };
    copy("server");
    let server = server_with(|s| s.tls = Some(TlsSettings::new(cert.clone(), key.clone()))).await;
    let client = Client::plain(TlsVersion::Tls13);
    let mut old = client.connect(&server).await.unwrap();
    copy("other");
    server.running.reload(server.running.settings()).unwrap();
    let new = client.connect(&server).await.unwrap();
    let leaf = |s: &TlsStream<TcpStream>| s.get_ref().1.peer_certificates().unwrap()[0].clone();
    assert_eq!(leaf(&new), CertificateDer::from_pem_file(data("other.pem")).unwrap());
    assert!(ask_on(&mut old, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
    std::fs::write(&key, "nonsense").unwrap();
    assert!(server.running.reload(server.running.settings()).is_err());
    assert!(client.connect(&server).await.is_ok(), "the old one stays");
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_ends() {
    let server = server_with(|s| {
        s.tls = Some(tls());
        s.limits.handshake = Duration::from_millis(200);
    })
    .await;
    let mut stream = server.connect().await;
    assert!(closes_within(&mut stream, Duration::from_secs(2)).await);
}

async fn ask_h2<IO: AsyncRead + AsyncWrite + Send + Unpin + 'static>(io: IO, path: &str) -> (u16, String) {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    let request =
        http::Request::put(format!("https://localhost{path}")).body(Full::new(bytes::Bytes::from("{}"))).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status().as_u16();
    (status, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn http2_with_and_without_tls() {
    let server = server_with(|s| s.tls = Some(tls())).await;
    let client = Client { alpn: b"h2", ..Client::plain(TlsVersion::Tls13) };
    let stream = client.connect(&server).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (status, body) = ask_h2(stream, "/v1/kv/a").await;
    assert!(status == 200 && body.contains(r#""path":"kv/a""#), "{status} {body}");
    let plain = super::server().await;
    assert_eq!(ask_h2(plain.connect().await, "/v1/kv/a").await.0, 200);
}

/// A header of HTTP/2 can take one byte on the way and a hundred here.
#[tokio::test]
async fn http2_has_as_many_headers_as_the_other() {
    let server = server_with(|s| s.limits.header_count = 10).await;
    let with = async |count: usize| {
        let io = TokioIo::new(server.connect().await);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake::<_, _, Full<bytes::Bytes>>(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let headers = (0..count).map(|_| "x-many");
        let request = headers.fold(http::Request::get("http://x/v1/a"), |r, name| r.header(name, "1"));
        sender.send_request(request.body(Full::default()).unwrap()).await.unwrap().status().as_u16()
    };
    assert_eq!((with(10).await, with(11).await), (200, 431));
}

#[tokio::test]
async fn a_seal_over_tls_and_http2_is_answered_last() {
    let server = server_with(|s| s.tls = Some(tls())).await;
    let mut other = Client::plain(TlsVersion::Tls13).connect(&server).await.unwrap();
    assert!(ask_on(&mut other, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
    let client = Client { alpn: b"h2", ..Client::plain(TlsVersion::Tls13) };
    let stream = client.connect(&server).await.unwrap();
    assert_eq!(ask_h2(stream, "/v1/sys/seal").await.0, 204);
    let mut rest = Vec::new();
    assert!(timeout(Duration::from_secs(2), other.read_to_end(&mut rest)).await.is_ok());
    let mut stream = Client::plain(TlsVersion::Tls12).connect(&server).await.unwrap();
    assert!(ask_on(&mut stream, put("/v1/sys/seal", "")).await.starts_with("HTTP/1.1 204"));
}

#[tokio::test]
async fn unix_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.sock");
    let owner = UnixOwner { mode: Some(0o640), ..UnixOwner::default() };
    let settings = || Settings::new(Address::Unix { path: path.clone(), owner: owner.clone() });
    let server = server_with(|s| *s = settings()).await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    assert!(ask_on(&mut stream, get("/v1/a")).await.starts_with("HTTP/1.1 200"));
    assert!(Listener::open(settings()).await.is_err(), "somebody listens there");
    drop(server);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let server = server().await;
    let error = Listener::open(Settings::new(Address::Tcp(server.address.clone()))).await.err().unwrap().to_string();
    assert!(error.contains(&server.address) && error.contains("in use"), "{error}");
}
