//! Bytes there and back: TCP, TLS or a unix socket. One attempt, no judgement of the answer.

use std::{error::Error, path::Path, sync::OnceLock};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use rustls_pki_types::ServerName;

use crate::{Address, Answer, ClientError, TlsOptions, tls};

/// Answers above this are refused rather than read into memory.
const MAX_ANSWER: usize = 256 << 20;

/// Why an attempt gave no answer.
#[derive(Debug)]
pub(crate) struct Broken {
    pub why: String,
    /// The server cannot have seen the request.
    pub before_sending: bool,
}

pub(crate) struct Transport {
    tls: TlsOptions,
    address: Address,
    plain: OnceLock<Pool<HttpConnector, Full<Bytes>>>,
    secure: OnceLock<Pool<HttpsConnector<HttpConnector>, Full<Bytes>>>,
}

impl Transport {
    /// Reads certificates at once if the address needs them, so that a wrong file is an error here.
    pub fn new(address: &Address, tls: &TlsOptions) -> Result<Self, ClientError> {
        let transport =
            Self { tls: tls.clone(), address: address.clone(), plain: OnceLock::new(), secure: OnceLock::new() };
        if address.is_tls() {
            transport.secure()?;
        }
        Ok(transport)
    }

    pub async fn attempt(&self, request: http::Request<Full<Bytes>>) -> Result<Answer, Broken> {
        let response = if let Some(socket) = self.address.socket() {
            send_on_socket(socket, request).await?
        } else if request.uri().scheme_str() == Some("https") {
            let pool = self.secure().map_err(|e| Broken { why: e.to_string(), before_sending: true })?;
            pool.request(request).await.map_err(broken)?
        } else {
            self.plain.get_or_init(plain_pool).request(request).await.map_err(broken)?
        };
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|e| Broken { why: chain(e.as_ref()), before_sending: false })?.to_bytes();
        Ok(Answer { to: String::new(), status: parts.status, headers: parts.headers, body })
    }

    fn secure(&self) -> Result<&Pool<HttpsConnector<HttpConnector>, Full<Bytes>>, ClientError> {
        if let Some(pool) = self.secure.get() {
            return Ok(pool);
        }
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls::client_config(&self.tls)?).https_only();
        let builder = match &self.tls.server_name {
            Some(name) => {
                let name = ServerName::try_from(name.clone())
                    .map_err(|e| ClientError::Tls { file: name.clone(), why: e.to_string() })?;
                builder.with_server_name_resolver(FixedServerNameResolver::new(name))
            }
            None => builder,
        };
        let pool = Pool::builder(TokioExecutor::new()).build(builder.enable_all_versions().wrap_connector(tcp(false)));
        Ok(self.secure.get_or_init(|| pool))
    }
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
    let before = |e: &(dyn Error + 'static)| Broken { why: chain(e), before_sending: true };
    let stream = tokio::net::UnixStream::connect(socket).await.map_err(|e| before(&e))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| before(&e))?;
    tokio::spawn(connection);
    // Straight on a connection hyper writes the whole URI as the target; a server wants path and query there.
    let (mut parts, body) = request.into_parts();
    parts.headers.insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
    if let Some(target) = parts.uri.path_and_query().cloned() {
        parts.uri = http::Uri::from(target);
    }
    let sent = sender.send_request(http::Request::from_parts(parts, body)).await;
    sent.map_err(|e| Broken { why: chain(&e), before_sending: false })
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
