//! Bytes there and back: TCP, TLS, a proxy or a unix socket. One attempt, no judgement of the answer.

use std::{
    error::Error,
    path::Path,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, builderstates::WantsProtocols3};
use hyper_util::{
    client::legacy::{
        Client as Pool,
        connect::{HttpConnector, proxy::Tunnel},
    },
    rt::{TokioExecutor, TokioIo},
};
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::{Address, Answer, ClientError, Config, Proxies, Proxy, TlsOptions, tls};

/// Answers above this are refused rather than read into memory.
const MAX_ANSWER: usize = 256 << 20;

/// Why an attempt gave no answer.
#[derive(Debug)]
pub(crate) struct Broken {
    pub why: String,
    /// The server cannot have seen the request.
    pub before_sending: bool,
}

type PlainPool = Pool<HttpConnector, Full<Bytes>>;
type SecurePool = Pool<HttpsConnector<HttpConnector>, Full<Bytes>>;
/// TLS with the server inside a tunnel, which a proxy may want to be in TLS itself.
type TunnelPool = Pool<HttpsConnector<Tunnel<HttpsConnector<HttpConnector>>>, Full<Bytes>>;

pub(crate) struct Transport {
    tls: TlsOptions,
    address: Address,
    proxies: Proxies,
    plain: OnceLock<PlainPool>,
    secure: OnceLock<SecurePool>,
    /// There is one proxy for all addresses with TLS.
    tunnel: OnceLock<TunnelPool>,
}

impl Transport {
    /// Reads certificates at once if the address needs them, so that a wrong file is an error here.
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        let transport = Self {
            tls: config.tls.clone(),
            address: config.address.clone(),
            proxies: config.proxies.clone(),
            plain: OnceLock::new(),
            secure: OnceLock::new(),
            tunnel: OnceLock::new(),
        };
        if config.address.is_tls() {
            transport.secure()?;
        }
        Ok(transport)
    }

    pub async fn attempt(&self, request: http::Request<Full<Bytes>>) -> Result<Answer, Broken> {
        let response = if let Some(socket) = self.address.socket() {
            send_on_socket(socket, request).await?
        } else {
            let proxy = self.proxies.of(request.uri()).map_err(|why| Broken { why, before_sending: true })?;
            match proxy {
                Some(proxy) => self.send_by(proxy, request).await.map_err(|broken| broken.by(proxy))?,
                None => self.send_directly(request).await?,
            }
        };
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|e| Broken { why: chain(e.as_ref()), before_sending: false })?.to_bytes();
        Ok(Answer { to: String::new(), status: parts.status, headers: parts.headers, body })
    }

    async fn send_directly(&self, request: http::Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken> {
        if is_tls(&request) {
            self.secure().map_err(|e| unsent(&e))?.request(request).await.map_err(broken)
        } else {
            self.plain.get_or_init(plain_pool).request(request).await.map_err(broken)
        }
    }

    /// With TLS the proxy passes on bytes it cannot read (`CONNECT`, RFC 9110, 9.3.6); without, it reads all.
    async fn send_by(&self, proxy: &Proxy, request: http::Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken> {
        if is_tls(&request) {
            return self.tunnel(proxy).map_err(|e| unsent(&e))?.request(request).await.map_err(broken);
        }
        let stream = TcpStream::connect((proxy.host.as_str(), proxy.port)).await.map_err(|e| unsent(&e))?;
        stream.set_nodelay(true).map_err(|e| unsent(&e))?;
        let request = for_proxy(proxy, request)?;
        if !proxy.is_tls {
            return exchange(TokioIo::new(stream), request).await;
        }
        let name = ServerName::try_from(proxy.host.clone()).map_err(|e| unsent(&e))?;
        let config = tls::client_config(&self.tls).map_err(|e| unsent(&e))?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| unsent(&e))?;
        exchange(TokioIo::new(stream), request).await
    }

    fn tunnel(&self, proxy: &Proxy) -> Result<&TunnelPool, ClientError> {
        if let Some(pool) = self.tunnel.get() {
            return Ok(pool);
        }
        let unusable = |why: http::uri::InvalidUri| ClientError::Tls { file: proxy.to_string(), why: why.to_string() };
        let to_proxy = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(&self.tls)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp(false));
        let mut tunnel = Tunnel::new(proxy.to_string().parse().map_err(unusable)?, to_proxy);
        if let Some(authorization) = &proxy.authorization {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let pool = Pool::builder(TokioExecutor::new()).build(self.tls_to_server()?.wrap_connector(tunnel));
        Ok(self.tunnel.get_or_init(|| pool))
    }

    fn secure(&self) -> Result<&SecurePool, ClientError> {
        if let Some(pool) = self.secure.get() {
            return Ok(pool);
        }
        let pool = Pool::builder(TokioExecutor::new()).build(self.tls_to_server()?.wrap_connector(tcp(false)));
        Ok(self.secure.get_or_init(|| pool))
    }

    fn tls_to_server(&self) -> Result<HttpsConnectorBuilder<WantsProtocols3>, ClientError> {
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls::client_config(&self.tls)?).https_only();
        let builder = match &self.tls.server_name {
            Some(name) => {
                let name = ServerName::try_from(name.clone())
                    .map_err(|e| ClientError::Tls { file: name.clone(), why: e.to_string() })?;
                builder.with_server_name_resolver(FixedServerNameResolver::new(name))
            }
            None => builder,
        };
        Ok(builder.enable_all_versions())
    }
}

