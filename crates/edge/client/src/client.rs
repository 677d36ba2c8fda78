//! The client: headers, attempts, redirects, and the line between an answer and a refusal.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use http_body_util::Full;

use crate::{
    Answer, ApiError, ClientError, Config, Json, Method, Request, Secret,
    transport::{Broken, Transport},
};

/// A standby points to the active node; one that points on is in an election, where waiting beats following.
const MAX_REDIRECTS: usize = 2;

/// A client of one server. Cheap to use from many tasks; connections are kept and shared.
pub struct Client {
    config: Config,
    transport: Transport,
}

impl Client {
    /// # Errors
    /// [`ClientError::Tls`] if certificates or keys cannot be used.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        let transport = Transport::new(&config)?;
        Ok(Self { config, transport })
    }

    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The URL a request goes to, as error texts show it.
    pub fn url(&self, request: &Request) -> String {
        format!("{}{}", self.config.address.base(), request.target())
    }

    /// Sends, repeating and following redirects as configured. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// [`ClientError::Api`] for a status of 400 and above, the others where there was no answer.
    pub async fn send(&self, request: &Request) -> Result<Answer, ClientError> {
        let answer = self.send_any(request).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(ClientError::Api(ApiError::read(
            request.method.verb(),
            self.url(request),
            self.config.namespace.clone(),
            answer.status.as_u16(),
            &answer.body,
        )))
    }

    /// Like [`Client::send`], but every status is an answer.
    ///
    /// # Errors
    /// Only where there was no answer.
    pub async fn send_any(&self, request: &Request) -> Result<Answer, ClientError> {
        let mut url = self.url(request);
        let mut redirects = 0;
        let mut done = 0;
        loop {
            let outcome = self.attempt(request, &url).await?;
            let pause = match &outcome {
                Ok(answer) if is_redirect(answer.status) && self.config.follow_redirects => {
                    redirects += 1;
                    url = self.follow(request, &url, answer, redirects)?;
                    continue;
                }
                Ok(answer) => self.config.retries.after_status(done, answer.status, retry_after(answer)),
                Err(broken) if broken.before_sending || request.method.is_idempotent() => {
                    self.config.retries.pause(done)
                }
                Err(_) => None,
            };
            match pause.filter(|_| request.retry) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => {
                    let verb = request.method.verb();
                    return match outcome {
                        Ok(answer) => Ok(Answer { to: format!("{verb} {url}"), ..answer }),
                        Err(broken) => Err(ClientError::Transport { verb, url, why: told(broken, request) }),
                    };
                }
            }
            done += 1;
        }
    }

    /// `None` if nothing is there (404 without data).
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn read(&self, request: &Request) -> Result<Option<Secret>, ClientError> {
        match self.send(request).await {
            Ok(answer) => answer.secret(),
            Err(ClientError::Api(api)) if api.status == 404 => Ok(lost_and_found(&api)),
            Err(error) => Err(error),
        }
    }

    /// Sends JSON and reads the envelope that comes back, if one does.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn write(&self, method: Method, path: &str, body: &Json) -> Result<Option<Secret>, ClientError> {
        self.send(&Request::new(method, path).json(body)).await?.secret()
    }

    async fn attempt(&self, request: &Request, url: &str) -> Result<Result<Answer, Broken>, ClientError> {
        let verb = request.method.verb();
        let built = self.build(request, url)?;
        match tokio::time::timeout(self.config.timeout, self.transport.attempt(built)).await {
            Ok(outcome) => Ok(outcome),
            Err(_) => Err(ClientError::Timeout { verb, url: url.to_owned(), seconds: self.config.timeout.as_secs() }),
        }
    }

    fn build(&self, request: &Request, url: &str) -> Result<http::Request<Full<Bytes>>, ClientError> {
        let verb = request.method.verb();
        let invalid = |why: String| ClientError::Transport { verb, url: url.to_owned(), why };
        let uri: Uri = url.parse().map_err(|e: http::uri::InvalidUri| invalid(e.to_string()))?;
        let (body, kind) = request.body.clone().map_or((Bytes::new(), None), |(body, kind)| (body, Some(kind)));
        let mut built = http::Request::builder().method(verb).uri(uri).body(Full::new(body));
        if let Ok(built) = &mut built {
            let headers = built.headers_mut();
            headers.insert("x-vault-request", HeaderValue::from_static("true"));
            headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("bulla/", env!("CARGO_PKG_VERSION"))));
            if let Some(kind) = kind {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            if let Some(token) = request.token.as_ref().or(self.config.token.as_ref()) {
                let mut value = header_value("X-Vault-Token", token.dangerous_expose())?;
                value.set_sensitive(true);
                headers.insert("x-vault-token", value);
            }
            if let Some(namespace) = &self.config.namespace {
                headers.insert("x-vault-namespace", header_value("X-Vault-Namespace", namespace)?);
            }
            for (name, value) in self.config.headers.iter().chain(&request.headers) {
                let value = header_value(name, value)?;
                let name = HeaderName::try_from(name.as_str()).map_err(|_| ClientError::Header(name.clone()))?;
                headers.append(name, value);
            }
        }
        built.map_err(|e| invalid(e.to_string()))
    }

    fn follow(&self, request: &Request, url: &str, answer: &Answer, so_far: usize) -> Result<String, ClientError> {
        let refuse = |why| ClientError::Redirect { verb: request.method.verb(), url: url.to_owned(), why };
        if so_far > MAX_REDIRECTS {
            return Err(refuse("too often"));
        }
        if self.config.address.socket().is_some() {
            return Err(refuse("away from a unix socket"));
        }
        let target = answer.headers.get(header::LOCATION).and_then(|v| v.to_str().ok());
        let target = target.ok_or_else(|| refuse("without saying where to"))?;
        if target.starts_with("https://") || target.starts_with("http://") && url.starts_with("http://") {
            return Ok(target.to_owned());
        }
        if target.starts_with('/') && !target.starts_with("//") {
            let uri: Uri = url.parse().map_err(|_| refuse("from an invalid URL"))?;
            let origin = (uri.scheme_str().unwrap_or("http"), uri.authority().map_or("", |a| a.as_str()));
            return Ok(format!("{}://{}{target}", origin.0, origin.1));
        }
        // The token goes along, so never from TLS to plain text.
        Err(refuse("to an address that is not safe to follow"))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.config.address.base())
    }
}

/// A 404 may still carry data and warnings: a deleted version's metadata, for one.
fn lost_and_found(api: &ApiError) -> Option<Secret> {
    let json = Json::parse(api.raw.as_ref()?.as_bytes()).ok()?;
    Some(Secret::from_json(&json)).filter(|secret| secret.data.is_some() || !secret.warnings.is_empty())
}

/// Those that established clients follow; all with the method kept, for a change must stay one.
const fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 307 | 308)
}

/// A server that does not want so much closes the connection, and all that is seen of it is a broken pipe.
fn told(broken: Broken, request: &Request) -> String {
    let length = request.body.as_ref().map_or(0, |(body, _)| body.len());
    if broken.before_sending || length < LARGE {
        return broken.why;
    }
    format!("{} (the body has {length} bytes, which may be more than the server takes)", broken.why)
}

/// No ordinary request is as large.
const LARGE: usize = 1 << 20;

fn header_value(name: &str, value: &str) -> Result<HeaderValue, ClientError> {
    HeaderValue::from_str(value).map_err(|_| ClientError::Header(name.to_owned()))
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
