//! A small blocking HTTP/1.1 client that shows its connections: what stays open, and what is half sent.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// The body as JSON; `null` if there is none.
    ///
    /// # Panics
    /// It is neither.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The errors of the body, joined.
    pub fn errors(&self) -> String {
        let json = self.json();
        let list = json.get("errors").and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
    }

    /// # Panics
    /// The status is not 2xx.
    #[must_use]
    pub fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        self
    }

    /// # Panics
    /// The status is another.
    #[must_use]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: String,
    pub tls: bool,
    pub token: Option<String>,
}

impl Client {
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    #[must_use]
    pub fn without_token(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// A connection that stays open until dropped.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.clone())
    }

    /// One request over a connection of its own.
    ///
    /// # Errors
    /// No complete answer came.
    pub fn try_send(&self, method: &str, path: &str, body: &str) -> io::Result<HttpAnswer> {
        self.connect()?.send(method, path, body)
    }

    /// # Panics
    /// No answer came. So do the others below.
    pub fn send(&self, method: &str, path: &str, body: &str) -> HttpAnswer {
        self.try_send(method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    pub fn get(&self, path: &str) -> HttpAnswer {
        self.send("GET", path, "")
    }

    pub fn list(&self, path: &str) -> HttpAnswer {
        self.send("LIST", path, "")
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
    pub fn put(&self, path: &str, body: Value) -> HttpAnswer {
        self.send("PUT", path, &body.to_string())
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
    pub fn post(&self, path: &str, body: Value) -> HttpAnswer {
        self.send("POST", path, &body.to_string())
    }

    pub fn delete(&self, path: &str) -> HttpAnswer {
        self.send("DELETE", path, "")
    }
}

/// One connection, kept alive.
pub struct Connection {
    client: Client,
    stream: BufReader<Stream>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    fn open(client: Client) -> io::Result<Self> {
        let socket = TcpStream::connect(&client.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let stream = if client.tls {
            let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
            let session = ClientConnection::new(tls_config(), name).map_err(io::Error::other)?;
            Stream::Tls(Box::new(StreamOwned::new(session, socket)))
        } else {
            Stream::Plain(socket)
        };
        Ok(Self { client, stream: BufReader::new(stream) })
    }

    /// # Errors
    /// No complete answer came.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<HttpAnswer> {
        let head = self.head(method, path, body.len());
        self.write(&[head.as_bytes(), body.as_bytes()].concat())?;
        self.answer()
    }

    /// The head of a request as this client words it.
    pub fn head(&self, method: &str, path: &str, length: usize) -> String {
        let token = self.client.token.as_ref().map(|t| format!("X-Vault-Token: {t}\r\n")).unwrap_or_default();
        let length = if length == 0 { String::new() } else { format!("Content-Length: {length}\r\n") };
        format!("{method} /v1/{path} HTTP/1.1\r\nHost: {}\r\n{token}{length}\r\n", self.client.address)
    }

    /// Bytes as they are, for requests that are never finished.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// # Errors
    /// No complete answer came.
    pub fn answer(&mut self) -> io::Result<HttpAnswer> {
        let mut line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| broken(&line))?;
        let mut headers = Vec::new();
        loop {
            line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = HttpAnswer { status, headers, body: Vec::new() };
        if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks(&mut answer.body)?;
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(|_| broken(length))?;
            answer.body = vec![0; length];
            self.stream.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Whether the server has closed the connection; waits for it a while.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stream.read(&mut byte), Ok(0) | Err(_))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(&line, 16).map_err(|_| broken(&line))?;
            let mut chunk = vec![0; length];
            self.stream.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk);
            self.line()?;
            if length == 0 {
                return Ok(());
            }
        }
    }
}

fn broken(text: &str) -> io::Error {
    io::Error::other(format!("not an answer: `{text}`"))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

fn tls_config() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.expect("the provider knows its versions").dangerous();
    Arc::new(builder.with_custom_certificate_verifier(Arc::new(AnyServer(provider))).with_no_client_auth())
}

/// Tests talk to the process that they have started themselves.
#[derive(Debug)]
struct AnyServer(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyServer {
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