fn is_tls(request: &http::Request<Full<Bytes>>) -> bool {
    request.uri().scheme_str() == Some("https")
}

/// With what a proxy needs to see: whom it is for, and who sends it.
fn for_proxy(proxy: &Proxy, mut request: http::Request<Full<Bytes>>) -> Result<http::Request<Full<Bytes>>, Broken> {
    let host = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    let host = host.transpose().map_err(|e| unsent(&e))?;
    let headers = request.headers_mut();
    host.map(|host| headers.insert(header::HOST, host));
    if let Some(authorization) = &proxy.authorization {
        headers.insert(header::PROXY_AUTHORIZATION, authorization.clone());
    }
    Ok(request)
}

fn plain_pool() -> Pool<HttpConnector, Full<Bytes>> {
    Pool::builder(TokioExecutor::new()).build(tcp(true))
}

fn tcp(http_only: bool) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(http_only);
    tcp.set_nodelay(true);
    tcp
}

async fn send_on_socket(socket: &Path, request: http::Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken> {
    let stream = UnixStream::connect(socket).await.map_err(|e| {
        let broken = unsent(&e);
        Broken { why: format!("{}: {}", socket.display(), broken.why), ..broken }
    })?;
    // Straight on a connection hyper writes the whole URI as the target; a server wants path and query there.
    let (mut parts, body) = request.into_parts();
    parts.headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    if let Some(target) = parts.uri.path_and_query().cloned() {
        parts.uri = http::Uri::from(target);
    }
    exchange(TokioIo::new(stream), http::Request::from_parts(parts, body)).await
}

/// One request on a connection of its own.
async fn exchange<S>(stream: S, request: http::Request<Full<Bytes>>) -> Result<Response<Incoming>, Broken>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(|e| unsent(&e))?;
    tokio::spawn(connection);
    let sent = sender.send_request(request).await;
    sent.map_err(|e| Broken { why: chain(&e), before_sending: false })
}

fn unsent(error: &(dyn Error + 'static)) -> Broken {
    Broken { why: chain(error), before_sending: true }
}

impl Broken {
    /// Names the proxy: the address in the rest of the text is the server's.
    fn by(self, proxy: &Proxy) -> Self {
        Self { why: format!("{} (by the proxy {proxy})", self.why), ..self }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err, which gives the error away")]
fn broken(error: hyper_util::client::legacy::Error) -> Broken {
    // The pool's own words ("client error") help nobody; what lies below does.
    let cause = error.source().unwrap_or(&error);
    let why = chain(cause);
    let why = match advice(&why) {
        Some(advice) => format!("{why} ({advice})"),
        None => why,
    };
    Broken { why, before_sending: error.is_connect() }
}

/// What to do about errors whose own words are for those who know the protocols.
fn advice(why: &str) -> Option<&'static str> {
    if why.contains("InvalidContentType") {
        Some("no TLS is spoken there; should the address begin with http://?")
    } else if why.contains("invalid HTTP version") {
        Some("no HTTP is spoken there; should the address begin with https://?")
    } else if why.contains("UnknownIssuer") || why.contains("CaUsedAsEndEntity") {
        Some("nobody who is trusted signed the server's certificate; name its authority with -ca-cert or VAULT_CACERT")
    } else {
        None
    }
}

/// The error and its causes on one line: the innermost one is what helps.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
